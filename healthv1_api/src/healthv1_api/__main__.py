"""`healthv1-api` and `python -m healthv1_api`.

Exit 0: done; 1: could not; 2: wrong usage; 3: something is due; 78: wrong settings or master key.
"""

import ctypes
import os
import resource
import sys
from argparse import Namespace
from importlib import import_module

from healthv1_api.cli import parser
from healthv1_api.errors import ApiError

PR_SET_DUMPABLE = 4


def main() -> int:
    arguments = parser().parse_args()
    _leave_no_core()
    try:
        lines = _call(arguments)
    except ApiError as error:
        sys.stdout.writelines(f"{line}\n" for line in error.lines)
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _call(arguments: Namespace) -> list[str]:
    module, _, function = arguments.run.partition(".")
    lines: list[str] = getattr(import_module(f"healthv1_api.commands.{module}"), function)(arguments)
    return lines


def _leave_no_core() -> None:
    """Have what this process holds stay in its memory: a crash leaves no core file, and nobody of its account looks in.

    /proc/PID of such a process belongs to root: another process of the service's account reads neither its memory nor
    its environment, where the secrets came from.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The limit does not hold for a core_pattern that is a program: the kernel hands it all memory nevertheless.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    sys.exit(main())
