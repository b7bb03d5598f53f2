"""The evidence of restore drills: a file for each, which names the digest of the one before, and a signature beside it.

The key is the host's own. Whoever is root here can sign what he likes from then on; what somebody else noted of an
earlier file, its digest, he cannot change.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healthv1_backup import notes
from healthv1_backup.processes import Failed
from healthv1_backup.settings import STATE

FOLDER = STATE.parent / "drills"
KEY = Path("/etc/health-v1/drill_key")
"""An SSH key (ed25519) that signs drills and opens nothing."""
NAMESPACE = "healthv1-drill"
BEGINNING = "0" * 64
_FILE = re.compile(r"(\d{6})\.json")


@dataclass(frozen=True)
class Head:
    """The newest evidence."""

    number: int = 0
    digest: str = BEGINNING


def numbers(folder: Path = FOLDER) -> list[int]:
    """Return the numbers of the drills that left evidence, ascending."""
    if not folder.is_dir():
        return []
    return sorted(int(match[1]) for path in folder.iterdir() if (match := _FILE.fullmatch(path.name)))


def head(folder: Path = FOLDER) -> Head:
    numbers_there = numbers(folder)
    return Head(numbers_there[-1], digest(_path(numbers_there[-1], folder).read_bytes())) if numbers_there else Head()


def write(document: dict[str, Any], folder: Path = FOLDER, key: Path = KEY) -> dict[str, Any]:
    """Chain, sign and keep what a drill found; return it with its number. Raises `Failed`, with nothing kept.

    The signature comes first: killed in between there is no evidence yet, and the next one takes the number.
    """
    before = head(folder)
    document = {"number": before.number + 1, "previous": before.digest, **document}
    text = json.dumps(document, indent=2, ensure_ascii=True) + "\n"
    path = _path(before.number + 1, folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    notes.replace(path.with_suffix(".sig"), sign(text, key), 0o600)
    notes.replace(path, text, 0o600)
    return document


def sign(text: str, key: Path = KEY) -> str:
    """Return an SSH signature. Raises `Failed`."""
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE]
    try:
        ended = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=30)
    except OSError as error:
        raise Failed(f"the evidence cannot be signed: {error.strerror}") from None
    if ended.returncode:
        raise Failed(f"the evidence cannot be signed: {ended.stderr.strip()}")
    return ended.stdout


def public_key(key: Path = KEY) -> str:
    """Return the public key; empty before there is one."""
    try:
        return key.with_name(f"{key.name}.pub").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def kept(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return all evidence as it lies there, the oldest first."""
    return [{"number": number, **_texts(_path(number, folder))} for number in numbers(folder)]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _texts(path: Path) -> dict[str, str]:
    signature = path.with_suffix(".sig")
    return {
        "text": path.read_text(encoding="utf-8", errors="replace"),
        "signature": signature.read_text(encoding="utf-8", errors="replace") if signature.is_file() else "",
    }


def _path(number: int, folder: Path) -> Path:
    return folder / f"{number:06}.json"
