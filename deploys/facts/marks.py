"""The marks on a host, including those derived from earlier versions."""

from __future__ import annotations

from pyinfra.api.facts import FactBase

from deploys.marks import MANAGED
from deploys.paths import MARKS, STAMPS

# Up to revision df5e1d9 our things had the distribution's names and no marks: stamps and first lines identify them. If
# marks get lost, first lines identify things with our name as well. Existing marks are printed last, and override.
_STATE = rf"""managed() {{ head -n 2 -- "$1" 2>/dev/null | grep -qF '{MANAGED}'; }}
for file in /etc/postgresql/*/*/conf.d/zz-health-v1-restart.conf; do name=${{file%/conf.d/*}}
  ! managed "$file" || echo "cluster=${{name##*/}}"; done
for stamp in {STAMPS}/postgresql@*-*.service.restart; do name=${{stamp##*/postgresql@*-}}
  [ ! -e "$stamp" ] || echo "cluster=${{name%.service.restart}}"; done
if [ -e {STAMPS}/redis-server.service.restart ] || managed /etc/redis/redis.conf; then echo redis=redis-server; fi
if [ -e {STAMPS}/pgbouncer.service.restart ] || managed /etc/pgbouncer/pgbouncer.ini; then echo pgbouncer=pgbouncer; fi
! managed /etc/redis/redis-health-v1.conf || echo redis=redis-server@health-v1
! managed /etc/pgbouncer/health-v1.ini || echo pgbouncer=health-v1-pgbouncer
if [ -e {STAMPS}/nginx.service.restart ] || managed /etc/nginx/nginx.conf; then echo nginx=nginx; fi
hook=/etc/letsencrypt/renewal-hooks/deploy/serve-certificate
! managed $hook || sed -n 's#^lineage=/etc/letsencrypt/live/\([^ ]*\) .*#lineage=\1#p' $hook
! managed /etc/ufw/ufw.conf || echo firewall=ufw
! managed /etc/fail2ban/jail.d/health-v1.local || echo fail2ban=former
api=/etc/systemd/system/health-v1-api@.service
! managed $api || sed -n 's/^User=/account=/p; s/^WorkingDirectory=/home=/p' $api
cd {MARKS} 2>/dev/null || exit 0
for mark in *; do case $mark in \*|*.new|files) ;; *) printf '%s=%s\n' "$mark" "$(head -n 1 "$mark")";; esac; done"""


class Marks(FactBase[dict[str, str]]):
    """Mark to value: `{"cluster": "health"}`; empty on a new host."""

    default = dict

    def command(self) -> str:
        return f"({_STATE}) 2>/dev/null || true"

    def process(self, output: list[str]) -> dict[str, str]:
        return dict(line.split("=", 1) for line in output if "=" in line)
