"""What is run on a host to make a cluster, to try its configuration, and to see whether it serves with it."""

from __future__ import annotations

from deploys.cluster import NAME, Cluster
from deploys.marks import has_mark, mark
from deploys.paths import UNFINISHED_CLUSTER

# The owner's defaults for new clusters are not for ours. It is started with the host once it is whole and configured.
_CREATE = (
    "pg_createcluster --createclusterconf=/dev/null -o include_dir=conf.d --locale C.UTF-8 --start-conf manual"
    " -p {port} {version} {name} -- --data-checksums >&2"
)


def is_made(cluster: Cluster) -> str:
    """Return a test that succeeds when the cluster was made whole."""
    return f"test -s {cluster.data}/global/pg_control && test -d {cluster.configuration} && ! {_is_unfinished(cluster)}"


def _is_unfinished(cluster: Cluster) -> str:
    return f'test "$(cat {UNFINISHED_CLUSTER} 2>/dev/null)" = {cluster}'


def make_cluster(cluster: Cluster) -> str:
    """Return shell that makes the cluster; what a killed run left is thrown away, one that still runs is waited for.

    Nothing is thrown away, or made anew, that ever served, for a disk may not be mounted; and nothing that was there
    before our mark: the mark is written by the run that finds the place vacant.
    """
    conf, data = cluster.configuration, cluster.data
    is_ours = "true" if cluster.name != NAME else has_mark("cluster", cluster.name)  # earlier versions left no mark
    create = _CREATE.format(port=cluster.port, version=cluster.version, name=cluster.name)
    return f"""exec 9>{UNFINISHED_CLUSTER}.lock; flock -w 300 9
refuse() {{ echo "$1" >&2; exit 1; }}
vacant() {{ [ ! -L "$1" ] && {{ [ ! -e "$1" ] || [ -z "$(ls -A -- "$1")" ]; }}; }}
if ! {{ {is_made(cluster)}; }}; then
if [ -e {cluster.served_marker} ] && {{ {_is_unfinished(cluster)} || [ ! -s {data}/global/pg_control ]; }}; then
refuse "{data} served before and is not whole: mount or restore it; to begin anew, remove {cluster.served_marker}"; fi
if {is_ours} && {_is_unfinished(cluster)}; then
[ ! -e {data}/postmaster.opts ] || refuse "{cluster} was started before it was whole: if nothing is in it that anybody \
needs, stop it and remove {data}/postmaster.opts"
rm -rf --one-file-system -- {data} {conf}; fi
if {is_ours} && [ -s {data}/global/pg_control ] && vacant {conf}; then {_configuration(cluster)}
else
for at in {data} {conf}; do vacant "$at" || refuse "$at holds what is not ours: move it elsewhere"; done
echo {cluster} > {UNFINISHED_CLUSTER}; sync -f {UNFINISHED_CLUSTER}
{mark("cluster", cluster.name)}
{create}
sync -f {data}; rm -f {UNFINISHED_CLUSTER}
fi
fi"""


def _configuration(cluster: Cluster) -> str:
    """Return shell that makes a place for the lost configuration of a cluster that has its data.

    pg_createcluster would remove both when it fails.
    """
    folder = cluster.configuration
    return (
        f"install -d -o postgres -g postgres {folder} {folder}/conf.d;"
        f" install -o postgres -g postgres -m 0640 /dev/null {folder}/pg_ident.conf"
    )


def is_enabled(cluster: Cluster) -> str:
    """Return a test that succeeds when the cluster starts with the host by itself.

    By way of postgresql.service it would as well, but that starts what its owner stopped, and may be off.
    """
    return f'test "$(systemctl is-enabled {cluster.unit} 2>/dev/null)" = enabled'


def is_acceptable(cluster: Cluster) -> str:
    """Return a test that succeeds when PostgreSQL could start with the files on disk. It touches no running one."""
    return f"{_parses(cluster, f'{cluster.configuration}/postgresql.conf')} && {is_valid_hba(cluster)}"


def is_valid_file(cluster: Cluster) -> str:
    """Return a test of one file of parameters at `$1`, alone: other files' faults do not keep it from being mended."""
    return _parses(cluster, '"$1"')


def _parses(cluster: Cluster, file: str) -> str:
    # Root may ask so; the file lies where postgres may not go before it is put in its place.
    return (
        f"/usr/lib/postgresql/{cluster.version}/bin/postgres -C port -D {cluster.data} -c config_file={file} >/dev/null"
    )


def is_valid_hba(cluster: Cluster) -> str:
    """Return a test that succeeds when pg_hba.conf on disk has no fault."""
    count_faults = cluster.sql("select count(*) from pg_hba_file_rules where error is not null")
    # A cluster that is down cannot tell; it reads the file when it starts.
    return f'wrong=$({count_faults} 2>/dev/null || echo 0) && test "$wrong" = 0'


def in_force_condition(cluster: Cluster) -> str:
    """Return an SQL condition: the cluster runs with exactly what stands in its files."""
    our_files = f"{cluster.configuration}/conf.d/zz-%"
    files = ("postgresql.conf", "conf.d/zz-health-v1-restart.conf", "conf.d/zz-health-v1-reload.conf", "pg_hba.conf")
    written = ", ".join(f"(pg_stat_file('{cluster.configuration}/{file}')).modification" for file in files)
    return f"""pg_conf_load_time() >= greatest({written})
  and not exists(select from pg_settings where pending_restart)
  and not exists(select from pg_file_settings f left join pg_settings s on s.name = f.name where f.error is not null
    or (f.sourcefile like '{our_files}' and s.sourcefile is distinct from f.sourcefile))"""  # noqa: S608 - our own paths


def is_serving(cluster: Cluster) -> str:
    """Return a test that succeeds when the cluster serves with exactly what stands in its files."""
    return cluster.holds(in_force_condition(cluster))


def make_certificate(cluster: Cluster) -> str:
    """Return shell that makes the host's key and a certificate of its own for it: TLS without a third party."""
    folder = cluster.configuration
    return f"""umask 077; tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=$(hostname)" \
  -keyout "$tmp/key" -out "$tmp/crt" 2>/dev/null
install -o postgres -g postgres -m 0600 "$tmp/key" {folder}/server.key
install -o postgres -g postgres -m 0644 "$tmp/crt" {folder}/server.crt"""


def has_valid_certificate(cluster: Cluster) -> str:
    """Return a test that succeeds when key and certificate belong together and last another month."""
    key, crt = f"{cluster.configuration}/server.key", f"{cluster.configuration}/server.crt"
    return (
        f'test "$(stat -c "%a %U" {key})" = "600 postgres" && key=$(openssl pkey -pubout -in {key}) && '
        f"told=$(openssl x509 -checkend 2592000 -pubkey -noout -in {crt}) && "
        'case "$told" in *"$key"*) ;; *) false;; esac'
    )
