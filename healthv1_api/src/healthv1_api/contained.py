"""What this process holds stays in its memory: a crash leaves no core file, and nobody of its own account looks in.

/proc/PID of such a process belongs to root: another process of the service's account reads neither its memory nor its
environment, where the secrets came from.
"""

import ctypes
import os
import resource

PR_SET_DUMPABLE = 4


def leave_no_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The limit does not hold for a core_pattern that is a program: the kernel hands it all memory nevertheless.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
