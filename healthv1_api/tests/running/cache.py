"""A Redis that knows one user, by password."""

from pathlib import Path
from urllib.parse import quote

from running.cluster import password
from running.daemon import LOOPBACK, Daemon, free_port, hand_over
from running.programs import program

CONFIGURATION = """
bind 127.0.0.1
port {port}
dir {directory}
save ""
user default off
user health on ">{password}" ~* +@all
"""


def make_redis(directory: Path) -> tuple[Daemon, str]:
    """Return the server and the URL that opens it."""
    port, secret = free_port(), password().strip()
    file = directory / "redis.conf"
    argv = [program("redis-server"), str(file)]
    file.write_text(CONFIGURATION.format(port=port, directory=directory, password=secret))
    hand_over(directory)
    url = f"redis://health:{quote(secret, safe='')}@{LOOPBACK}:{port}/0"
    return Daemon(argv, port, directory / "redis.log"), url
