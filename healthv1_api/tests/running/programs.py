"""Programs that the distribution brings. A missing one fails the run: nothing here is skipped."""

import shutil
from pathlib import Path

PACKAGES = {
    "initdb": "postgresql",
    "postgres": "postgresql",
    "pgbouncer": "pgbouncer",
    "psql": "postgresql-client",
    "redis-cli": "redis-tools",
    "redis-server": "redis-server",
}


def program(name: str) -> str:
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    places = ":".join([*map(str, newest_first), "/usr/sbin", "/usr/bin", "/usr/local/bin"])
    found = shutil.which(name, path=places)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: apt-get install {PACKAGES[name]}")
    return found
