"""The command as a user types it, against recorded bare hosts: no server, no root."""

import json
import re

import pytest

from tests.unit.command import healthv1 as _healthv1


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
    assert "Error: prodution: There is no inventory of that name.\nHint:  did you mean production?\n" in done.stderr


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


def _edited(project, old, new):
    path = project / "inventories/recorded.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture
def faulty(project):
    """Four hosts, of which the first runs what is not supported and the third has a full disk."""
    _edited(project, 'os="debian", release="12"', 'os="debian", release="11"')
    found = 'responses["/etc/os-release"]'
    full = f'    if name == "ubuntu2204":\n        {found} = {found}.replace("free=98784247808", "free=0")\n'
    _edited(project, "    # Each stands", f"{full}    # Each stands")
    return project


def test_of_four_hosts_the_two_with_a_fault_are_explained_and_the_others_planned(faulty):
    done = _healthv1("plan", "recorded", "--json", cwd=faulty)
    plan = json.loads(done.stdout)
    assert done.returncode == 1
    assert plan["hosts"] == ["@fake/debian13", "@fake/ubuntu2404"]
    assert {step["host"] for step in plan["steps"]} == set(plan["hosts"])
    assert {step["stage"] for step in plan["steps"]} == {"base", "data", "application", "edge"}
    wrong, full = plan["faults"]
    assert (wrong["where"], wrong["what"]) == ("@fake/debian12", "debian 11 is not supported.")
    assert (full["where"], full["what"]) == ("@fake/ubuntu2204", "0 GB of free disk, 2 are wanted.")
    assert wrong["hint"]
    assert full["hint"]


def test_what_is_done_once_falls_to_no_other_host_because_the_first_has_a_fault(faulty):
    def once(*limit):
        plan = json.loads(_healthv1("plan", "recorded", "--json", *limit, cwd=faulty).stdout)
        found = [change for step in plan["steps"] for change in step["changes"]]
        return [sum(one["kind"] == "secret" for one in found), sum(one["action"] == "migrate" for one in found)]

    assert once() == [0, 0]
    assert once("--limit", "@fake/debian13") == [9, 1]


def test_an_apply_with_a_faulty_host_changes_nothing_and_says_how_to_go_on_without_it(faulty):
    done = _healthv1("apply", "recorded", "--yes", cwd=faulty)
    assert done.returncode == 1
    assert "debian 11 is not supported" in done.stderr
    assert "Nothing was changed on any host." in done.stderr
    assert "--limit @fake/debian13 --limit @fake/ubuntu2404" in done.stderr
    assert "Stage" not in done.stderr


def test_with_nothing_to_resume_that_is_said():
    done = _healthv1("apply", "production", "--resume")
    assert done.returncode == 1
    assert "No apply is left to go on with." in done.stderr


def test_the_command_alone_prints_its_help():
    done = _healthv1()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Commands:" in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "where", "hint"),
    [
        ("inventories/recorded.py", "databse = _hosts", "inventories/recorded.py: databse", "did you mean database?"),
        (
            "inventories/recorded.py",
            "berlin = _hosts",
            "recorded.py: berlin",
            'add own_names = ("berlin",)',
        ),
        (
            "group_data/all.py",
            "postgres = Postgresql()",
            "all.py: postgres",
            "did you mean postgresql?",
        ),
        ("group_data/recorded.py", 'ssh_usr = "admin"', "recorded.py: ssh_usr", "did you mean ssh_user?"),
        (
            "inventories/recorded.py",
            "_hosts[0][1]['privat_address'] = '10.0.0.1'",
            "inventories/recorded.py: @fake/debian12: privat_address",
            "did you mean private_address?",
        ),
    ],
)
def test_a_name_that_nobody_reads_is_refused_with_the_one_that_was_meant(project, file, line, where, hint):
    path = project / file
    path.write_text(f"{path.read_text()}\n{line}\n")
    done = _healthv1("plan", "recorded", cwd=project)
    assert done.returncode == 1
    assert f"{where}: " in done.stderr
    assert hint in done.stderr


def test_a_team_may_have_names_of_its_own(project):
    for file, line in (("inventories/recorded.py", "berlin = _hosts[:1]"), ("group_data/all.py", "rack = 7")):
        path = project / file
        path.write_text(f"{path.read_text()}\n{line}\n")
    assert _healthv1("plan", "recorded", cwd=project).returncode == 1
    path.write_text(path.read_text() + 'own_names = ("berlin", "rack")\n')
    done = _healthv1("plan", "recorded", "--limit", "berlin", cwd=project)
    assert done.returncode == 2, done.stderr


def test_a_faulty_file_of_another_environment_stops_nobody_and_of_this_one_names_the_users_line(project):
    (project / "group_data/other.py").write_text("import nothing_of_that_name\n")
    assert _healthv1("plan", "recorded", cwd=project).returncode == 2
    path = project / "group_data/recorded.py"
    path.write_text(path.read_text() + '\nimport json\njson.loads("{")\n')
    done = _healthv1("plan", "recorded", cwd=project)
    line = len(path.read_text().splitlines())
    assert done.returncode == 1
    assert f"Error: group_data/recorded.py:{line}: JSONDecodeError" in done.stderr
