"""What is on a host and is not ours: named in a plan, and refused unless `stack.adopt` names it."""

from __future__ import annotations

from dataclasses import dataclass

from deploys.faults import Fault

GUIDE = "docs/brownfield.md says what happens to it"


@dataclass(frozen=True)
class Foreign:
    thing: str
    """How `stack.adopt` names it: "file /etc/nginx/nginx.conf", "cluster 17/main", "port 5432"."""
    what: str
    """One sentence: what is there, and whose it is as far as the host tells."""
    consequence: str
    """One sentence: what an apply would do to it, and what that means for its owner."""
    way_out: str = ""
    """One action, when it is not to be adopted, or cannot be."""
    adoptable: bool = False

    def fault(self, host: str) -> Fault:
        adopt_hint = f'to let it be taken over, add "{self.thing}" to stack.adopt in group_data; {GUIDE}'
        hint = "; or ".join(part for part in (self.way_out, adopt_hint if self.adoptable else "") if part)
        return Fault(f"{host}: {self.thing}", f"{self.what} {self.consequence}", hint)
