"""The file of a saved plan: snapshots, steps and expiry, sealed with the environment's plan key.

It has one canonical text, so that any altered byte is detected. It holds no secret.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from healthv1.errors import Fault, Refused
from healthv1.plan.digests import Digests
from healthv1.plan.snapshot import Snapshot
from healthv1.workspace import project, provenance

SCHEMA = 1
KIND = "healthv1 saved plan"
AHEAD = timedelta(minutes=5)
"""The allowed difference between the clocks of the planning and the applying machine."""


@dataclass(frozen=True)
class Saved:
    environment: str
    limit: tuple[str, ...]
    made: datetime
    expires: datetime
    key: str
    """The name of the plan key that seals it."""
    settings: dict[str, dict[str, str]]
    """By host: what group_data and the inventory say of it, each as a digest."""
    operations: tuple[Snapshot, ...]
    plan: dict[str, Any]
    by: str = field(default_factory=provenance.name)
    revision: str = field(default_factory=provenance.revision)
    """Of the project, for people: what it led to is compared, not the revision itself."""
    toolkit: str = field(default_factory=provenance.toolkit)
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    kind: str = KIND
    schema: int = SCHEMA
    seal: str = ""

    def sealed(self, digests: Digests) -> Saved:
        return replace(self, seal=digests.seal(self._unsealed()))

    @property
    def again(self) -> str:
        """What makes another."""
        return again(self.environment, self.limit)

    def text(self) -> str:
        """Return the file's only form."""
        document = asdict(self) | {"made": self.made.isoformat(), "expires": self.expires.isoformat()}
        return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def refusals(self, digests: Digests, at: datetime) -> Iterator[Fault]:
        """Yield a fault for a wrong key, a broken seal, and a time before or after its term."""
        if self.key != digests.name:
            what = f"It was sealed with another plan_key than {self.environment} has now."
            yield Fault(self.id, what, self.again)
        elif not secrets.compare_digest(self.seal, digests.seal(self._unsealed())):
            yield Fault(self.id, "It was altered after it was saved.", self.again)
        if at >= self.expires:
            yield Fault(self.id, f"It expired at {clock(self.expires)}.", self.again)
        if at < self.made - AHEAD:
            yield Fault(self.id, f"It was saved in the future, at {clock(self.made)}.", "set this machine's clock")

    def _unsealed(self) -> str:
        return replace(self, seal="").text()


_documents = TypeAdapter(Saved)


def read(path: Path) -> Saved:
    """Read a saved plan. `refusals` checks its seal and term. Raises `Refused` when the file is no saved plan."""
    text = ""
    try:
        text = path.read_bytes().decode()
        document = json.loads(text)
        _refuse_other_schemas(document, path)
        plan = _documents.validate_python(document)
        if plan.text() == text:
            return plan
        what = "It was altered after it was saved."
    except OSError as error:
        raise Refused(Fault(str(path), f"It cannot be read: {error.strerror}.", "name the file of --out")) from None
    except (ValidationError, ValueError, RecursionError):
        what = "It is not a saved plan, or it was altered."
    raise Refused(Fault(str(path), what, again(_environment(text))))


def again(environment: str, limit: Sequence[str] = ()) -> str:
    limits = "".join(f"--limit {pattern} " for pattern in limit)
    return f"save a new one: healthv1 plan {environment} {limits}--out plan.json"


def _environment(text: str) -> str:
    """Return what a file that is not to be trusted names as its environment, if there is one of that name."""
    return next((name for name in project.environments() if f'"environment": "{name}"' in text), "ENV")


def _refuse_other_schemas(document: Any, path: Path) -> None:
    schema = document.get("schema") if isinstance(document, dict) and document.get("kind") == KIND else None
    if isinstance(schema, int) and schema > SCHEMA:
        what = f"A newer healthv1 saved it: its schema is {schema}, and this one reads {SCHEMA}."
        raise Refused(Fault(str(path), what, "use the version that saved it"))


def now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
