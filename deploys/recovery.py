"""systemd restarts a unit whose process died, without a limit. No core dump of it reaches a disk.

A stopped unit stays stopped.
"""

from __future__ import annotations

from deploys.component import Check, Text, template

RELOAD_SYSTEMD = "systemctl daemon-reload"
"""The drop-in needs no restart: only systemd reads it."""


def drop_in_path(unit: str) -> str:
    """Return the drop-in's path: a separate file, so that running hosts get it without a restart."""
    return f"/etc/systemd/system/{unit}.d/restart.conf"


def drop_in_text() -> Text:
    return template("restart.conf")


def check_restart(name: str, unit: str) -> Check:
    """Claim that the unit restarts after a crash, and even after five crashes within ten seconds."""
    show_command = f"systemctl show -p Restart -p StartLimitIntervalUSec {unit}"
    return Check(
        f"{name} is started again when its process is gone",
        f'told=$({show_command}) && case "$told" in *Restart=on-failure* | *Restart=always*) ;; *) false;; esac'
        ' && case "$told" in *StartLimitIntervalUSec=0*) ;; *) false;; esac',
        f"run apply; read: systemctl cat {unit}",
    )


def check_no_core_dump(name: str, unit: str) -> Check:
    """Claim that a crash of the unit writes no core dump."""
    limits = f"/proc/$(systemctl show -p MainPID --value {unit})/limits"
    return Check(
        f"{name} leaves no core dump",
        f"test \"$(awk '/^Max core file size/ {{print $5, $6}}' {limits})\" = '0 0'",
        f"run: healthv1 apply ENV; read: systemctl show -p LimitCORE {unit}",
    )
