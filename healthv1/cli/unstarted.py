"""What is said in place of any command where a library lacks what the command is made from."""

from __future__ import annotations

import sys
from collections.abc import Callable

from healthv1.hosts.pyinfra_guard import refuse_other_version
from healthv1.output import terminal


def failing_command(missing: ImportError) -> Callable[[], None]:
    """Return what to run instead of the command: it tells what is lacking, as every fault is told."""

    def refuse() -> None:
        pyinfras = (missing.name or "").partition(".")[0] in {"pyinfra", "pyinfra_cli"}
        refuse_other_version([str(missing).partition(" (")[0]] if pyinfras else [])
        raise missing  # pyinfra is the one that it was, so it is something else

    return lambda: sys.exit(terminal.run_guarded(refuse, wants_json="--json" in sys.argv))
