"""Variables from the files of systemd's LoadCredential=: an environment is copied to children and shown in /proc."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic_settings import EnvSettingsSource

from healthv1_api.errors import SettingsError
from healthv1_api.settings import envfile

HINT = "each line is NAME=value, NAME='value' or NAME=\"value\"."


class Credentials(EnvSettingsSource):
    """Asked after the environment proper: who sets a variable by hand means it."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        # As from the environment: what is empty is not given.
        return {name.lower(): value for file in _files() for name, value in _variables(file) if value}


def _files() -> list[Path]:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return sorted(Path(folder).iterdir()) if folder else []


def _variables(file: Path) -> Iterator[tuple[str, str]]:
    try:
        yield from envfile.variables(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SettingsError(f"{file.name}: is not UTF-8.", hint=HINT) from None
    except ValueError as error:
        raise SettingsError(f"{file.name}:{error}: is no variable.", hint=HINT) from None
