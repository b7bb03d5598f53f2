"""What is said of packages is never what a failing program said of them."""

import inspect
import os
import subprocess

import pytest

from deploys import apt
from deploys.facts.packages import Installation, InstalledPackages, Interrupted, InterruptedPackages


@pytest.fixture
def heard(tmp_path):
    """Return what the fact makes of a program of this text."""

    def hear(fact, program, text):
        for name, does in {program: text, "sleep": ":"}.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
            (tmp_path / name).chmod(0o755)
        takes = inspect.signature(fact.command).parameters
        command = fact.command(("nginx", "redis")) if takes else fact.command()
        done = subprocess.run(
            ["sh", "-c", command if isinstance(command, str) else command.get_raw_value()],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "HERE": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, fact.process(done.stdout.splitlines())

    return hear


def test_lists_that_change_while_they_are_read_are_read_again(heard):
    text = "[ -e $HERE/again ] && echo 'Inst nginx (1.0 Debian:13/stable [all])' && exit; touch $HERE/again"
    code, would = heard(Installation(), "apt-get", f"{text}; echo 'E: Cache is out of sync' >&2; exit 100")
    assert (code, would.version("nginx")) == (0, "1.0")


def test_lists_that_contradict_each_other_for_good_tell_nothing_and_an_installation_mends_them(heard):
    code, would = heard(Installation(), "apt-get", "echo 'E: The lists are broken' >&2; exit 100")
    assert (code, would.installed, would.removed) == (0, (), ())


def test_an_unknown_package_is_not_installed(heard):
    assert heard(InstalledPackages(), "dpkg-query", "echo 'ii |nginx|1.0'; exit 1") == (0, {"nginx": "1.0"})


def test_a_package_database_that_cannot_be_read_is_no_answer(heard):
    code, _ = heard(InstalledPackages(), "dpkg-query", "exit 2")
    assert code != 0


def test_what_is_in_halves_is_told_in_dpkgs_words_and_whether_it_can_be_had_again(heard):
    text = "printf '%s\\n' 'ii |whole|installed' 'iF |bash|half-configured' 'iU |of-a-vendor|unpacked'"
    code, found = heard(InterruptedPackages(), "dpkg-query", text)
    assert code == 0
    assert Interrupted("of-a-vendor", "unpacked", had=False) in found
    assert {one.name for one in found} - {"dpkg"} == {"bash", "of-a-vendor"}


def test_what_packages_start_their_services_with_starts_none_and_does_the_rest(tmp_path):
    tools, real = tmp_path / "tools", tmp_path / "real"
    real.write_text('#!/bin/sh\necho "$@"\n')
    real.chmod(0o755)
    script = apt._QUIET.replace(apt._TOOLS, str(tools))
    for program in ("/usr/bin/deb-systemd-invoke", "/usr/sbin/invoke-rc.d"):
        script = script.replace(f"exec {program}", f"exec {real}")
    tried = """
deb-systemd-invoke restart nginx.service; deb-systemd-invoke --no-dbus daemon-reload
invoke-rc.d --skip-systemd-native redis-server start; invoke-rc.d --quiet nginx status"""
    done = subprocess.run(["sh", "-euc", script + tried], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["--no-dbus daemon-reload", "--quiet nginx status"]
    assert not tools.exists(), "nothing is left"
