"""PostgreSQL's parameters, files and verifiers: computed, so they can be tried without a server."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deploys.cluster import Cluster
from deploys.component import template
from deploys.credentials import scram
from deploys.facts.cluster import parse_answer
from deploys.facts.role import RoleState
from deploys.faults import Refused
from deploys.postgresql.configuration import RESTART_PARAMETERS, api_networks, parameters, reload_file, restart_file
from deploys.postgresql.settings import Postgresql
from deploys.postgresql.tuning import GIB, MIB, MachineShape, memory_parameters, nominal_memory, parallel_parameters
from deploys.stack import Stack, Topology

GUIDE = {
    "shared_buffers": "2GB",
    "effective_cache_size": "6GB",
    "maintenance_work_mem": "512MB",
    "checkpoint_completion_target": "0.9",
    "wal_buffers": "16MB",
    "default_statistics_target": "100",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "200",
    "work_mem": "10MB",
    "min_wal_size": "1GB",
    "max_wal_size": "4GB",
}
GUIDES_HOST = MachineShape(memory=8 * GIB, cores=4, disk=100 * 10**9, rotational=False)
CLUSTER = Cluster(17, 5432)
ALONE = Topology.seen_from("10.0.0.1", {"database": ["10.0.0.1"], "api": ["10.0.0.1"]})
APART = Topology.seen_from("10.0.0.1", {"database": ["10.0.0.1"], "api": ["10.0.0.2", "fd00::2"]})
STACK = Stack(domain="api.example.com")


@pytest.mark.parametrize("memory", [8 * GIB, 8323072000, int(7.57 * GIB)])
def test_a_host_like_the_guides_gets_exactly_the_guides_values(memory):
    assert memory_parameters(MachineShape(memory, 4, 100 * 10**9, rotational=False), 100) == GUIDE


def _bytes(text):
    return int(text[:-2]) * {"MB": MIB, "GB": GIB}[text[-2:]]


@given(
    memory=st.integers(512 * MIB, 512 * GIB),
    cores=st.integers(1, 256),
    disk=st.integers(10**9, 10**14),
    rotational=st.booleans(),
    connections=st.integers(20, 5000),
)
@example(memory=GIB, cores=1, disk=10**10, rotational=True, connections=100)
@example(memory=256 * GIB, cores=64, disk=10**13, rotational=False, connections=200)
def test_tuning_is_sane_for_any_host(memory, cores, disk, rotational, connections):
    found = memory_parameters(MachineShape(memory, cores, disk, rotational), connections)
    assert set(found) == set(GUIDE)
    size = {name: _bytes(value) for name, value in found.items() if value[-1] == "B"}
    assert min(size.values()) >= MIB
    sold = nominal_memory(memory)
    assert size["shared_buffers"] <= sold // 4
    assert size["shared_buffers"] < size["effective_cache_size"] <= sold
    assert 4 * MIB <= size["work_mem"] <= GIB
    assert size["work_mem"] == 4 * MIB or size["work_mem"] * connections <= sold
    assert size["maintenance_work_mem"] <= max(2 * GIB, 32 * MIB)
    assert size["wal_buffers"] <= 16 * MIB
    # A quarter of a gigabyte of log fits on any disk; more never takes more than a twentieth.
    assert size["min_wal_size"] < size["max_wal_size"] <= max(256 * MIB, disk // 20)
    assert (found["random_page_cost"] == "4") == rotational
    workers = {name: int(value) for name, value in parallel_parameters(cores).items()}
    assert workers["max_parallel_workers"] <= workers["max_worker_processes"]
    assert workers["max_parallel_workers_per_gather"] <= max(1, cores)


@given(less=st.integers(512 * MIB, 256 * GIB), more=st.integers(0, 256 * GIB))
def test_more_memory_never_gives_less(less, more):
    def sizes(memory):
        found = memory_parameters(MachineShape(memory, 4, 10**12, rotational=False), 100)
        return [_bytes(found[name]) for name in ("shared_buffers", "work_mem", "maintenance_work_mem", "wal_buffers")]

    assert all(small <= large for small, large in zip(sizes(less), sizes(less + more), strict=True))


def test_every_value_can_be_another_and_each_stands_in_one_file():
    settings = Postgresql(parameters={"work_mem": "32MB", "shared_buffers": "1GB", "search_path": "it's"})
    wanted = parameters(settings, ALONE, CLUSTER, GUIDES_HOST)
    assert (wanted["work_mem"], wanted["shared_buffers"]) == ("32MB", "1GB")
    assert "shared_buffers = '1GB'\n" in restart_file(wanted)
    assert "work_mem = '32MB'\n" in reload_file(wanted)
    assert "search_path = 'it''s'\n" in reload_file(wanted)
    assert len(restart_file(wanted).splitlines()) + len(reload_file(wanted).splitlines()) == len(wanted) + 2
    assert {
        "port",
        "listen_addresses",
        "max_connections",
        "shared_preload_libraries",
        "wal_buffers",
    } <= RESTART_PARAMETERS


def test_memory_can_be_set_and_the_log_says_no_values():
    wanted = parameters(Postgresql(memory=1), ALONE, CLUSTER, GUIDES_HOST)
    assert wanted["shared_buffers"] == "256MB"
    assert wanted["log_min_duration_statement"] == "-1"
    assert (wanted["log_statement"], wanted["pgaudit.log_statement"]) == ("none", "off")


@pytest.mark.parametrize(
    "name",
    ["log_statement", "pgaudit.log_parameter", "listen_addresses", "max_connections", "ssl", "debug_print_parse"],
)
def test_what_would_open_or_leak_cannot_be_set(name):
    with pytest.raises(Refused, match=f"{name} is not free"):
        Postgresql(parameters={name: "on"})


@pytest.mark.parametrize("parameters", [{"work_mem = '1MB'\nssl": "off"}, {"work_mem": "1MB'\nssl = 'off"}, {"A": "1"}])
def test_a_parameter_is_one_name_and_one_line(parameters):
    with pytest.raises(Refused):
        Postgresql(parameters=parameters)


def test_it_listens_on_loopback_alone_unless_an_api_is_elsewhere():
    assert parameters(Postgresql(), ALONE, CLUSTER, GUIDES_HOST)["listen_addresses"] == "127.0.0.1"
    assert parameters(Postgresql(), APART, CLUSTER, GUIDES_HOST)["listen_addresses"] == "127.0.0.1, 10.0.0.1"


def test_other_hosts_are_let_in_by_tls_and_scram_alone():
    rules = [
        line.split()
        for line in template("postgresql/pg_hba.conf", stack=STACK, peers=api_networks(APART), vault=())().splitlines()
        if not line.startswith("#")
    ]
    assert rules[0] == ["local", "all", "postgres", "peer"]
    assert {rule[-1] for rule in rules[1:]} == {"scram-sha-256"}
    assert {rule[1] for rule in rules[1:]} == {STACK.database}
    remote = {rule[3] for rule in rules if rule[0] == "hostssl"}
    assert remote == {"10.0.0.2/32", "fd00::2/128"}
    assert {rule[3] for rule in rules if rule[0] == "host"} == {"127.0.0.1/32"}


@pytest.mark.parametrize(
    ("password", "stored"),
    [
        (  # the example of RFC 7677
            "pencil",
            (
                "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
                ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
            ),
        ),
        (  # made by PostgreSQL 15
            "it's \"I\\xc2\\xadX\\xe2\\x85\\xa8",
            (
                "SCRAM-SHA-256$4096:laJjkV6iVyTe3zKsEbUoNQ==$fPZTP8qwOSu+LOJjcUWHvaDM60dU5cxATy9q8F72vN4="
                ":LykgKCTCiuq+cKT7Bb+bkerpViKGssiNn3JUgJw+rhY="
            ),
        ),
    ],
)
def test_a_verifier_is_the_one_that_postgresql_makes(password, stored):
    assert scram.verifier(password, stored.rpartition("$")[0]) == stored


@given(st.text(min_size=1))
def test_a_verifier_recognizes_its_own_password_and_no_other(password):
    made = scram.verifier(password)
    assert made.isascii()
    assert "'" not in made
    salt = made.rpartition("$")[0]
    assert scram.verifier(password, salt) == made
    assert scram.verifier(password + "x", salt) != made


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u00aa", "a"),
        ("\u0627\u0031", "\u0627\u0031"),  # mixed directions are forbidden: taken as it is
        ("\u00e9\u0007", "\u00e9\u0007"),
        ("plain'\"", "plain'\""),
    ],
)
def test_passwords_are_normalized_as_clients_do(password, prepared):
    assert scram.saslprep(password) == prepared


def test_the_fact_of_a_role_carries_no_verifier():
    command = RoleState().command(cluster=CLUSTER, roles=("health_user",)).get_raw_value()
    assert command.count("rolpassword") == 2
    assert "encode(sha256(convert_to(coalesce(rolpassword" in command


def test_an_answer_tells_down_from_absent():
    assert parse_answer(["absent"]).state == "absent"
    assert parse_answer(["down"]).rows == ()
    assert parse_answer(["up", '{"owner": "x"}']).rows == ({"owner": "x"},)
