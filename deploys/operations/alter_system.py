"""Nothing is set by ALTER SYSTEM: one writer only, and its files can be reviewed."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.cluster import Cluster
from deploys.facts.altered import REPLICATION, AlteredSettings
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast

# $1 postgresql.auto.conf, $2 a file to touch when only a restart takes back what was set. The file is edited, for it
# works also while the server is down; the server itself replaces it whole.
_RESET = f"""set -eu; umask 077
[ -z "$2" ] || touch -- "$2"
tmp=$(mktemp -- "$1.XXXXXXXX"); trap 'rm -f -- "$tmp"' EXIT; trap 'exit 1' HUP INT TERM
grep -E '^(#|{REPLICATION})' "$1" > "$tmp" || true
chown --reference="$1" -- "$tmp"; chmod --reference="$1" -- "$tmp"; mv -fT -- "$tmp" "$1\""""


@operation()
def reset_alter_system(cluster: Cluster, restart: str) -> Commands:
    """Take back what ALTER SYSTEM has set. The cluster's unit has to reload for it.

    + restart: a file that the cluster's unit restarts on; it is touched when a reload is not enough.
    """
    state = host.get_fact(AlteredSettings, cluster=cluster)
    if not state.names:
        host.noop("ALTER SYSTEM has set nothing")
        return
    plan, values = forecast(), {"was": "set by hand", "becomes": "what our configuration says"}
    for name in state.names:  # no values: they may be secret
        plan.announce(Change("setting", name, "reset", f"ALTER SYSTEM set it in {cluster.auto_conf}", **values))
    plan.expect(cluster.auto_conf)
    if state.need_restart:
        plan.expect(restart)
    marker = restart if state.need_restart else ""
    yield StringCommand(
        "sh", "-c", QuoteString(_RESET), "reset", *(QuoteString(part) for part in (cluster.auto_conf, marker))
    )
