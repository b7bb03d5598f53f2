"""Where the team's inventories, group_data and deploys lie: the checkout that is worked in."""

from __future__ import annotations

from pathlib import Path

from deploys.faults import Fault, Refused


def root() -> Path:
    """Return the nearest folder, from here upwards, that holds inventories; else the toolkit's own checkout."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "inventories").is_dir() and (folder / "group_data").is_dir():
            return folder
    return Path(__file__).parents[1]


def environments() -> list[str]:
    return sorted(path.stem for path in (root() / "inventories").glob("[!_]*.py"))


def inventory_file(environment: str) -> Path:
    """Return the inventory called `environment`. Raises `Refused` when there is none."""
    if environment in environments():
        return root() / "inventories" / f"{environment}.py"
    known = ", ".join(environments())
    raise Refused(Fault(environment, "There is no inventory of that name.", f"known: {known}"))


def site_file() -> Path:
    return Path(__file__).parents[1] / "deploys" / "site.py"
