"""What each host keeps of the last apply that ended well: by it drift tells the host from the repository."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.host import Host

from deploys.facts.record import RECORD, Record
from deploys.operations.change import forget_promises
from healthv1 import operator
from healthv1.engine.looks import looks
from healthv1.engine.planner import learn
from healthv1.engine.session import Session
from healthv1.saved.digests import Digests
from healthv1.saved.look import Look

PLANS = 100  # saved plans that a host remembers; older ones have expired
SCHEMA = 1
_WRITE = f"""set -eu; umask 077
install -d -m 0700 {RECORD.rpartition("/")[0]}
new=$(mktemp {RECORD}.XXXXXXXX); trap 'rm -f "$new"' EXIT; cat > "$new"; mv -fT "$new" {RECORD}"""


def read(session: Session) -> None:
    """Note in the session what each host keeps. Asked together with a plan this costs no round trip."""

    def ask(host: Host) -> None:
        session.known[host.name] = host.get_fact(Record, _sudo=True)

    session.on_each(ask)


def keep(session: Session, digests: Digests, plan_id: str = "", *, changed: bool) -> None:
    """Have each host keep what is true of it now. Where nothing is new, nothing is written.

    + changed: operations ran, so that hosts have to be asked what was not asked since.
    """
    if changed:
        for host in session.hosts:
            forget_promises(host)
        learn(session, anew=False)
    found = looks(session, digests)

    def write(host: Host) -> None:
        known = session.known.get(host.name, {})
        document = _document([look for look in found if look.host == host.name], digests)
        if not plan_id and not changed and all(known.get(name) == value for name, value in document.items()):
            return
        arguments = {"_sudo": True, "_timeout": 60, "_stdin": json.dumps(_signed(document, known, plan_id))}
        done, output = host.run_shell_command(StringCommand("sh", "-c", QuoteString(_WRITE)), **arguments)
        if not done:
            raise RuntimeError(f"what was applied could not be noted: {'; '.join(output.stderr_lines)}")

    session.on_each(write)


def _document(found: list[Look], digests: Digests) -> dict[str, Any]:
    desired = {look.name: look.desired for look in found}
    return {
        "schema": SCHEMA,
        "key": digests.name,
        "desired": desired,
        "asked": {look.name: look.asked for look in found},
    }


def _signed(document: dict[str, Any], known: dict[str, Any], plan_id: str) -> dict[str, Any]:
    mark = {"at": datetime.now(timezone.utc).isoformat(timespec="seconds"), "by": operator.name()}
    plans = [*known.get("plans", ()), *([{"id": plan_id, **mark}] if plan_id else ())]
    return {**document, **mark, "revision": operator.revision(), "plans": plans[-PLANS:]}
