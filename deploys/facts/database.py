"""Who owns a PostgreSQL database and its schema public, and who may do what there."""

from __future__ import annotations

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.facts import FactBase

from deploys.cluster import Cluster
from deploys.facts.cluster import ClusterAnswer, parse_answer, query_script

_DATABASE = """select json_build_object('owner', pg_get_userbyid(datdba), 'connectable', datallowconn,
  'own settings', exists(select from pg_db_role_setting s where s.setdatabase = d.oid and s.setrole = 0),
  'public', array(select privilege_type from aclexplode(coalesce(datacl, acldefault('d', datdba)))
    where grantee = 0 order by 1),
  'user', array(select privilege_type from aclexplode(datacl) where grantee = (
    select oid from pg_roles where rolname = '{user}') order by 1))
from pg_database d where datname = '{database}'"""
_SCHEMA = """select json_build_object('owner', pg_get_userbyid(nspowner),
  'public', array(select privilege_type from aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
    where grantee = 0 order by 1),
  'user', array(select privilege_type from aclexplode(nspacl) where grantee = (
    select oid from pg_roles where rolname = '{user}') order by 1))
from pg_namespace where nspname = 'public'"""


class DatabaseState(FactBase[ClusterAnswer]):
    """The first row is the database's, the second its schema public's; `public` and `user` list privileges."""

    default = ClusterAnswer

    def command(self, cluster: Cluster, database: str, user: str) -> StringCommand:
        names = {"database": database, "user": user}
        questions = (
            cluster.sql(_DATABASE.format(**names)),
            cluster.sql(_SCHEMA.format(**names), database),
        )
        return StringCommand("sh", "-c", QuoteString(query_script(cluster, *questions)))

    def process(self, output: list[str]) -> ClusterAnswer:
        return parse_answer(output)
