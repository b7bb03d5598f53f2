"""Drills as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from healthv1.drill.evidence import DrillEvidence, HostEvidence
from healthv1.plan import counted

UNKNOWN = "unknown"


def lines(evidence: HostEvidence, last: int = 0) -> Iterator[str]:
    """Yield one host's drills, the last one at the end. + last: so many; 0: all."""
    if not evidence.drills:
        yield f"{evidence.host}: no drill ran yet"
    else:
        state = "signed by the pinned key, and the chain is whole" if evidence.believed else "not to be believed"
        yield f"{evidence.host}: {counted(len(evidence.drills), 'drill')}, {state}"
    for fault in evidence.faults:
        yield f"✗ {fault}"
    for drill in evidence.drills[-last:]:
        yield from drill_lines(drill)


def drill_lines(drill: DrillEvidence) -> Iterator[str]:
    content = drill.content
    mark = "✓" if drill.passed and not drill.faults else "✗"
    at = str(content.get("ended", ""))[:19].replace("T", " ")
    labels = ", ".join(str(restore["backup"]) for restore in content.get("restores", ()))
    times = f"  RPO {seconds(content.get('rpo_seconds'))}  RTO {seconds(content.get('rto_seconds'))}" if labels else ""
    words = f"{content.get('result', 'unreadable')}{times}{f'  backup {labels}' if labels else ''}"
    keys = f"with {content['keys']} keys" if content.get("keys") == "the host's" else f"with keys {content.get('keys')}"
    yield f"{mark} {drill.number}  {at} UTC  {content.get('asked_by', '')}, {keys}  {words}"
    yield from (f"      not to be believed: {fault}" for fault in drill.faults)
    yield from (f"      {why}" for why in content.get("why", ()))


def detail_lines(drill: DrillEvidence) -> Iterator[str]:
    """Yield what was tried, and what was found."""
    yield from drill_lines(drill)
    for restore in drill.content.get("restores", ()):
        yield from (f"      {line}" for line in restored_lines(restore))
    yield from (f"      {line}" for line in export_lines(drill.content.get("export") or {}))
    yield f"      sha256 {drill.digest}"


def restored_lines(restore: Mapping[str, Any]) -> Iterator[str]:
    proof = restore["proof"]
    yield f"repository {restore['repository']}: {restore['folder']}"
    yield f"  {restore['kind']} backup {restore['backup']} restored to {restore['target']}"
    yield f"  restored in {seconds(restore['seconds_to_restore'])}, served after {seconds(restore['seconds_to_serve'])}"
    yield f"  the newest row is {seconds(proof['lost'])} old, in timeline {proof['timeline']}"
    yield f"  schema {', '.join(proof['schema']) or 'none'}; sealed with master key {_joined(proof['master_keys'])}"
    rows = sum(table["copy"] or 0 for table in proof["tables"])
    yield f"  {counted(len(proof['tables']), 'table')}, {counted(rows, 'row')}; structures and page checksums tried"
    yield from (f"  {told}" for told in proof["told"])


def export_lines(export: Mapping[str, Any]) -> Iterator[str]:
    if "name" in export:
        hours = export["age"] / 3600
        yield f"export {export['name']}, {hours:.1f} h old: {export['size']} bytes and their digest were read back"
    if "rows" in export:
        took = seconds(export["seconds_to_restore"])
        yield f"  restored in {took}: {counted(export['rows'], 'row')} in {counted(export['tables'], 'table')}"


def seconds(value: Any) -> str:
    if not isinstance(value, (int, float)):
        return UNKNOWN
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"


def _joined(names: list[str]) -> str:
    return ", ".join(names) or "none"
