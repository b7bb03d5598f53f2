"""`python -m healthv1`. Sockets are made cooperative before anything that uses them is imported."""

# ruff: noqa: E402
import gc
import resource
from importlib import metadata

from gevent import monkey

gc.disable()  # nothing that modules make is garbage, and looking for it takes a tenth of the start

# gevent tells each of its steps to whoever is installed and listens. Nobody does, and asking takes a fifth of a second.
entry_points, metadata.entry_points = metadata.entry_points, lambda **_: ()  # type: ignore[assignment]
monkey.patch_all()
metadata.entry_points = entry_points
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # this process reads secrets: a crash writes none to a disk

from healthv1.cli import main

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
