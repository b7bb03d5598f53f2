"""What this program keeps on the host: small JSON files that are there whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from healthv1_backup.settings import METRICS, STATE


def write(name: str, document: dict[str, Any], folder: Path = STATE) -> None:
    replace(folder / f"{name}.json", json.dumps(document, indent=2, sort_keys=True) + "\n", 0o600)


def read(name: str, folder: Path = STATE) -> dict[str, Any]:
    """Return a note; an empty one where there is none, or none of ours."""
    try:
        document = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def remove(name: str, folder: Path = STATE) -> None:
    (folder / f"{name}.json").unlink(missing_ok=True)


def measure(name: str, values: dict[str, tuple[str, float]], folder: Path = METRICS) -> None:
    """Write metrics: by name, what one means and its value. Of one file all are written at once."""
    lines = [
        f"# HELP {metric} {meaning}\n# TYPE {metric} gauge\n{metric} {value:g}\n"
        if value < 1e6
        else f"# HELP {metric} {meaning}\n# TYPE {metric} gauge\n{metric} {value:.0f}\n"
        for metric, (meaning, value) in values.items()
    ]
    replace(folder / f"{name}.prom", "".join(lines), 0o644)


def replace(path: Path, text: str, mode: int) -> None:
    """Write a file beside, have it on the disk, and rename it."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
