"""The command when one of its imports fails: it reports the missing library."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from healthv1.hosts.pyinfra_guard import refuse_other_version
from healthv1.output import terminal


def failing_command(missing: ImportError) -> Callable[[], None]:
    """Return a command that reports the failed import as a fault."""
    return lambda: sys.exit(terminal.run_guarded(lambda: refuse_missing(missing), wants_json="--json" in sys.argv))


def refuse_missing(missing: ImportError) -> NoReturn:
    """Report a failed import. Raises `Refused` where it is pyinfra's, else the error itself."""
    pyinfras = (missing.name or "").partition(".")[0] in {"pyinfra", "pyinfra_cli"}
    refuse_other_version([str(missing).partition(" (")[0]] if pyinfras else [])
    raise missing  # pyinfra is as expected: another library is the cause
