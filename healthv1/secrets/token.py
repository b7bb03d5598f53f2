"""The token that opens a secrets backend: from a file, the environment, or the last login."""

from __future__ import annotations

import os
from pathlib import Path

from healthv1.errors import Fault, SecretsError
from healthv1.redaction import redactor

LOGIN = ".vault-token"  # where `bao login` and `vault login` leave it, in the home folder


def token(token_file: str | Path | None, backend: str) -> str:
    """Return the token from `token_file`, else from VAULT_TOKEN, else from ~/.vault-token. Raises `SecretsError`."""
    if token_file:
        found, hint = _read(Path(token_file), backend), f"put a token into {token_file}"
    else:
        found = os.environ.get("VAULT_TOKEN", "").strip() or _read(Path.home() / LOGIN, backend)
        hint = "log in: bao login, or set VAULT_TOKEN"
    if not found:
        raise SecretsError(Fault(backend, "There is no token.", hint))
    redactor.add(found)
    return found


def _read(path: Path, backend: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        what = f"The token in {path} cannot be read ({error.strerror})."
        raise SecretsError(Fault(backend, what, f"let {path} be a file that you may read")) from None
