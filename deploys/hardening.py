"""Claims that every unit that holds secrets makes."""

from __future__ import annotations

from deploys.component import Check


def undumped(name: str, unit: str) -> Check:
    """Claim that a crash of the unit writes none of its memory to a disk."""
    limits = f"/proc/$(systemctl show -p MainPID --value {unit})/limits"
    return Check(
        f"{name} leaves no core dump",
        f"test \"$(awk '/^Max core file size/ {{print $5, $6}}' {limits})\" = '0 0'",
        f"run: healthv1 apply ENV; read: systemctl show -p LimitCORE {unit}",
    )
