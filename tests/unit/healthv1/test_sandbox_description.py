"""What a running sandbox tells, and what is heard when none runs."""

from __future__ import annotations

import json
import runpy
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from healthv1 import sandbox as package
from healthv1.errors import SandboxError
from healthv1.sandbox import Host, Running, Sandbox, description, lifecycle, snapshots
from healthv1.sandbox.addresses import Addresses
from healthv1.sandbox.description import S3, Acme, LockedS3, OpenBao
from healthv1.sandbox.lifecycle import Shape
from healthv1.sandbox.status import status
from tests.unit.command import REPOSITORY


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setenv("HEALTHV1_STATE", str(tmp_path))
    monkeypatch.setenv("HEALTHV1_SANDBOX", "unit")
    found = Sandbox.named()
    found.state.mkdir(parents=True)
    return found


@pytest.fixture
def saved(sandbox: Sandbox) -> Running:
    hosts = tuple(Host(f"host{n}", f"192.0.2.{n}", f"2001:db8::{n}", "admin", "/key", "/known") for n in (1, 2))
    found = Running(
        name="unit",
        suite="trixie",
        domain="api.sandbox.test",
        gateway="192.0.2.254",
        gateway6="2001:db8::ffff",
        hosts=hosts,
        openbao=OpenBao("http://127.0.0.1:1", "/token", "health-v1"),
        acme=Acme("https://192.0.2.254:14000/dir", "/ca", "/root"),
        s3=S3("https://s3.sandbox.test:9000", "bucket", "/key", "https://192.0.2.254:9000", "region", "/ca"),
    )
    description.save(sandbox, found)
    return found


@pytest.fixture
def host1_alive(sandbox: Sandbox):
    with subprocess.Popen(["sleep", "60"]) as process:
        sandbox.host("host1").mkdir(parents=True)
        stat = Path(f"/proc/{process.pid}/stat").read_text()
        (sandbox.host("host1") / "process").write_text(stat)
        yield
        process.kill()


@pytest.mark.usefixtures("host1_alive")
def test_what_was_saved_is_loaded(sandbox, saved):
    assert package.load() == saved
    assert saved.edge.name == "host2"
    locked = LockedS3(**asdict(saved.s3), admin_key_file="/admin", reader_key_file="/reader")
    description.save(sandbox, replace(saved, locked_s3=locked))
    assert package.load().locked_s3 == locked


@pytest.mark.usefixtures("host1_alive")
def test_what_an_earlier_version_wrote_is_loaded_and_goes_down(sandbox, saved):
    earlier = json.loads(sandbox.description.read_text())
    del earlier["locked_s3"]
    earlier["s3"] = {"endpoint": "http://192.0.2.254:9000", "bucket": "bucket", "key_file": "/key"}
    for host in earlier["hosts"]:
        del host["role"]
    sandbox.description.write_text(json.dumps(earlier))
    sandbox.shape.write_text('{"hosts": 2, "suite": "trixie", "disk_size": ""}')
    found = package.load()
    assert (found.s3.address, found.locked_s3) == ("", None)
    assert found.edge.name == "host2"
    assert status(sandbox).suite == "trixie"
    assert lifecycle.shape_of(sandbox) == Shape(hosts=2)


def test_hosts_for_drills_and_as_a_replacement_share_no_part(sandbox, saved):
    shape = Shape(hosts=2, drill=True, replacement=True)
    assert shape.names == ["host1", "host2", "drill1", "host1b"]
    found = replace(saved, hosts=lifecycle._hosts(sandbox, Addresses(3), shape))
    assert [host.address for host in found.hosts] == [Addresses(3).host(position) for position in (1, 2, 3, 4)]
    assert [host.name for host in found.deployed] == ["host1", "host2"]
    assert [host.name for host in found.playing("drill")] == ["drill1"]
    assert [host.name for host in found.playing("replacement")] == ["host1b"]
    assert found.edge.name == "host2"


@pytest.mark.usefixtures("host1_alive")
def test_the_inventory_has_the_drill_host_in_its_group_and_the_replacement_in_none(sandbox, saved):
    hosts = lifecycle._hosts(sandbox, Addresses(3), Shape(hosts=2, drill=True, replacement=True))
    description.save(sandbox, replace(saved, hosts=hosts))
    groups = runpy.run_path(str(REPOSITORY / "inventories/sandbox.py"))
    listed = {part: [name for name, _ in groups[part]] for part in ("database", "api", "edge", "drill")}
    assert listed == {"database": ["host1"], "api": ["host2"], "edge": ["host2"], "drill": ["drill1"]}


def test_a_description_that_outlived_its_processes_is_no_running_sandbox(saved):
    assert package.running() is None
    with pytest.raises(SandboxError, match="healthv1 sandbox up"):
        package.load()


def test_where_none_ever_was_the_error_says_how_to_start_one():
    with pytest.raises(SandboxError, match="healthv1 sandbox up"):
        package.load("never-was")


def test_a_host_that_is_not_there_is_named_with_those_that_are(saved):
    with pytest.raises(SandboxError, match="host1, host2"):
        saved.host("host3")


@pytest.mark.usefixtures("host1_alive")
def test_the_status_tells_of_the_locked_s3_where_there_is_one(sandbox, saved):
    assert "locked-s3" not in "\n".join(status(sandbox).lines())
    description.save(sandbox, replace(saved, locked_s3=LockedS3("https://s3.sandbox.test:20033", "locked", "/key")))
    assert "locked-s3 is down  https://s3.sandbox.test:20033" in "\n".join(status(sandbox).lines())


@pytest.mark.usefixtures("saved", "host1_alive")
def test_the_status_tells_what_is_alive_from_what_is_not(sandbox):
    found = status(sandbox)
    assert [host.alive for host in found.hosts] == [True, False]
    assert not found.up
    assert "is down" in "\n".join(found.lines())


def test_the_status_of_a_sandbox_that_is_not_up_says_so(sandbox):
    assert status(sandbox).lines() == ["The sandbox unit is not up."]


def test_a_sandbox_keeps_the_shape_it_was_first_asked_for(sandbox):
    assert lifecycle._settle_shape(sandbox, Shape(hosts=2)) == Shape(hosts=2)
    assert lifecycle._settle_shape(sandbox, None) == Shape(hosts=2)
    with pytest.raises(SandboxError, match="is up with 2 hosts on trixie, not with 1 host on bookworm"):
        lifecycle._settle_shape(sandbox, Shape(hosts=1, suite="bookworm"))
    with pytest.raises(SandboxError, match="not with 2 hosts and a drill host on trixie"):
        lifecycle._settle_shape(sandbox, Shape(hosts=2, drill=True))


def test_a_sandbox_has_at_least_one_host(sandbox):
    with pytest.raises(SandboxError, match="at least 1"):
        lifecycle._settle_shape(sandbox, Shape(hosts=0))


def test_down_of_what_is_not_up_is_harmless():
    said: list[str] = []
    lifecycle.down(Sandbox("never-was"), said.append)
    assert said == ["The sandbox never-was is not up"]


@pytest.mark.usefixtures("saved", "host1_alive")
def test_an_unknown_snapshot_is_refused_before_any_host_is_touched(sandbox):
    with pytest.raises(SandboxError, match="choose one of fresh"):
        snapshots.reset(sandbox, "unknown")


def test_a_snapshot_that_was_cut_short_does_not_count(sandbox):
    (sandbox.snapshots / "whole-one").mkdir(parents=True)
    (sandbox.snapshots / "whole-one/whole").touch()
    (sandbox.snapshots / "cut-short").mkdir()
    assert snapshots.snapshot_names(sandbox) == ["whole-one"]
