"""Bad input: one clear error per fault, exit 1, nothing changed, no traceback."""

import re

import pytest

from healthv1.sandbox.power import pause, resume


def _refused(done, *words):
    printed = done.stdout + done.stderr
    assert done.returncode == 1, printed
    assert "Error:" in printed
    assert "Hint:" in printed
    assert "Traceback" not in printed
    for word in words:
        assert word in printed, printed


def _edit(project, file, pattern, new):
    path = project / file
    text, count = re.subn(pattern, new, path.read_text(), count=1)
    assert count, f"{pattern} is not in {file}"
    path.write_text(text)


def test_an_unknown_environment_is_refused_with_the_known_ones(deployed):
    for command in ("plan", "apply", "verify", "facts"):
        _refused(deployed.cli(command, "sanbox"), "sanbox", "did you mean sandbox?")
        _refused(deployed.cli(command, "elsewhere"), "elsewhere", "known:", "sandbox")


def test_typos_and_wrong_values_are_all_named_before_anything_connects(deployed, project):
    _edit(project, "group_data/all.py", r"Nginx\(\)", "Nginx(ratee=3)")
    _edit(project, "group_data/sandbox.py", r'domain="[^"]*"', 'domain="not a domain", postgresql_port=99999')
    pause(deployed.sandbox, deployed.running.hosts[0])
    try:
        done = deployed.cli("apply", "sandbox", "--yes", cwd=project, timeout=20)
    finally:
        resume(deployed.sandbox, deployed.running.hosts[0])
    _refused(
        done, "group_data/all.py:", "ratee is not a setting", "group_data/sandbox.py:", "domain", "postgresql_port"
    )


def test_a_broken_settings_file_is_named_with_its_line(deployed, project):
    path = project / "group_data/sandbox.py"
    path.write_text(path.read_text() + "\nthis is no python\n")
    _refused(deployed.cli("plan", "sandbox", cwd=project), "group_data/sandbox.py:")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("host.address,", 'host.address, "ssh_port": 1,'), ("host1", "connect")),
        (("host.user", '"nobody-here"'), ("host1", "Authentication")),
        (("host.known_hosts", '"/dev/null"'), ("host1", "known_hosts")),
    ],
    ids=["unreachable", "wrong user", "unknown host key"],
)
def test_a_host_that_cannot_be_used_is_explained(deployed, project, change, words):
    _edit(project, "inventories/sandbox.py", *change)
    done = deployed.cli("apply", "sandbox", "--yes", cwd=project)
    _refused(done, *words)


def test_a_wrong_host_key_is_refused(deployed, project, tmp_path):
    import subprocess

    host = deployed.running.hosts[0]
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "known").write_text(f"{host.address} {key.with_suffix('.pub').read_text()}")
    _edit(project, "inventories/sandbox.py", "host.known_hosts", f'"{tmp_path / "known"}"')
    _refused(deployed.cli("plan", "sandbox", cwd=project), "host1", "key")


def test_an_unsupported_system_is_refused_before_anything_changes(mended):
    mended.shell("cd /usr/lib; cp -a os-release os-release.kept; systemctl stop redis-server@health-v1")
    mended.shell("sed -i 's/^VERSION_ID=.*/VERSION_ID=\"14\"/' /usr/lib/os-release")
    _refused(mended.cli("apply", "sandbox", "--yes"), "debian 14 is not supported", "Debian 13")
    assert mended.shell("systemctl is-active redis-server@health-v1 || true").strip() == "inactive"
    mended.shell("cd /usr/lib; mv os-release.kept os-release; systemctl start redis-server@health-v1")


def test_refused_sudo_is_explained(broken):
    broken.shell("rm -f /etc/sudoers.d/*; sed -i '/^admin/d; /^%sudo/d' /etc/sudoers")
    _refused(broken.cli("plan", "sandbox"), "host1", "sudo")


def test_a_secrets_backend_that_is_down_changes_nothing(deployed, project):
    _edit(project, "group_data/sandbox.py", r"address=_running.openbao.address", 'address="http://127.0.0.1:9"')
    _refused(deployed.cli("apply", "sandbox", "--yes", cwd=project), "vault:", "cannot be reached")


def test_a_wrong_token_is_refused_without_being_printed(deployed, project, tmp_path):
    (tmp_path / "token").write_text("s.wrong-token-wrong-token\n")
    _edit(project, "group_data/sandbox.py", r"Token\(file=[^)]*\)", f'Token(file="{tmp_path / "token"}")')
    done = deployed.cli("plan", "sandbox", cwd=project)
    _refused(done, "Permission was denied")
    assert "wrong-token" not in done.stdout + done.stderr


def test_nobody_to_ask_is_no_consent(mended):
    mended.shell("systemctl stop redis-server@health-v1")
    _refused(mended.cli("apply", "sandbox"), "--yes")
    assert mended.shell("systemctl is-active redis-server@health-v1 || true").strip() == "inactive"
    mended.shell("systemctl start redis-server@health-v1")


def test_with_json_a_refusal_is_one_document(deployed):
    code, document = deployed.json("plan", "nowhere")
    assert code == 1
    assert document["faults"][0]["where"] == "nowhere"


def test_a_typo_in_a_command_is_exit_1_because_2_means_changes(deployed):
    assert deployed.cli("plan", "sandbox", "--nonsense").returncode == 1


def test_a_clock_that_is_days_off_is_refused_by_the_plan_with_both_times(deployed):
    wrapper = "/usr/local/sbin/date"
    deployed.shell(f'printf \'#!/bin/sh\\nexec /usr/bin/date -d "+5 days" "$@"\\n\' > {wrapper}; chmod 755 {wrapper}')
    try:
        done = deployed.cli("plan", "sandbox")
    finally:
        deployed.shell(f"rm {wrapper}")
    _refused(done, "host1: Its clock says", "off by 5 days", "date -u -s '20")
    assert deployed.json("plan", "sandbox")[0] == 0


def test_a_secrets_file_that_is_gone_is_not_made_anew_for_a_host_that_was_deployed(deployed, project):
    settings = project / "group_data/sandbox.py"
    text = settings.read_text() + "\nfrom healthv1.secrets.file import EncryptedFile\n"
    settings.write_text(text + 'secrets = EncryptedFile("secrets.age")\n')
    for command in (("plan", "sandbox"), ("secrets", "init", "sandbox")):
        done = deployed.cli(*command, cwd=project)
        assert done.returncode == 1
        assert "file:secrets.age: It is missing, although host1 was deployed to" in done.stderr
        assert not (project / "secrets.age").exists()
