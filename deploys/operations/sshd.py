"""What we tell sshd reaches it, or is refused: a file that nobody reads would look like a deploy that worked."""

from __future__ import annotations

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.sshd import SshdFiles
from deploys.foreign import Foreign
from deploys.operations.change import Commands
from deploys.operations.foreign import refuse_foreign

INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf"


@operation()
def heeded(instead: str) -> Commands:
    """Refuse a host whose sshd does not read what we write.

    + instead: what its owner may do to keep it so.
    """
    if not host.get_fact(SshdFiles).includes:
        what = f"It does not say {INCLUDE}."
        follows = "What an apply would tell sshd would lie there unread."
        way_out = " or ".join(part for part in (f"put that line at its top{',' * bool(instead)}", instead) if part)
        refuse_foreign([Foreign("file /etc/ssh/sshd_config", what, follows, way_out)])
    host.noop("sshd reads what we tell it")
    yield from ()
