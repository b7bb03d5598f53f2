"""The pipelines of docs/ci do what docs/ci.md says: their own shell steps, on a real host, with a forge beside them."""

import os
import re
import subprocess
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML

from tests.hosts.forge import TOKEN, listening
from tests.hosts.world import REPOSITORY

_read = YAML(typ="safe").load
GITHUB = _read(REPOSITORY / "docs/ci/github.yml")
GITLAB = _read(REPOSITORY / "docs/ci/gitlab.yml")
KEY, KNOWN_HOSTS = "not a key of anybody", "host.test ssh-ed25519 AAAA"


class Runner:
    """Runs the steps of one job after the other, as the forge's runner does: each in a shell of its own."""

    def __init__(self, world, project, forge, home):
        self.forge, self._project = forge, project
        home.mkdir()
        for name, text in (("key", KEY), ("known_hosts", KNOWN_HOSTS), ("path", ""), ("summary", "")):
            (home / name).write_text(text)
        self._home = home
        self._environment = {
            **{name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ},
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CI": "true",
            "HEALTHV1_SANDBOX": world.name,
            "ENVIRONMENT": "sandbox",
        }

    def shell(self, script, **environment):
        path = (self._home / "path").read_text().split()
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self._project,
            env={
                **self._environment,
                **environment,
                "PATH": os.pathsep.join([*path, self._environment["PATH"]]),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


class Github(Runner):
    def run(self, job):
        """Return the exit code of each step that is a shell's, and all that they said."""
        codes, said = {}, ""
        for step in GITHUB["jobs"][job]["steps"]:
            if "run" in step and (not any(codes.values()) or step.get("if") == "always()"):
                codes[step["name"]], heard = self.shell(step["run"], **self._known(step.get("env", {})))
                said += heard
        return codes, said

    def _known(self, environment):
        values = {
            "github.token": TOKEN,
            "github.event.pull_request.number": "7",
            "secrets.SSH_KEY": KEY,
            "secrets.SSH_KNOWN_HOSTS": KNOWN_HOSTS,
        }
        ours = {
            "GITHUB_API_URL": self.forge.address,
            "GITHUB_REPOSITORY": "team/ours",
            "GITHUB_SHA": "5eed",
            "GITHUB_PATH": str(self._home / "path"),
            "GITHUB_STEP_SUMMARY": str(self._home / "summary"),
        }
        told = {name: values[re.fullmatch(r"\$\{\{ (\S+) \}\}", text)[1]] for name, text in environment.items()}
        return {**ours, **told}


class Gitlab(Runner):
    def run(self, job):
        """Return the exit code of the job's script and of what comes after it, and all that they said."""
        before = [line for line in GITLAB["default"]["before_script"] if not line.startswith("apt-get")]
        told = {
            "CI_API_V4_URL": self.forge.address,
            "CI_PROJECT_ID": "5",
            "CI_MERGE_REQUEST_IID": "7",
            "CI_COMMIT_SHA": "5eed",
            "GITLAB_TOKEN": TOKEN,
            "SSH_KEY": str(self._home / "key"),
            "SSH_KNOWN_HOSTS": str(self._home / "known_hosts"),
        }
        scripts = {"script": [*before, *GITLAB[job]["script"]], "after_script": GITLAB[job].get("after_script", [])}
        outcomes = {name: self.shell("\n".join(lines), **told) for name, lines in scripts.items()}
        return {name: code for name, (code, _) in outcomes.items()}, "".join(said for _, said in outcomes.values())


@pytest.fixture
def checkout(project):
    """What a pipeline checks out: the team's files, and the toolkit with them."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", ".venv", "healthv1", "deploys"):
        (project / name).symlink_to(REPOSITORY / name)
    return project


@pytest.mark.long(60)
@pytest.mark.parametrize(("forge", "place"), [(Github, "github.yml"), (Gitlab, "gitlab.yml")])
def test_a_change_is_planned_reviewed_applied_as_reviewed_and_watched(broken, checkout, tmp_path, forge, place):
    assert (REPOSITORY / "docs/ci" / place).exists()
    with listening() as server:
        runner = forge(broken, checkout, server, tmp_path / "home")
        _planned_and_shown(runner, checkout)
        _applied_as_reviewed(runner, broken, checkout)
        _watched(runner, broken)
    assert (tmp_path / "home/.ssh/id_ed25519").stat().st_mode & 0o777 == 0o600


def _planned_and_shown(runner, checkout):
    settings = checkout / "group_data/sandbox.py"
    settings.write_text(
        settings.read_text() + "\nfrom deploys.nginx.settings import Nginx\nnginx = Nginx(maximum_body=11)\n"
    )
    for _ in range(2):
        codes, said = runner.run("plan")
        assert set(codes.values()) == {0}, (codes, said)
    (comment,) = runner.forge.comments.values()
    assert comment.startswith("<!-- healthv1 plan sandbox -->")
    assert "nginx" in comment
    runner.forge.plan = (checkout / "plan.json").read_bytes()
    (checkout / "plan.json").unlink()


def _applied_as_reviewed(runner, world, checkout):
    codes, said = runner.run("apply")
    assert set(codes.values()) == {0}, (codes, said)
    assert "client_max_body_size 11m" in world.shell("nginx -T 2>&1")
    assert int(ET.parse(checkout / "verify.xml").getroot().get("tests")) > 100
    again = runner.run("apply")
    assert any(again[0].values()), "a plan was applied twice"
    assert "already" in again[1]


def _watched(runner, world):
    codes, said = runner.run("nightly")
    assert set(codes.values()) == {0}, (codes, said)
    world.shell("echo '# by hand' >> /etc/nginx/nginx.conf")
    codes, said = runner.run("nightly")
    assert 2 in codes.values(), (codes, said)
    assert "/etc/nginx/nginx.conf" in said
