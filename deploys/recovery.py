"""A unit whose process is gone is started again by systemd, however often that happens; one that was stopped is not."""

from __future__ import annotations

from deploys.component import Check, Text, template

TAKEN_UP = "systemctl daemon-reload"
"""Nothing has to restart for it: systemd alone reads it."""


def path(unit: str) -> str:
    """Return where the drop-in lies: a file of its own, so that hosts that serve already get it without a restart."""
    return f"/etc/systemd/system/{unit}.d/restart.conf"


def text() -> Text:
    return template("restart.conf")


def comes_back(name: str, unit: str) -> Check:
    """Claim that a killed process is not the end of the service, nor five of them within ten seconds."""
    shown = f"systemctl show -p Restart -p StartLimitIntervalUSec {unit}"
    return Check(
        f"{name} is started again when its process is gone",
        f'told=$({shown}) && case "$told" in *Restart=on-failure* | *Restart=always*) ;; *) false;; esac'
        ' && case "$told" in *StartLimitIntervalUSec=0*) ;; *) false;; esac',
        f"run apply; read: systemctl cat {unit}",
    )
