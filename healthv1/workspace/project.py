"""The project: the checkout with the team's inventories, group_data and deploys."""

from __future__ import annotations

import difflib
import hashlib
import os
from pathlib import Path

from deploys.faults import Fault, Refused


def root() -> Path:
    """Return the nearest folder, from here upwards, that holds inventories; else the toolkit's own checkout."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "inventories").is_dir() and (folder / "group_data").is_dir():
            return folder
    return Path(__file__).parents[2]


def environments() -> list[str]:
    """Raises `Refused` when the inventories cannot be read."""
    try:
        names = [path.name for path in (root() / "inventories").iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        what = f"The folder cannot be read ({error.strerror})."
        raise Refused(Fault("inventories", what, "make it readable for whoever runs this")) from None
    return sorted(name.removesuffix(".py") for name in names if name.endswith(".py") and name[0] not in "_.")


def inventory_file(environment: str) -> Path:
    """Return the inventory called `environment`. Raises `Refused` when there is none."""
    if environment in environments():
        return root() / "inventories" / f"{environment}.py"
    names = ", ".join(environments()) or "none"
    close = difflib.get_close_matches(environment, environments(), n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else f"known: {names}"
    raise Refused(Fault(environment or "ENV", "There is no inventory of that name.", hint))


def state_folder() -> Path:
    """Return where this operator's own notes lie. It may not be there yet."""
    return root() / ".healthv1"


def state(name: str, notes: Path | None = None) -> Path:
    """Return the folder `name` for notes of one kind: made, this user's alone, and not for the repository.

    + notes: the folder of all notes, where it is not the project's. Whoever made it with another mode, it is 0700 then.

    Raises `OSError`.
    """
    notes = notes or state_folder()
    folder = notes / name
    for directory in (notes, folder):
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.stat().st_mode & 0o077 and directory.stat().st_uid == os.geteuid():
            directory.chmod(0o700)
    ignored = notes / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", encoding="utf-8")
    return folder


def digest() -> str:
    """Return a digest of a plan's inputs, but for secrets, releases and facts."""
    toolkit = Path(__file__).parents[2]
    folders = (root() / "inventories", root() / "group_data", toolkit / "deploys", toolkit / "templates")
    sha256 = hashlib.sha256()
    for file in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        if "__pycache__" not in file.parts:
            sha256.update(f"{file} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return sha256.hexdigest()


def site_file() -> Path:
    return Path(__file__).parents[2] / "deploys" / "site.py"
