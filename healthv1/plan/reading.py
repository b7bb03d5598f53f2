"""A plan that was kept in a file: the document that `plan --json` prints, or a saved plan that carries it."""

from __future__ import annotations

import json
from pathlib import Path

from healthv1.errors import Fault, Refused
from healthv1.plan.data import Plan


def read(path: Path) -> Plan:
    """Return the plan. Raises `Refused` for whatever is none. Its seal, if it has one, is not looked at."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        what = f"It cannot be read: {error.strerror}."
        raise Refused(Fault(str(path), what, "give the file that plan was kept in")) from None
    except (ValueError, RecursionError):
        raise Refused(Fault(str(path), "It is not a plan: it is no JSON.", "make it again")) from None
    inner = document.get("plan", document) if isinstance(document, dict) else document
    return Plan.from_json(inner, str(path))
