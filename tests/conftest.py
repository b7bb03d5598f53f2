"""What every test may rely on."""

import os
import sys
from pathlib import Path

from gevent.monkey import is_module_patched

# Commands are started as a user would, with this interpreter's own `healthv1`.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))

HOSTS = Path(__file__).parent / "hosts"


def pytest_collection_modifyitems(config, items):
    """For workers: hosts are mostly waited for, so that the other tests, spread among theirs, have the processors.

    What takes longest begins first: none of it is left alone at the end.
    """
    if not hasattr(config, "workerinput"):
        return
    assert not is_module_patched("threading"), "A test imports pyinfra_cli: gevent makes a worker of pytest-xdist hang."
    on_hosts = [item for item in items if HOSTS in item.path.parents]
    on_hosts.sort(key=_seconds, reverse=True)
    others = [item for item in items if HOSTS not in item.path.parents]
    places = {item: place / len(some) for some in (on_hosts, others) for place, item in enumerate(some)}
    items.sort(key=places.__getitem__)


def _seconds(item):
    """Return how long it takes, about: what its mark says."""
    mark = item.get_closest_marker("long")
    return mark.args[0] if mark else 0
