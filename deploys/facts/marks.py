"""The marks of ours that stand on a host, those of earlier versions among them."""

from __future__ import annotations

from pyinfra.api.facts import FactBase

from deploys.marks import MANAGED, OURS
from deploys.stamps import APPLIED

# Up to revision df5e1d9 things had the distribution's names and no marks: stamps and first lines tell that they are
# ours. A mark that stands is the last to be printed, and counts.
_STATE = rf"""managed() {{ head -n 2 -- "$1" 2>/dev/null | grep -qF '{MANAGED}'; }}
for stamp in {APPLIED}/postgresql@*-main.service.restart /var/lib/health-v1/postgresql.unfinished; do
  [ ! -e "$stamp" ] || echo cluster=main; done
for file in /etc/postgresql/*/main/conf.d/zz-health-v1-restart.conf; do ! managed "$file" || echo cluster=main; done
if [ -e {APPLIED}/redis-server.service.restart ] || managed /etc/redis/redis.conf; then echo redis=redis-server; fi
if [ -e {APPLIED}/pgbouncer.service.restart ] || managed /etc/pgbouncer/pgbouncer.ini; then echo pgbouncer=pgbouncer; fi
! managed /etc/nginx/nginx.conf || echo nginx=nginx
hook=/etc/letsencrypt/renewal-hooks/deploy/serve-certificate
! managed $hook || sed -n 's#^lineage=/etc/letsencrypt/live/\([^ ]*\) .*#lineage=\1#p' $hook
! managed /etc/ufw/ufw.conf || echo firewall=ufw
api=/etc/systemd/system/health-v1-api@.service
! managed $api || sed -n 's/^User=/account=/p; s/^WorkingDirectory=/home=/p' $api
cd {OURS} 2>/dev/null || exit 0
for mark in *; do case $mark in \*|*.new|files) ;; *) printf '%s=%s\n' "$mark" "$(head -n 1 "$mark")";; esac; done"""


class Marks(FactBase[dict[str, str]]):
    """A mark's name to the name of what is ours: `{"cluster": "health"}`; empty on a host that is new to us."""

    default = dict

    def command(self) -> str:
        return f"({_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> dict[str, str]:
        return dict(line.split("=", 1) for line in output if "=" in line)
