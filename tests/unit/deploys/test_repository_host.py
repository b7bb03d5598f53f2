"""Backups on another host of ours: what has to be there ahead, what both hosts are told, and who is let in."""

from types import SimpleNamespace

import pytest
from pyinfra.context import ctx_host

from deploys.backup import repository_host
from deploys.backup.configuration import (
    credentials_file,
    pgbackrest_file,
    program_file,
    repository_folder,
    repository_place,
    server_file,
)
from deploys.backup.deploy import archiving_here
from deploys.backup.placement import located
from deploys.backup.repository_checks import serves
from deploys.backup.repository_host import ACCOUNT, UNIT
from deploys.backup.settings import S3, Backup, Directory, ReachedHost, RepositoryHost
from deploys.cluster import Cluster
from deploys.component import template
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.facts.probe import Succeeds
from deploys.faults import Refused
from deploys.ports import Listener, port_claims, port_conflicts
from deploys.stack import Stack, Topology
from deploys.tls import DIRECTORY, HostIdentity, KeyFiles, Peer
from deploys.ufw.rules import rules
from healthv1.plan.members import Member
from healthv1.retire.choosing import Chosen
from healthv1.retire.standing import uses_of
from healthv1_backup.repository import explained
from healthv1_backup.settings import load
from tests.unit.asked import Host
from tests.unit.deploys.test_backup import BUCKET, CLUSTER, STACK, bound

DB, KEEPER = "10.0.0.1", "10.0.0.9"


def peer(name, address):
    return Peer(HostIdentity.of(name, (address,)), address)


GROUPS = {"database": [peer("db1", DB)], "repository": [peer("backup1", KEEPER)]}
SETTINGS = Backup(repository=RepositoryHost())


def place(groups=None, settings=SETTINGS, pki=True, shared=True):
    found = GROUPS | (groups or {})
    return located(settings, lambda part: found[part], pki=pki, shared=shared)


def refusal(*arguments, **named):
    with pytest.raises(Refused) as refused:
        place(*arguments, **named)
    return [f"{fault.where}: {fault.what} {fault.hint}" for fault in refused.value.faults]


def test_where_it_is_follows_from_the_inventory():
    assert place().reached_host == ReachedHost(path="/srv/backup", port=8432, address=KEEPER)
    second = place(settings=Backup(repository=Directory(path="/mnt/b"), second=RepositoryHost(port=9000)))
    assert (second.repository, second.reached_host.port) == (Directory(path="/mnt/b"), 9000)


def test_without_one_nobody_looks_into_the_inventory():
    settings = Backup(repository=S3(**BUCKET))
    assert located(settings, pytest.fail, pki=False, shared=False) is settings


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"groups": {"repository": []}}, 'add one: repository = ["backup1.example.com"]'),
        ({"groups": {"repository": [*GROUPS["repository"], peer("backup2", "10.0.0.8")]}}, "backup1 and backup2 are"),
        ({"groups": {"repository": GROUPS["database"]}}, "db1 has the database"),
        ({"groups": {"database": [*GROUPS["database"], peer("db2", "10.0.0.2")]}}, "db1 and db2 have databases"),
        ({"pki": False}, "add: pki = Pki()"),
        ({"shared": False}, "set backup in group_data/all.py"),
    ],
)
def test_what_is_not_as_it_has_to_be_is_refused_in_one_sentence(changed, words):
    [fault] = refusal(**changed)
    assert words in fault


def test_every_fault_is_told_at_once():
    assert len(refusal({"repository": [*GROUPS["database"], peer("b2", "10.0.0.8")]}, pki=False, shared=False)) == 4


def test_one_host_is_not_two_repositories():
    with pytest.raises(Refused, match="one host in the group repository"):
        Backup(repository=RepositoryHost(), second=RepositoryHost(path="/mnt/other"))


def test_an_older_pgbackrest_is_refused_on_either_host():
    ctx_host.set(Host({}))
    try:
        with pytest.raises(Refused, match=r"before 2\.55"):
            archiving_here(bound(place()), Cluster(15, 5432), require_escrow=False)
    finally:
        ctx_host.reset()
    assert "before 2.55" in _kept_by("debian", "12")
    assert "before 2.55" in _kept_by("ubuntu", "24.04")
    assert _kept_by("debian", "13") == ""


def _kept_by(system, release, marks=None, account=False):
    machine = SimpleNamespace(os=system, release=release)
    ctx_host.set(Host({MachineState: machine, Marks: marks or {}, Succeeds: account}))
    try:
        repository_host._refuse()
    except Refused as refused:
        return str(refused)
    finally:
        ctx_host.reset()
    return ""


def test_an_account_of_that_name_is_somebody_elses_until_we_made_it():
    assert "It is there, and not ours" in _kept_by("debian", "13", account=True)
    assert _kept_by("debian", "13", marks={"repository": "/srv/backup/health-v1"}, account=True) == ""


def test_pgbackrest_proves_who_it_is_and_keeps_the_passphrase():
    backup = bound(place(settings=Backup(repository=Directory(path="/mnt/b"), second=RepositoryHost())))
    lines = pgbackrest_file(backup, CLUSTER, "0a1b", 3).splitlines()
    assert {
        f"repo2-host={KEEPER}",
        "repo2-host-type=tls",
        "repo2-host-port=8432",
        "repo2-host-ca-file=/etc/health-v1/tls/ca.pem",
        "repo2-host-cert-file=/etc/health-v1/tls/postgres.pem",
        "repo2-host-key-file=/etc/health-v1/tls/postgres.key",
        "repo2-path=/srv/backup/health-v1/0a1b/3",
        "repo2-cipher-type=aes-256-cbc",
    } <= set(lines)
    assert not [line for line in lines if line.startswith("repo1-host")]
    assert credentials_file(backup).splitlines()[2:] == [
        "repo1-cipher-pass=the passphrase",
        "repo2-cipher-pass=the passphrase",
    ]
    told = server_file(backup.reached_host, KeyFiles(ACCOUNT), "backup.db1")
    assert "cipher" not in told
    assert "tls-server-auth=backup.db1=*\n" in told
    assert f"tls-server-address={KEEPER}\n" in told


def test_the_same_folder_on_another_host_is_another_place(tmp_path):
    places = [repository_place(place().reached_host.model_copy(update={"address": at}), "0a", 3) for at in ("a", "b")]
    assert places == ["a/srv/backup/health-v1/0a/3", "b/srv/backup/health-v1/0a/3"]
    assert repository_folder(place().reached_host, "0a", 3) == "/srv/backup/health-v1/0a/3"
    (tmp_path / "backup.json").write_text(program_file(bound(place()), CLUSTER, STACK, "0a", 3))
    settings = load(tmp_path / "backup.json")
    assert (settings.hosts, settings.buckets, settings.directories) == ((KEEPER,), (None,), ())


def test_the_server_sees_the_folder_alone():
    unit = template(
        f"backup/{UNIT}", settings=place().reached_host, account=ACCOUNT, certificates=DIRECTORY, conf="/etc/x.conf"
    )()
    assert "TemporaryFileSystem=/:ro\nBindPaths=/srv/backup/health-v1\n" in unit
    assert f"User={ACCOUNT}\n" in unit


def test_a_name_that_no_certificate_could_hold_is_refused():
    assert HostIdentity.of("db1", (DB,)).as_part("backup").name == "backup.db1"
    with pytest.raises(Refused, match="cannot stand in a certificate"):
        HostIdentity.of(f"{'d' * 60}", ()).as_part("backup")


def test_a_port_that_somebody_else_has_is_told():
    topology = Topology.seen_from(KEEPER, {"database": [DB], "repository": [KEEPER]})
    claims = list(port_claims(STACK, topology, ("repository",), 8008, 8432))
    [found] = port_conflicts(claims, [Listener(8432, "0.0.0.0", "python3", "owners-app.service")])
    assert "set RepositoryHost.port to what is free" in found.fault("backup1").hint
    assert list(port_claims(STACK, topology, ("repository",), 8008)) == []


def test_the_firewall_lets_the_databases_host_in_and_no_other():
    topology = Topology.seen_from(KEEPER, {"database": [DB], "api": ["10.0.0.2"], "repository": [KEEPER]})
    found = rules((), Stack(domain="a.example.com"), topology, ("repository",), (22,), clients=[(DB, 8432)])
    assert [str(rule) for rule in found] == ["22/tcp from anywhere", f"8432/tcp from {DB}"]


def test_what_is_served_is_compared_at_an_address_of_either_family_and_at_a_name():
    reached = place().reached_host
    for address, connected, expected in (
        (KEEPER, f"{KEEPER}:8432", f"-verify_ip {KEEPER}"),
        ("fd00::9", "[fd00::9]:8432", "-verify_ip fd00::9"),
        ("backup1.internal", "backup1.internal:8432", "-verify_hostname backup1.internal"),
    ):
        test = serves(reached.model_copy(update={"address": address}), KeyFiles(ACCOUNT))
        assert f"-connect {connected} " in test
        assert f" {expected} " in test


def test_a_host_that_backups_go_to_is_in_use():
    keeper = Member("backup1", KEEPER, "", ("repository",))
    assert f'"{KEEPER}"' in uses_of(Chosen(keeper, named=False), STACK, [KEEPER])


def test_what_another_host_answers_is_told_in_plain_words():
    said = "[AccessError] raised from remote-0 tls protocol on '10.0.0.9': access denied"
    assert explained(said) == "it does not let this host's certificate in"
