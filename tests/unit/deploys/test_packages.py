"""What is said of packages is never what a failing program said of them."""

import inspect
import os
import subprocess

import pytest

from deploys import apt
from deploys.apt_simulation import Installed, Simulation
from deploys.facts.packages import (
    InstalledPackages,
    InstallSimulation,
    InterruptedPackage,
    InterruptedPackages,
    RepositoryStates,
)
from deploys.repositories import Repositories, UnreadRepository, describe_unread, missing_package_conflicts


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
    code, simulation = heard(InstallSimulation(), "apt-get", f"{text}; echo 'E: Cache is out of sync' >&2; exit 100")
    assert (code, simulation.version("nginx")) == (0, "1.0")


def test_lists_that_contradict_each_other_for_good_tell_nothing_and_an_installation_mends_them(heard):
    code, simulation = heard(InstallSimulation(), "apt-get", "echo 'E: The lists are broken' >&2; exit 100")
    assert (code, simulation.installed, simulation.removed) == (0, (), ())


def test_an_unknown_package_is_not_installed(heard):
    assert heard(InstalledPackages(), "dpkg-query", "echo 'ii |nginx|1.0'; exit 1") == (0, {"nginx": "1.0"})


def test_a_package_database_that_cannot_be_read_is_no_answer(heard):
    code, _ = heard(InstalledPackages(), "dpkg-query", "exit 2")
    assert code != 0


def test_what_is_in_halves_is_told_in_dpkgs_words_and_whether_it_can_be_had_again(heard):
    text = "printf '%s\\n' 'ii |whole|installed' 'iF |bash|half-configured' 'iU |of-a-vendor|unpacked'"
    code, found = heard(InterruptedPackages(), "dpkg-query", text)
    assert code == 0
    assert InterruptedPackage("of-a-vendor", "unpacked", is_available=False) in found
    assert {one.name for one in found} - {"dpkg"} == {"bash", "of-a-vendor"}


def test_what_packages_start_their_services_with_starts_none_and_does_the_rest(tmp_path):
    tools, real = tmp_path / "tools", tmp_path / "real"
    real.write_text('#!/bin/sh\necho "$@"\n')
    real.chmod(0o755)
    script = apt._NO_SERVICE_STARTS.replace(apt.INSTALLING, str(tools))
    for program in ("/usr/bin/deb-systemd-invoke", "/usr/sbin/invoke-rc.d"):
        script = script.replace(f"exec {program}", f"exec {real}")
    tried = """
deb-systemd-invoke restart nginx.service; deb-systemd-invoke --no-dbus daemon-reload
invoke-rc.d --skip-systemd-native redis-server start; invoke-rc.d --quiet nginx status"""
    done = subprocess.run(["sh", "-euc", script + tried], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["--no-dbus daemon-reload", "--quiet nginx status"]
    assert not tools.exists(), "nothing is left"


SAID = """Hit:1 http://deb.example.org/debian trixie InRelease
Ign:2 http://vendor.example.com/apt stable InRelease
Err:3 https://gone.invalid/apt stable InRelease
  Could not resolve 'gone.invalid'
Err:4 http://vendor.example.com/apt stable Release
  404  Not Found [IP: 192.0.2.1 80]
Err:5 http://old.example.com/apt stable InRelease
  Sub-process /usr/bin/sqv returned an error code (1), error message is: The key is expired.
W: OpenPGP signature verification failed: http://old.example.com/apt stable InRelease: The key is expired.
E: The repository 'http://vendor.example.com/apt stable Release' does not have a Release file.
E: Release file for http://late.example.com/apt/dists/stable/InRelease is expired (invalid since 3d 2h)."""


def test_each_repository_that_cannot_be_read_is_told_with_its_reason(tmp_path):
    (tmp_path / "said").write_text(SAID)
    done = subprocess.run(
        ["sh", "-c", f'{apt._LIST_REFUSED}\nrefused < "$1"', "sh", tmp_path / "said"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert dict(line.split("\t") for line in done.stdout.splitlines()) == {
        "https://gone.invalid/apt stable": "Could not resolve 'gone.invalid'",
        "http://vendor.example.com/apt stable": "404  Not Found [IP: 192.0.2.1 80]",
        "http://old.example.com/apt stable": "The key is expired.",
        "http://late.example.com/apt stable": "Release file for http://late.example.com/apt/dists/stable/InRelease"
        " is expired (invalid since 3d 2h).",
    }


def test_what_is_only_in_a_repository_that_cannot_be_read_is_refused_and_else_it_is_left_out():
    gone = UnreadRepository("https://gone.example.com/apt stable", "404", "/etc/apt/sources.list.d/gone.list:2")
    simulation = Simulation(
        (Installed("nginx", "2"), Installed("redis", "1")),
        sources={
            "nginx": ("https://gone.example.com/apt stable/main",),
            "redis": ("https://gone.example.com/apt stable/main", "http://deb.example.org/debian trixie/main"),
        },
    )
    (refused,) = missing_package_conflicts(simulation, ["nginx", "redis"], Repositories((gone,)))
    assert refused.thing == "repository https://gone.example.com/apt stable"
    assert refused.consequence == "nginx would come from there alone."
    assert refused.way_out.endswith("sed -i '2 s/^/# /' /etc/apt/sources.list.d/gone.list")
    assert list(missing_package_conflicts(simulation, ["redis"], Repositories())) == []
    assert describe_unread([gone]) == "not asked for packages: https://gone.example.com/apt stable cannot be read (404)"
    assert describe_unread([]) == ""


def test_a_list_of_sources_that_cannot_be_read_is_one_refusal():
    found = RepositoryStates().process(["now=unlisted\t-\tMalformed entry 1 in list file /etc/apt/x.list (Suite)\t-"])
    (refused,) = missing_package_conflicts(Simulation(), ["nginx"], found)
    assert refused.thing == "apt"
    assert "/etc/apt/x.list" in refused.what
