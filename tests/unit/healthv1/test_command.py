"""The command as a user types it, against recorded bare hosts: no server, no root."""

import json
import re
import shutil

import pytest

from tests.unit.command import REPOSITORY
from tests.unit.command import healthv1 as _healthv1


@pytest.fixture
def project(tmp_path):
    for name in ("inventories", "group_data"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    return tmp_path


def test_every_supported_distribution_is_planned_from_bare(recorded):
    hosts = {"debian12": "15", "debian13": "17", "ubuntu2204": "14", "ubuntu2404": "16"}
    assert recorded["hosts"] == [f"@fake/{name}" for name in hosts]
    for name, postgresql in hosts.items():
        steps = [step for step in recorded["steps"] if step["host"] == f"@fake/{name}"]
        targets = {change["target"] for step in steps for change in step["changes"]}
        assert f"postgresql-{postgresql}" in targets
        assert {step["stage"] for step in steps} == {"base", "data", "application", "edge"}


def test_ssh_is_let_in_before_the_firewall_starts(recorded):
    for host in recorded["hosts"]:
        steps = [step for step in recorded["steps"] if step["host"] == host]
        kinds = [(change["kind"], change["target"]) for step in steps for change in step["changes"]]
        assert kinds.index(("rule", "22/tcp from anywhere")) < kinds.index(("firewall", "ufw"))


def test_what_is_done_once_is_planned_once(recorded):
    secrets = [c["target"] for step in recorded["steps"] for c in step["changes"] if c["kind"] == "secret"]
    assert len(secrets) == len(set(secrets)) >= 8


def test_recorded_hosts_cannot_be_applied_to():
    done = _healthv1("apply", "recorded", "--yes")
    assert done.returncode == 1
    assert "A rehearsal keeps none" in done.stderr


@pytest.mark.parametrize("command", ["plan", "apply", "verify", "facts"])
def test_an_unknown_environment_is_refused_with_the_known_ones(command):
    done = _healthv1(command, "prodution")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Error: prodution: There is no inventory of that name.\nHint:  known: cluster, production," in done.stderr


def test_every_wrong_setting_is_named_at_once_with_its_file_and_line(project):
    path = project / "group_data/all.py"
    text = path.read_text().replace("Nginx()", "Nginx(client_max_bdy_size=1)").replace("Redis()", "Redis(oops=1)")
    path.write_text(text)
    done = _healthv1("plan", "recorded", cwd=project)
    assert done.returncode == 1
    wanted = re.compile(r"^Error: group_data/all\.py:\d+: (Nginx|Redis): \w+ is not a setting\.$", re.MULTILINE)
    assert sorted(wanted.findall(done.stderr)) == ["Nginx", "Redis"]
    assert "Traceback" not in done.stderr


def test_with_json_a_refusal_is_one_document_too():
    done = _healthv1("plan", "nowhere", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["faults"][0]["where"] == "nowhere"


def test_a_command_typed_wrongly_ends_with_1_for_2_means_changes():
    for arguments in (("plan",), ("plan", "recorded", "--nonsense"), ("plam", "recorded")):
        done = _healthv1(*arguments)
        assert done.returncode == 1, arguments
        assert "Error:" in done.stderr
        assert "Traceback" not in done.stderr
