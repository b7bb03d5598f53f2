"""Everything that is written into PostgreSQL's files: what takes a restart in one, what takes a reload in the other."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from deploys.archiving import Archiving
from deploys.cluster import Cluster
from deploys.postgresql.settings import Postgresql, Reading
from deploys.postgresql.tuning import GIB, MachineShape, Parameters, memory_parameters, parallel_parameters
from deploys.stack import LOOPBACK, Topology

# pg_settings, context "postmaster", PostgreSQL 14 to 17.
RESTART_PARAMETERS = frozenset(
    """archive_mode autovacuum_freeze_max_age autovacuum_max_workers autovacuum_multixact_freeze_max_age bonjour
    bonjour_name cluster_name commit_timestamp_buffers data_sync_retry dynamic_shared_memory_type event_source
    external_pid_file hot_standby huge_page_size huge_pages ident_file ignore_invalid_pages jit_provider
    listen_addresses logging_collector max_connections max_files_per_process max_locks_per_transaction
    max_logical_replication_workers max_notify_queue_pages max_pred_locks_per_transaction max_prepared_transactions
    max_replication_slots max_wal_senders max_worker_processes min_dynamic_shared_memory multixact_member_buffers
    multixact_offset_buffers notify_buffers old_snapshot_threshold port recovery_target recovery_target_action
    recovery_target_inclusive recovery_target_lsn recovery_target_name recovery_target_time recovery_target_timeline
    recovery_target_xid reserved_connections serializable_buffers shared_buffers shared_memory_type
    shared_preload_libraries subtransaction_buffers superuser_reserved_connections track_activity_query_size
    track_commit_timestamp transaction_buffers unix_socket_directories unix_socket_group unix_socket_permissions
    wal_buffers wal_decode_buffer_size wal_level wal_log_hints""".split()  # noqa: SIM905 - read in lines
)

AUDIT: Parameters = {
    "log_connections": "on",
    "log_disconnections": "on",
    "log_line_prefix": "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "log_timezone": "Etc/UTC",
    "log_checkpoints": "on",
    "log_lock_waits": "on",
    # What was done to which table, by whom; never the statement and its values.
    "pgaudit.log": "ddl, role, write",
    "pgaudit.log_catalog": "off",
    "pgaudit.log_parameter": "off",
    "pgaudit.log_relation": "on",
    "pgaudit.log_statement": "off",
    "log_statement": "none",
    "log_duration": "off",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_hostname": "off",
}
"""The guide's audit without patients' data and passwords. The message of a failed cast alone still quotes its input."""


def parameters(
    settings: Postgresql,
    topology: Topology,
    cluster: Cluster,
    shape: MachineShape,
    reading: Reading | None = None,
    archiving: Archiving | None = None,
) -> Mapping[str, str]:
    """Return every parameter by name: computed ones first, then what the settings want otherwise."""
    memory = int(settings.memory * GIB) if settings.memory else shape.memory
    shape = MachineShape(memory, shape.cores, shape.disk, shape.rotational)
    return {
        "listen_addresses": ", ".join(listen_addresses(topology, reading)),
        "port": str(cluster.port),
        "max_connections": str(settings.max_connections),
        "shared_preload_libraries": "pgaudit",
        **memory_parameters(shape, settings.max_connections),
        **parallel_parameters(shape.cores),
        "password_encryption": "scram-sha-256",
        "ssl": "on",
        "ssl_cert_file": f"{cluster.configuration}/server.crt",
        "ssl_key_file": f"{cluster.configuration}/server.key",
        "ssl_min_protocol_version": "TLSv1.2",
        **AUDIT,
        "log_min_duration_statement": str(settings.log_slow_statements),
        **settings.parameters,
        **(archiving.parameters() if archiving else {}),
    }


def restart_file(parameters: Mapping[str, str]) -> str:
    return _file({name: value for name, value in parameters.items() if name in RESTART_PARAMETERS})


def reload_file(parameters: Mapping[str, str]) -> str:
    return _file({name: value for name, value in parameters.items() if name not in RESTART_PARAMETERS})


def _file(parameters: Mapping[str, str]) -> str:
    lines = [f"{name} = {_quoted(value)}\n" for name, value in parameters.items()]
    return "# Managed by healthv1: change group_data and apply, not this file.\n" + "".join(lines)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def listen_addresses(topology: Topology, reading: Reading | None = None) -> tuple[str, ...]:
    """Return where PostgreSQL listens: on the private address only for whom there is elsewhere."""
    return (LOOPBACK, topology.own) if topology.remote(topology.api) or reading else (LOOPBACK,)


def vault_networks(reading: Reading | None) -> tuple[str, ...]:
    """Return where Vault connects from, as pg_hba.conf names it."""
    return tuple(_network(address) for address in reading.vault_addresses) if reading else ()


def api_networks(topology: Topology) -> tuple[str, ...]:
    """Return the API hosts on other machines, as pg_hba.conf names them."""
    return tuple(_network(address) for address in topology.remote(topology.api))


def _network(address: str) -> str:
    try:
        return str(ipaddress.ip_network(address))
    except ValueError:
        return address  # a name, which PostgreSQL looks up in both directions
