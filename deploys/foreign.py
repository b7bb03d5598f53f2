"""Things on a host that are not ours. A plan names them, and refuses unless `stack.adopt` lists them."""

from __future__ import annotations

from dataclasses import dataclass

from deploys.faults import Fault

GUIDE = "docs/brownfield.md says what happens to it"


@dataclass(frozen=True)
class Foreign:
    thing: str
    """How `stack.adopt` names it: "file /etc/nginx/nginx.conf", "cluster 17/main", "port 5432"."""
    what: str
    """One sentence: what is there, and who owns it as far as the host shows."""
    consequence: str
    """One sentence: what an apply would do to it, and what that means for its owner."""
    way_out: str = ""
    """One action, for a thing that is not adopted or not adoptable."""
    adoptable: bool = False

    def fault(self, host: str) -> Fault:
        adopt_hint = f'to let it be taken over, add "{self.thing}" to stack.adopt in group_data; {GUIDE}'
        hint = "; or ".join(part for part in (self.way_out, adopt_hint if self.adoptable else "") if part)
        return Fault(f"{host}: {self.thing}", f"{self.what} {self.consequence}", hint)
