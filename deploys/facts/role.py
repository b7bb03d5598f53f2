"""The attributes and memberships of PostgreSQL roles."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

from deploys.cluster import Cluster
from deploys.facts.cluster import ClusterAnswer, parse_answer, query_script

# To compare the password: the salt, and a digest of the SCRAM verifier instead of the verifier. Since PostgreSQL 16
# each membership has its own inherit option.
_QUERY = """select json_build_object('name', rolname,
  'login', rolcanlogin, 'superuser', rolsuper, 'createdb', rolcreatedb, 'createrole', rolcreaterole,
  'replication', rolreplication, 'bypassrls', rolbypassrls, 'inherit', rolinherit, 'connection limit', rolconnlimit,
  'expires', coalesce(isfinite(rolvaliduntil), false),
  'member of', array(select r.rolname || case when m.admin_option then ' as its admin' else '' end
    || case when to_jsonb(m)->>'inherit_option' = 'false' then ' without inheriting' else '' end
    from pg_auth_members m join pg_roles r on r.oid = m.roleid where m.member = a.oid order by 1),
  'own settings', exists(select from pg_db_role_setting s where s.setrole = a.oid),
  'salt', substring(rolpassword from '^SCRAM-SHA-256[$][0-9]+:[^$]+'),
  'digest', encode(sha256(convert_to(coalesce(rolpassword, ''), 'UTF8')), 'hex'))
from pg_authid a where rolname in ({}) order by rolname"""


class RoleState(FactBase[ClusterAnswer]):
    """One row for each of the roles that exist, ordered by name."""

    default = ClusterAnswer

    def command(self, cluster: Cluster, roles: tuple[str, ...]) -> StringCommand:
        query = cluster.sql(_QUERY.format(", ".join(f"'{role}'" for role in roles)))
        return StringCommand("sh", "-c", QuoteString(query_script(cluster, query)))

    def process(self, output: list[str]) -> ClusterAnswer:
        return parse_answer(output)
