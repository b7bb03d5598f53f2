"""What is replaced at the start behaves as the standard library's does."""

import subprocess
import sys

GONE = """
from healthv1 import cooperation
cooperation.begin()
import contextlib, os, subprocess
ended = subprocess.Popen(["true"])
with contextlib.suppress(ChildProcessError):  # on a busy machine gevent may have been quicker
    os.waitid(os.P_PID, ended.pid, os.WEXITED)
ended.{ask}()
"""


def _said(ask):
    return subprocess.run([sys.executable, "-c", GONE.format(ask=ask)], capture_output=True, text=True, check=False)


def test_a_process_that_has_just_ended_by_itself_may_be_told_to_end():
    assert _said("kill").stderr == ""
    assert _said("terminate").stderr == ""
