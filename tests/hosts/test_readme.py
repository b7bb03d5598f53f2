"""Every command that the README shows with its answer is run, and answers so."""

import re
import shlex
import subprocess

import pytest

from tests.hosts.world import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
# A block called `console` is a session: lines that begin with "$ " are typed, the others are answers.
SESSIONS = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
TYPED = [line[2:] for session in SESSIONS for line in session.splitlines() if line.startswith("$ ")]


def test_the_readme_shows_sessions():
    assert len(SESSIONS) >= 3
    assert {"make demo", "make test"} <= set(TYPED)


@pytest.mark.parametrize("command", [line for line in TYPED if line.startswith("make ")])
def test_make_knows_what_the_readme_tells_to_make(command):
    subprocess.run(["make", "--dry-run", *shlex.split(command)[1:]], cwd=REPOSITORY, check=True, capture_output=True)


@pytest.mark.parametrize("command", [line for line in TYPED if line.startswith(("healthv1 ", "pyinfra "))])
def test_what_the_readme_tells_to_type_works(deployed, command):
    done = subprocess.run(
        shlex.split(command, comments=True),
        cwd=REPOSITORY,
        env={**deployed.environment, "PYINFRA_PROGRESS": "off"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    expected = {0, 2} if command.startswith("healthv1 plan") else {0}
    assert done.returncode in expected, done.stdout + done.stderr


def test_every_file_that_the_readme_points_to_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target
