"""A team's project folder. Its environments reach the sandbox's host by other addresses and ports."""

import json
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def make(folder: Path) -> Path:
    for name in ("inventories", "group_data"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def add(folder: Path, environment: str, hosts: list[tuple[str, dict[str, Any]]]) -> None:
    """Add an environment with the sandbox's settings, in which each host plays every part."""
    text = f"import json\n\ndatabase = api = edge = [tuple(host) for host in json.loads('''{json.dumps(hosts)}''')]\n"
    (folder / "inventories" / f"{environment}.py").write_text(text)
    shutil.copyfile(folder / "group_data/sandbox.py", folder / f"group_data/{environment}.py")
