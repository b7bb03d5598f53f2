"""A plan that was saved is applied exactly or not at all; drift tells the host from the repository."""

import json
import re
import shutil

import pytest

from tests.hosts.world import REPOSITORY

FILES, KEPT = "/opt/health-v1/.env /etc/pgbouncer/health-v1-userlist.txt", "/root/kept.tar"


@pytest.fixture
def bigger(project):
    """The team's files with one setting of Nginx changed."""
    path = project / "group_data/sandbox.py"
    path.write_text(path.read_text() + "\nfrom deploys.nginx.settings import Nginx\nnginx = Nginx(maximum_body=11)\n")
    return project


def _saved(world, folder, code=2):
    assert world.cli("plan", "sandbox", "--out", "plan.json", cwd=folder).returncode == code
    return folder / "plan.json"


def _refused(world, folder, *words):
    done = world.cli("apply", "./plan.json", cwd=folder)
    assert done.returncode == 1
    for word in words:
        assert word in done.stderr
    return done.stderr


def test_a_saved_plan_is_applied_once_and_a_host_that_moved_is_named(broken, bigger):
    _saved(broken, bigger)
    broken.shell("echo '# by hand' >> /etc/fail2ban/jail.d/health-v1.local")
    _refused(broken, bigger, "host1: Fail2ban: /etc/fail2ban/jail.d/health-v1.local is not as it was.")
    assert "client_max_body_size 10m" in broken.shell("nginx -T 2>&1")
    file = _saved(broken, bigger)
    planned = json.loads(file.read_text())["plan"]["steps"]
    code, applied = broken.json("apply", "./plan.json", cwd=bigger)
    assert (code, applied["steps"]) == (0, planned)
    assert "client_max_body_size 11m" in broken.shell("nginx -T 2>&1")
    _refused(broken, bigger, "This plan was applied already, at ")
    _tells_host_from_repository(broken, bigger)


def _tells_host_from_repository(world, folder):
    assert world.json("drift", "sandbox", cwd=folder)[0] == 0
    world.shell("echo '# by hand' >> /etc/fail2ban/jail.d/health-v1.local")
    # The files of this checkout say otherwise of Nginx than what was applied.
    code, found = world.json("drift", "sandbox", "--prometheus", str(folder / "drift.prom"))
    assert code == 2
    causes = {(one["cause"], one["step"]["component"]) for one in found["drifted"]}
    assert causes >= {("host", "Fail2ban"), ("repository", "Nginx")}
    assert not {("repository", "Fail2ban"), ("host", "Nginx")} & causes
    told = (folder / "drift.prom").read_text()
    assert re.search(r'^healthv1_drift_changes\{.*cause="host".*\} [1-9]', told, re.MULTILINE)


def test_altered_or_overtaken_by_settings_or_for_others_it_is_refused(deployed, bigger):
    file = _saved(deployed, bigger)
    text = file.read_text()
    file.write_text(text.replace('"component": "Nginx"', '"component": "Nginy"', 1))
    _refused(deployed, bigger, "It was altered after it was saved.")
    file.write_text(text)
    shutil.copy(REPOSITORY / "group_data/sandbox.py", bigger / "group_data/sandbox.py")
    _refused(deployed, bigger, "host1: nginx: What group_data or the inventory says of it has changed.")
    assert deployed.json("plan", "sandbox")[1]["steps"] == []


def test_no_secret_stands_in_a_saved_plan_nor_in_any_form_of_it(mended, tmp_path):
    mended.shell(f"tar -cf {KEPT} {FILES}")
    mended.shell(
        "sed -i 's/JWT_SECRET=./JWT_SECRET=x/' /opt/health-v1/.env; echo '# x' >> /etc/pgbouncer/health-v1-userlist.txt"
    )
    file = tmp_path / "plan.json"
    assert mended.cli("plan", "sandbox", "--out", str(file)).returncode == 2
    forms = [mended.cli("show", str(file), *form).stdout for form in ((), ("--json",), ("--markdown",), ("--html",))]
    assert all("JWT_SECRET" in form or "userlist" in form for form in forms)
    secrets = set(mended.kept.values())
    assert len(secrets) >= 8
    leaks = [secret for secret in secrets for text in (file.read_text(), *forms) if secret in text]
    assert leaks == []
    assert file.stat().st_mode & 0o777 == 0o600
    mended.shell(f"tar -C / -xpf {KEPT}; rm {KEPT}")
