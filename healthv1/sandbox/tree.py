"""The file tree of a freshly installed server, with the packages that the deploys install lying ready in apt's cache.

Built once per recipe and kept. A tree has its final name only when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from healthv1.errors import Fault, SandboxError
from healthv1.sandbox import sources
from healthv1.sandbox.commands import BOUND, run
from healthv1.sandbox.locks import locked
from healthv1.sandbox.place import cache_root

SUITES = ("trixie", "bookworm")

INCLUDED = (
    *("systemd", "systemd-sysv", "libpam-systemd", "dbus", "openssh-server", "sudo", "python3", "ca-certificates"),
    *("iproute2", "procps", "kmod", "netbase", "tzdata", "logrotate", "less"),
)
"""What a server has when a hosting company hands it over."""

DOWNLOADED = (
    *("postgresql", "postgresql-contrib", "pgbouncer", "redis-server", "nginx", "certbot", "ufw", "fail2ban"),
    *("nftables", "python3-systemd", "pgbackrest", "acl", "ssl-cert", "curl"),
)
"""What the deploys install: downloaded here, installed there."""

FRESH_FOR = 12 * 3600  # seconds: half of what a deploy leaves lists alone for
ADMIN = "admin"
ADMIN_ID = 1000

# apt's timers take the package lock at a moment of their own choosing; a disposable host has no use for them.
_CUSTOMIZE = f"""set -eu; cd "$1"
chroot . useradd --create-home --uid {ADMIN_ID} --shell /bin/bash --groups sudo {ADMIN}
echo '{ADMIN} ALL=(ALL:ALL) NOPASSWD: ALL' >etc/sudoers.d/{ADMIN}; chmod 0440 etc/sudoers.d/{ADMIN}
printf '%s\\n' 'PermitRootLogin no' 'PasswordAuthentication no' >etc/ssh/sshd_config.d/50-sandbox.conf
echo 'LANG=C.UTF-8' >etc/default/locale
rm -f etc/ssh/ssh_host_* etc/hostname etc/resolv.conf.bak
mkdir -p var/log/journal
systemctl --root=. --quiet enable systemd-networkd ssh
systemctl --root=. --quiet disable apt-daily.timer apt-daily-upgrade.timer
chroot . apt-get -qq install --download-only --no-install-recommends {" ".join(DOWNLOADED)}
"""


def prepare(suite: str, say: Callable[[str], None]) -> Path:
    """Return the tree of a suite, built if there is none of today's recipe."""
    if suite not in SUITES:
        raise SandboxError(Fault(suite, "is no suite that a sandbox knows.", f"choose one of {', '.join(SUITES)}"))
    recipe = _recipe(suite)
    digest = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]
    tree = cache_root() / "trees" / f"{suite}-{digest}"
    with locked(cache_root() / "locks" / tree.name, say):
        if not tree.exists():
            say(f"Build the file tree of a fresh {suite} server, once")
            _build(recipe, tree)
        _freshen(tree)
    return tree


def _recipe(suite: str) -> list[str]:
    """Return mmdebstrap's arguments, all but the target, which stands in front of the sources."""
    options = [f"--aptopt={option}" for option in sources.options()]
    return [
        *("--quiet", "--variant=minbase", "--mode=root", "--format=directory", f"--include={','.join(INCLUDED)}"),
        *options,
        *(f"--customize-hook={_CUSTOMIZE}", "--skip=cleanup/apt/lists,cleanup/apt/cache"),
        suite,
        *sources.lines(suite),
    ]


def _build(recipe: list[str], tree: Path) -> None:
    tree.parent.mkdir(parents=True, exist_ok=True)
    unfinished = tree.with_name(f".{tree.name}")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    position = recipe.index(tree.name.partition("-")[0]) + 1
    run(*BOUND, "mmdebstrap", *recipe[:position], unfinished, *recipe[position:])
    unfinished.replace(tree)


def _freshen(tree: Path) -> None:
    """Date the package lists to now: they fit the packages at hand, so a deploy need not refresh them.

    Only when that is nearly due: apt fails on a running host while its lists' dates change.
    """
    for path in (tree / "var/lib/apt/lists").glob("*_Packages*"):
        if path.stat().st_mtime < time.time() - FRESH_FOR:
            os.utime(path)
