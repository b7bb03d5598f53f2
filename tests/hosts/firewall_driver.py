"""Runs `healthv1` on a site of the firewall and SSH alone. Arguments: seconds until the way back, "dies" or "lives".

Who dies is killed (SIGKILL) right after the switch. Then the command's own arguments.
"""

from healthv1 import cooperation

cooperation.begin()

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from deploys import switching  # noqa: E402
from deploys.operations import firewall  # noqa: E402
from healthv1.cli.main import main  # noqa: E402
from healthv1.workspace import project  # noqa: E402

_, seconds, fate, *arguments = sys.argv
project.site_file = lambda: Path(__file__).with_name("firewall_site.py")
sooner = switching.SWITCH.replace(f"--on-active={switching.ROLLBACK_SECONDS}", f"--on-active={seconds}")
switching.SWITCH = sooner
if fate == "dies":
    firewall.confirm_command = lambda _: os.kill(os.getpid(), signal.SIGKILL)
sys.argv[1:] = arguments
main()
