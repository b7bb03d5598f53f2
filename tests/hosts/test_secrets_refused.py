"""When the backend does not give what is needed, it is named, and no host is touched."""

import re
import sys
from contextlib import contextmanager

import pytest

from tests.hosts.engines import as_root
from tests.hosts.world import World
from tests.terminal import on_a_terminal

ALL = 'path "health-v1/*" { capabilities = ["create", "read", "list"] }\n'


@contextmanager
def _token(world, project, tmp_path, policy):
    """Deploy with a token of this policy; yield what names it to those who may revoke it."""
    as_root(world, "PUT", f"sys/policies/acl/{world.name}-some", policy=policy)
    made = as_root(world, "POST", "auth/token/create", policies=[f"{world.name}-some"], no_parent=True)["auth"]
    (tmp_path / "token").write_text(made["client_token"])
    settings = project / "group_data/sandbox.py"
    text = settings.read_text()
    settings.write_text(text.replace("Token(file=_running.openbao.token_file)", f'Token(file="{tmp_path / "token"}")'))
    assert settings.read_text() != text
    try:
        yield made["accessor"]
    finally:
        as_root(world, "DELETE", f"sys/policies/acl/{world.name}-some")


@pytest.fixture
def untouched(bare):
    """A fresh host; nothing was written to it."""
    yield bare
    assert bare.shell("ls -d /usr/sbin/ufw /var/lib/health-v1 2>/dev/null || true") == ""


def test_each_secret_that_may_not_be_read_is_named(untouched, project, tmp_path):
    world = untouched
    denied = [
        f'path "health-v1/data/{world.name}/{name}" {{ capabilities = ["deny"] }}\n'
        for name in ("redis_password", "jwt_secret")
    ]
    with _token(world, project, tmp_path, ALL + "".join(denied)):
        for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes")):
            code, refused = world.json(*command, cwd=project)
            assert code == 1
            where = {fault["where"].partition("#")[2] for fault in refused["faults"]}
            assert where == {"redis_password", "jwt_secret"}
            assert all("Permission was denied" in fault["what"] for fault in refused["faults"])


def test_a_token_that_ends_while_somebody_reads_the_plan_leaves_the_hosts_alone(untouched, project, tmp_path):
    world: World = untouched
    with _token(world, project, tmp_path, ALL) as accessor:

        def revoke():
            as_root(world, "POST", "auth/token/revoke-accessor", accessor=accessor)
            return "y"

        argv = [sys.executable, "-m", "healthv1", "apply", "sandbox"]
        code, shown = on_a_terminal(argv, project, [("Apply this?", revoke)], world.environment)
    assert code == 1, shown
    assert "the token has expired, was revoked" in shown
    assert re.search(r"host1: stopped in stage base after 1 of \d+ operations", shown), (
        "it does not say how far it came"
    )
    kept = as_root(world, "LIST", f"health-v1/metadata/{world.name}")["data"]["keys"]
    assert kept == ["backup_credentials"], "nothing was kept either, but what the sandbox supplies"


def test_a_password_that_the_api_lets_nobody_choose_is_refused_by_a_plan(untouched):
    """Its seed would refuse it too, with the host half deployed."""
    world = untouched
    weak = {"admin_password": "1qaz2wsx3edc4rfv", "verification_password": "elevencharx"}
    for name, value in weak.items():
        world.openbao("POST", f"data/{world.name}/{name}", {"data": {"value": value}})
    try:
        for command in (("plan", "sandbox"), ("apply", "sandbox", "--yes")):
            code, refused = world.json(*command)
            assert code == 1
            told = {fault["where"].partition("#")[2]: fault["what"] for fault in refused["faults"]}
            assert told == {
                "admin_password": "As a password it is among the 10,000 most common.",
                "verification_password": "As a password it has fewer than 12 characters.",
            }
            assert not any(value in str(refused) for value in weak.values())
    finally:
        for name in weak:
            world.openbao("DELETE", f"metadata/{world.name}/{name}")


def test_a_sealed_backend_is_named(untouched):
    world = untouched
    as_root(world, "PUT", "sys/seal")
    try:
        done = world.cli("apply", "sandbox", "--yes")
    finally:
        world.down()
        world.up()
    assert done.returncode == 1
    assert "It is sealed." in done.stderr
    assert "bao operator unseal" in done.stderr
