"""Releases: complete folders beside each other, of which one link chooses."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.path import PathState
from deploys.facts.probe import Succeeds
from deploys.facts.release import COMPLETE, LISTING, CompleteReleases, Instances, is_intact
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import Phase, forecast

# $1 the release's folder, $2 the archive's SHA-256. It takes its place when it is whole: until then a damaged release
# that runs stays where it is. What a killed run left is thrown away. A kernel wants the whole path of a script's
# Python, which is known here alone. The modules are compiled on all cores: where they lie, the service could not do it.
_INSTALL = f"""set -eu; umask 022
new=${{1%/*}}/.unpacking; rm -rf -- "$new"; mkdir -p -- "$new"; trap 'rm -rf -- "$new"' HUP INT TERM
base64 -d > "$new/archive.tar.gz"
echo "$2  $new/archive.tar.gz" | sha256sum -c --quiet - >&2
tar -xzf "$new/archive.tar.gz" -C "$new" --no-same-owner; rm -- "$new/archive.tar.gz"
sed -i "1s|^#!python|#!$1/venv/bin/python|" "$new"/venv/bin/healthv1-*
"$new/venv/bin/python" -m compileall -q -j 0 -s "$new" -p "$1" "$new/venv/lib" >&2 || true
(cd -- "$new"; listed=$({LISTING}); echo "$listed" > {COMPLETE}); sync -f "$new"
rm -rf -- "$1"; mv -T -- "$new" "$1"; sync -f "$1"
"""


@operation()
def install_release(releases: str, version: str, archive: Callable[[], Path]) -> Commands:
    """Have the release `version` complete in its folder. `archive` gives it, and is called only if needed."""
    is_complete = host.get_fact(Succeeds, test=is_intact(f"{releases}/{version}"))
    if is_complete:
        host.noop(f"release {version} is complete")
        return
    damaged = version in host.get_fact(CompleteReleases, releases=releases)
    why = "its files are not those that were installed" if damaged else ""
    plan = forecast()
    plan.announce(Change("release", f"{releases}/{version}", "install", why, becomes=version))
    plan.expect(f"{releases}/{version}/{COMPLETE}")
    data = archive().read_bytes() if plan.phase is Phase.EXECUTING else b""
    digest = hashlib.sha256(data).hexdigest()
    # pyinfra sends text on stdin, and its uploads lie readable under a predictable name for a while.
    yield StringCommand(
        *("sh", "-c", QuoteString(_INSTALL), "install", QuoteString(f"{releases}/{version}"), digest),
        _stdin=base64.encodebytes(data).decode(),
    )


@operation()
def prune_releases(releases: str, current: str, version: str, keep: int) -> Commands:
    """Remove the oldest releases beyond `keep`, once `current` leads to `version`: never the one that runs."""
    complete = host.get_fact(CompleteReleases, releases=releases)
    link = host.get_fact(PathState, path=current)
    running = link.content.rpartition("/")[2] if link and not forecast().pending(current) else version
    used = {version, running}
    idle = [release for release in complete if release not in used]
    old = idle[: max(0, len(idle) - (keep - 1))]
    if not old:
        host.noop(f"there are no more than {keep} releases")
        return
    for release in old:
        forecast().announce(Change("release", f"{releases}/{release}", "remove", was=release))
    yield StringCommand("rm", "-rf", "--", *(QuoteString(f"{releases}/{release}") for release in old))


@operation()
def stop_other_instances(ports: tuple[int, ...]) -> Commands:
    """Stop and disable the instances of the API that are on other ports."""
    instances = host.get_fact(Instances)
    other_units = {f"health-v1-api@{port}.service": state for port, state in instances.items() if port not in ports}
    if not other_units:
        host.noop("no other instance is there")
        return
    remaining = " and ".join(str(port) for port in ports if port in instances)
    effect = (
        f"requests go to {remaining} instead"
        if remaining
        else "the API on this host is away until the next instance runs"
    )
    for unit, state in other_units.items():
        why = "it is no longer among the instances"
        forecast().announce(Change("unit", unit, "stop", why, was=state, becomes="inactive", effect=effect))
    units = [QuoteString(unit) for unit in other_units]
    yield StringCommand("systemctl", "disable", "--now", "--", *units)
    # One that had failed, or that had to be killed, is else still known as failed.
    yield StringCommand("systemctl", "reset-failed", "--", *units, "2>/dev/null", "||", "true")
