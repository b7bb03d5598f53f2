"""Every component with its defaults: the guide's values. An environment's own file overrides them."""

from deploys.api.settings import Api
from deploys.backup.settings import Backup
from deploys.fail2ban.settings import Fail2ban
from deploys.nginx.settings import Nginx
from deploys.pgbouncer.settings import Pgbouncer
from deploys.postgresql.settings import Postgresql
from deploys.preflight.settings import Preflight
from deploys.redis.settings import Redis
from deploys.rollout import Rollout
from deploys.sshd.settings import Sshd
from deploys.ufw.settings import Ufw
from deploys.user.settings import User
from healthv1.release import Bundled

_sudo = True
_timeout = 900  # seconds; without a limit a hanging command would hang the run
ssh_strict_host_key_checking = "yes"

preflight = Preflight()
user = User()
postgresql = Postgresql()
redis = Redis()
backup = Backup()  # name a repository: plan and verify ask for one
pgbouncer = Pgbouncer()
api = Api(release=Bundled())
nginx = Nginx()
ufw = Ufw()
fail2ban = Fail2ban()
sshd = Sshd()
rollout = Rollout()
