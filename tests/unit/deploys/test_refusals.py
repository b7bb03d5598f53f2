"""What an operation refuses, and what it never takes away: decided ahead of its first command, or by its script."""

import base64
import shlex
import subprocess

import pytest

from deploys.cluster import Cluster
from deploys.credentials.master_key import fingerprint
from deploys.facts.account import AccountState
from deploys.facts.beside import ServiceConflicts
from deploys.facts.cluster import ClusterAnswer
from deploys.facts.clusters import Clusters, ClustersHere
from deploys.facts.marks import Marks
from deploys.facts.master_key import ConfiguredMasterKeys, StoredMasterKeys
from deploys.facts.path import Path, PathState
from deploys.facts.release import CompleteReleases, Instances
from deploys.facts.role import RoleState
from deploys.faults import Refused
from deploys.foreign import Foreign
from deploys.operations import foreign
from deploys.operations.accounts import account
from deploys.operations.beside import mark_service
from deploys.operations.clusters import refuse_foreign_clusters
from deploys.operations.master_key import refuse_lost_master_key, refuse_wrong_master_key
from deploys.operations.release import prune_releases, stop_other_instances
from deploys.operations.roles import NO_POWERS, drop_old_logins
from deploys.paths import MARKS
from deploys.secret import Secret, Version
from deploys.stack import Stack
from tests.unit.asked import asked
from tests.unit.known import Known

CLUSTER = Cluster(17, 5432)
ONE, TWO, LOST = (name.encode() * 32 for name in "abc")


class Held:
    """A backend that holds these master keys, the active one first."""

    def __init__(self, *keys):
        self._keys = keys

    def versions(self, _secret):
        return tuple(Version(number, base64.b64encode(key).decode()) for number, key in enumerate(self._keys, 1))

    def missing(self, secrets):
        return () if self._keys else secrets


def _opens(*held, stored):
    answer = ClusterAnswer("up", tuple({"master": fingerprint(key)} for key in stored))
    key = Secret("master_key", backend=Held(*held))
    return asked(refuse_wrong_master_key, CLUSTER, "health", key, facts={StoredMasterKeys: answer}).commands


def test_a_master_key_that_does_not_open_all_that_is_stored_is_refused():
    for held, stored in (((ONE,), [LOST]), ((ONE,), [ONE, LOST]), ((ONE, TWO), [TWO, LOST]), ((), [ONE])):
        with pytest.raises(Refused, match="secrets restore"):
            _opens(*held, stored=stored)
    for held, stored in (((ONE,), [ONE]), ((TWO, ONE), [ONE]), ((ONE, TWO), [ONE, TWO]), ((ONE,), []), ((), [])):
        assert _opens(*held, stored=stored) == []


def test_no_master_key_is_made_for_a_host_that_has_one():
    def kept(*held, told):
        key = Secret("master_key", backend=Held(*held))
        return asked(refuse_lost_master_key, "/opt/health-v1/.env", key, facts={ConfiguredMasterKeys: told}).commands

    with pytest.raises(Refused, match="holds a master key, and the backend does not"):
        kept(told=[fingerprint(LOST)])
    assert kept(ONE, told=[fingerprint(LOST)]) == kept(told=[]) == []


def test_what_cannot_be_adopted_is_refused_although_group_data_names_it():
    cluster = Foreign("cluster 17/health", "It holds data.", "An apply would replace it.")
    file = Foreign("file /etc/x.conf", "It is theirs.", "An apply would replace it.", adoptable=True)
    data = {"stack": Stack(domain="api.example.com", adopt=(cluster.thing, file.thing))}

    class Operation:
        @staticmethod
        def _inner(*things):
            return foreign.refuse_foreign(things)

    assert asked(Operation, file, facts={}, data=data).commands == [file]
    with pytest.raises(Refused) as refused:
        asked(Operation, file, cluster, facts={}, data=data)
    assert [fault.where for fault in refused.value.faults] == ["db1: cluster 17/health"]


def test_only_our_own_mark_makes_a_cluster_ours():
    held = Clusters(data_path=CLUSTER.data, occupied_paths=(CLUSTER.data,), has_data=True)

    def here(marks):
        return asked(refuse_foreign_clusters, CLUSTER, 2.0, facts={Marks: marks, ClustersHere: held}).commands

    for marks in ({}, {"cluster": "main"}, {"redis": "health"}):
        with pytest.raises(Refused, match="What is not ours has the name of ours"):
            here(marks)
    assert here({"cluster": "health"}) == []


def _shell(command, folder, **programs):
    """Run a command whose marks and stand-in programs lie in a folder."""
    (folder / "bin").mkdir(exist_ok=True)
    for name, text in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    script = command.get_raw_value().replace(MARKS, f"{folder}/ours")
    environment = {"PATH": f"{folder}/bin:/usr/bin:/bin"}
    return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)


def test_a_place_that_was_taken_since_the_plan_is_not_marked(tmp_path):
    def claim(survey):
        facts = {ServiceConflicts: [], Marks: {}}
        (command,) = asked(
            mark_service,
            "redis",
            "redis-server@health-v1",
            survey,
            "stack.redis_port",
            f"touch {tmp_path}/claimed",
            facts=facts,
        ).commands
        return _shell(command, tmp_path)

    done = claim("printf 'place\\t/etc/redis/redis-health-v1.conf\\n'")
    assert (done.returncode, "since the plan" in done.stderr) == (1, True)
    assert not (tmp_path / "claimed").exists()
    assert claim("true").returncode == 0
    assert (tmp_path / "claimed").exists()


def test_an_account_is_marked_before_it_is_made_and_one_that_came_since_the_plan_is_not_taken(tmp_path):
    (command,) = asked(account, "health-v1", "/opt/health-v1", "/bin/false", facts={AccountState: None}).commands
    made = f"touch {tmp_path}/made"
    done = _shell(command, tmp_path, getent=f'[ "$1" = passwd ] || {made}', useradd=made, groupadd=made, usermod=made)
    assert (done.returncode, "is there by now" in done.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]
    marked = f'[ "$(cat {tmp_path}/ours/account)" = health-v1 ] && {made}'
    assert _shell(command, tmp_path, getent="exit 2", useradd=marked, groupadd=marked).returncode == 0
    assert (tmp_path / "made").exists()


def test_of_the_releases_neither_the_one_that_runs_nor_the_new_one_is_removed():
    def left(running, version, keep, whole=("1", "2", "3", "4")):
        link = Path("symbolic link", "0777", "root", "root", f"releases/{running}")
        facts = {CompleteReleases: list(whole), PathState: link}
        found = asked(prune_releases, "/releases", "/current", version, keep, facts=facts).commands
        return [word for one in found for word in shlex.split(one.get_raw_value())[3:]]

    assert left("1", "4", 1) == ["/releases/2", "/releases/3"]
    assert left("4", "4", 2) == ["/releases/1", "/releases/2"]
    assert left("4", "4", 4) == []


def test_only_instances_on_other_ports_are_stopped():
    found = {8080: "active", 8081: "active", 8082: "failed"}
    stop, _ = asked(stop_other_instances, (8080, 8081), facts={Instances: found}).commands
    assert shlex.split(stop.get_raw_value())[-1] == "health-v1-api@8082.service"
    assert "8080" not in stop.get_raw_value()


def test_what_a_login_owns_is_given_to_the_owner_before_the_login_is_dropped_with_the_rest():
    password = Stack(domain="api.example.com").bind(Known((1,))).database_password
    rows = tuple(
        {"name": name, "login": True, **NO_POWERS, "salt": "SCRAM-SHA-256$4096:AAAA", "digest": "x"}
        for name in ("u_a", "u_b")
    )
    facts = {RoleState: ClusterAnswer("up", rows)}
    (command,) = asked(drop_old_logins, CLUSTER, "u", password, "health", "owner", facts=facts).commands
    said = command.connector_arguments["_stdin"]
    steps = [
        '"u_b" nologin',
        "pg_terminate_backend",
        'reassign owned by "u_b" to "owner"',
        'drop owned by "u_b"',
        'drop role "u_b"',
    ]
    assert [said.index(step) for step in steps] == sorted(said.index(step) for step in steps)
    assert '"u_a"' not in said
    assert command.get_raw_value().rstrip("'").endswith(" -d health -f -"), "what it owns lies there"
