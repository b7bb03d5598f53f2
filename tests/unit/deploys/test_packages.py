"""What is said of packages is never what a failing program said of them."""

import os
import subprocess

import pytest

from deploys.facts.packages import CandidateVersions, InstalledPackages


@pytest.fixture
def heard(tmp_path):
    """Return what the fact makes of a program of this text."""

    def hear(fact, program, text):
        for name, does in {program: text, "sleep": ":"}.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
            (tmp_path / name).chmod(0o755)
        done = subprocess.run(
            ["sh", "-c", fact.command(("nginx", "redis")).get_raw_value()],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "HERE": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, fact.process(done.stdout.splitlines())

    return hear


def test_lists_that_change_while_they_are_read_are_read_again(heard):
    half = "printf 'nginx:\\n  Candidate: 1.0\\n'; [ -e $HERE/again ] && printf 'redis:\\n  Candidate: 2.0\\n'"
    text = f"{half} && exit; touch $HERE/again; echo 'E: Cache is out of sync' >&2; exit 100"
    assert heard(CandidateVersions(), "apt-cache", text) == (0, {"nginx": "1.0", "redis": "2.0"})


def test_lists_that_contradict_each_other_for_good_tell_nothing_and_an_installation_mends_them(heard):
    assert heard(CandidateVersions(), "apt-cache", "printf 'nginx:\\n  Candidate: 1.0\\n'; exit 100") == (0, {})


def test_an_unknown_package_is_not_installed(heard):
    assert heard(InstalledPackages(), "dpkg-query", "echo 'ii |nginx|1.0'; exit 1") == (0, {"nginx": "1.0"})


def test_a_package_database_that_cannot_be_read_is_no_answer(heard):
    code, _ = heard(InstalledPackages(), "dpkg-query", "exit 2")
    assert code != 0
