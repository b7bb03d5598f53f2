"""Files of a team's: the inventory and its group_data, each read, or why it cannot be."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyinfra.context import ctx_inventory
from pyinfra_cli.exceptions import UnexpectedExternalError

from healthv1.errors import Fault, Refused
from healthv1.workspace import project


def group_data(read: Callable[[str], dict[str, dict[str, Any]]], folder: str) -> dict[str, dict[str, Any]]:
    """Read the files of the groups that the inventory has: a fault in another environment's is no matter.

    Raises `Refused` with the faults of all of them.

    + read: how pyinfra reads one file.
    """
    groups = {"all", *ctx_inventory.get().groups}
    by_group: dict[str, dict[str, Any]] = {}
    faults: list[Fault] = []
    files: list[Path] = []
    with explained(folder, faults), suppress(FileNotFoundError):
        files = sorted(Path(folder).iterdir())  # glob() takes an unreadable folder for an empty one
    for path in (path for path in files if path.suffix == ".py" and path.stem in groups):
        with explained(str(path), faults):
            by_group |= read(str(path))
    Refused.unless(faults)
    return by_group


@contextmanager
def explained(file: str, faults: list[Fault]) -> Iterator[None]:
    """Add to `faults` why a file of the team's cannot be read."""
    try:
        yield
    except Refused as refusal:
        faults.extend(refusal.faults)
    except UnexpectedExternalError as error:
        faults.extend(_faults_of(error))
    except SyntaxError as error:
        faults.append(_fault_in(error.filename or file, error.lineno, f"{error.msg}."))
    except SystemExit as end:
        faults.append(_fault_in(file, _line(file, end), "It ends the program, which is not for settings to do."))
    except UnicodeDecodeError:
        faults.append(_fault_in(file, None, "It is no text in UTF-8."))
    except OSError as error:
        what = f"It cannot be read ({error.strerror})."
        faults.append(Fault(_shown(file), what, "make it readable for whoever runs this"))
    except Exception as error:  # noqa: BLE001 - pyinfra trusts that hosts are in the right form
        hint = "write each group as a list of names, or of pairs: (name, {key: value})"
        faults.append(Fault(_shown(file), f"Its hosts cannot be read ({type(error).__name__}: {error}).", hint))


def _line(file: str, error: BaseException) -> int | None:
    """Return the last line of the file that led to the error: what failed may be a library that the file called."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return frames[-1].lineno if frames else None


def _faults_of(error: UnexpectedExternalError) -> Iterator[Fault]:
    cause = error.exception
    if isinstance(cause, Refused):
        yield from cause.faults
    else:
        file = str(error.filename)
        yield _fault_in(file, _line(file, cause), f"{type(cause).__name__}: {cause}.")


def _fault_in(file: str, line: int | None, what: str) -> Fault:
    return Fault(f"{_shown(file)}:{line}" if line else _shown(file), what, "correct the file")


def _shown(file: str) -> str:
    return file.removeprefix(f"{project.root()}/")
