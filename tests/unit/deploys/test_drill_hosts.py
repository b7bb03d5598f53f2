"""A host for drills: whose backups it restores, what it may do with them, and what it is never told."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from pyinfra.context import ctx_host, ctx_inventory

from deploys import this_host
from deploys.backup.configuration import credentials_file, program_file
from deploys.backup.drills import MARK, source_here
from deploys.backup.installing import Source
from deploys.backup.settings import S3, Backup, Directory, RepositoryHost
from deploys.cluster import Cluster
from deploys.facts.machine import MachineState
from deploys.facts.marks import Marks
from deploys.faults import Refused
from deploys.rollout import Rollout
from deploys.secret import Secret, Version
from deploys.stack import Stack
from healthv1.drill import program
from healthv1_backup import claims, command, drilling, notes, settings
from tests.unit.asked import Host

STACK = Stack(domain="a.test")
CLUSTER = Cluster(17, 5432)
BACKUP = Backup(repository=Directory(path="/srv/backup"))
MACHINE = SimpleNamespace(os="debian", release="13", architecture="x86_64", identity="0123456789abcdef")
DATABASE = Host({MachineState: MACHINE, Marks: {"backup": "on"}}, name="db1")


class Kept:
    """A backend that has everything; what was exported for escrow is said."""

    def __init__(self, *unexported):
        self._unexported = unexported

    def versions(self, secret):
        return (Version(3, f"{secret.key}:value"),)

    def unexported(self, secrets):
        return tuple(secret.key for secret in secrets if secret.key in self._unexported)


@pytest.fixture
def source():
    """Return a function that tells whose backups are restored on this host."""

    def run(*, ours=MACHINE, marks=None, database=DATABASE, backup=BACKUP, require_escrow=False):
        ctx_host.set(Host({MachineState: ours, Marks: marks or {}}, name="drill1"))
        try:
            return source_here(backup, STACK, CLUSTER if database else None, database, require_escrow=require_escrow)
        finally:
            ctx_host.reset()

    return run


def test_the_backups_of_the_databases_host_are_restored(source):
    assert source() == Source(CLUSTER, "0123456789ab")


def test_while_that_host_takes_no_part_they_are_as_the_last_apply_noted(source):
    assert source(database=None, marks={MARK: "0123456789ab 17 main"}) == Source(
        Cluster(17, 5432, "main"), "0123456789ab"
    )
    with pytest.raises(Refused, match="is not known while the database's host takes no part"):
        source(database=None)


@pytest.mark.parametrize("other", [{"release": "12"}, {"os": "ubuntu"}, {"architecture": "aarch64"}])
def test_a_host_on_which_a_copy_would_not_be_the_same_is_refused(source, other):
    with pytest.raises(Refused, match="take it out of the group drill"):
        source(ours=SimpleNamespace(**{**vars(MACHINE), **other}))


def test_a_host_that_the_repositorys_host_would_not_let_in_is_refused(source):
    with pytest.raises(Refused, match="lets the database's host in, and no other"):
        source(backup=Backup(repository=RepositoryHost()))


def test_until_backups_are_turned_on_there_is_nothing_to_restore(source):
    assert source(backup=Backup()) is None
    waiting = BACKUP.bind(Kept("backup_passphrase"))
    new = replace(DATABASE, facts={MachineState: MACHINE, Marks: {}})
    assert source(backup=waiting, database=new, require_escrow=True) is None
    assert source(backup=waiting, database=new)
    assert source(backup=waiting, require_escrow=True)  # they were turned on before


def _inventory(**groups):
    hosts = {name: Host({}, name=name) for names in groups.values() for name in names}
    for name, host in hosts.items():
        host.groups = [group for group, names in groups.items() if name in names]
    return SimpleNamespace(
        groups={group: [hosts[name] for name in names] for group, names in groups.items()}, hosts=hosts
    )


@pytest.mark.parametrize(
    ("drill", "elsewhere"),
    [([], False), (["db1"], False), (["drill1"], True), (["db1", "drill1"], True)],
)
def test_the_databases_host_drills_unless_another_one_does(drill, elsewhere):
    inventory = _inventory(database=["db1"], drill=drill)
    for host in inventory.hosts.values():
        host.data = {"backup": BACKUP}
    ctx_inventory.set(inventory)
    try:
        assert this_host.drills_are_elsewhere() is elsewhere
    finally:
        ctx_inventory.reset()
    names = [host.name for host in program.of_drills(list(inventory.hosts.values()))]
    assert names == (["drill1"] if elsewhere else ["db1"])


def test_a_run_on_drill_hosts_alone_takes_the_keys_that_read(monkeypatch):
    bucket = S3(bucket="abc", endpoint="s3.test", region="eu", read_credentials=Secret("backup_read_credentials"))
    backup, host = Backup(repository=bucket), Host({}, name="drill1")
    host.groups = ["drill"]
    monkeypatch.setattr(this_host, "_chosen_hosts", lambda: [host])
    taken = this_host.required_secrets(STACK, STACK, Rollout(), backup, drills=backup.reading_secrets())
    assert [secret.key for secret in taken if secret.key != "plan_key"] == [
        "backup_passphrase",
        "backup_read_credentials",
    ]
    assert "backup_credentials" not in credentials_file(backup.bind(Kept()).with_one_key(reader=True))


@pytest.fixture
def on_drill_host(tmp_path, monkeypatch):
    """The program's settings there, with its notes in a folder of the test's."""
    for function in (notes.write, notes.read):
        monkeypatch.setattr(function, "__defaults__", (tmp_path,))
    monkeypatch.setattr(claims.evidence, "KEY", tmp_path / "key")
    (tmp_path / "backup.json").write_text(program_file(BACKUP, CLUSTER, STACK, "0123456789ab", 1, live=False))
    return settings.load(tmp_path / "backup.json")


def test_the_clusters_of_a_drill_hosts_owner_are_asked_nothing(on_drill_host, monkeypatch):
    def never(*_words, **_more):
        pytest.fail("somebody asked what is there")

    for module, name in ((drilling, "sql"), (drilling, "read_control"), (command.watching, "watch")):
        monkeypatch.setattr(module, name, never)
    monkeypatch.setattr(drilling, "sweep_if_ended", lambda _settings: 0)
    now = 1_800_000_000.0
    assert drilling._expected(on_drill_host, now).not_before == now - 60 - 60 - 120  # by the clock alone
    assert drilling._live_control(on_drill_host) is None
    assert command._watch(on_drill_host) == 0


def test_the_first_drill_there_is_due_from_the_day_on_which_it_became_one(on_drill_host):
    claims.evidence.KEY.write_text("key")
    began = claims.evidence.KEY.stat().st_mtime
    assert claims.restore_was_drilled(on_drill_host, began + 8 * 86_400) == []
    assert claims.restore_was_drilled(on_drill_host, began + 8 * 86_400 + 1) == ["no drill ever passed"]


@pytest.mark.parametrize("drills", [True, False])
def test_a_host_whose_drills_run_elsewhere_measures_none(on_drill_host, monkeypatch, drills):
    measured = []
    monkeypatch.setattr(notes, "measure", lambda name, _values: measured.append(name))
    drilling._note(replace(on_drill_host, drills=drills), drilling.Drill(drilling.Asked(), 0.0), 1.0)
    assert measured == ["drill"] * drills


@pytest.mark.parametrize(
    ("connected", "active", "asked"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_host_that_takes_no_part_is_not_asked(connected, active, asked):
    other = Host({}, name="db1")
    other.connected, other.state = connected, SimpleNamespace(active_hosts={other} if active else set())
    assert this_host.takes_part(other) is asked
    assert not this_host.takes_part(None)
