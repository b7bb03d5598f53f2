"""A host leaves the inventory: it is told, taken down though that is killed, and holds no secret any more."""

import signal
import subprocess
import sys

from healthv1.sandbox.reach import ssh_command
from tests.hosts.test_secrets_contained import SEARCH, _forms
from tests.hosts.world import quoted

LEAVER = 1
THEIRS = "server { listen 127.0.0.1:8088; return 200 theirs; }"
# The owner has a site and a certificate of his own beside ours by now.
LIVED_IN = f"""echo '{THEIRS}' > /etc/nginx/sites-enabled/theirs && nginx -t -q && systemctl reload nginx
echo kept > /opt/health-v1/data/kept; touch /etc/letsencrypt/renewal/theirs.example.conf"""
ENDED = "Edge: Remove what trusted another authority by hand"


def leaves(world, project):
    """`world` has the database on its first host and all else on the second, which leaves it here."""
    needles = {form for value in world.kept.values() for form in _forms(value)}
    before = found(world, needles)
    assert {"/opt/health-v1/.env", "/opt/health-v1/.env.owner"} <= before, "the search finds a secret"
    assert any("userlist" in path for path in before), before
    world.shell(LIVED_IN, LEAVER)
    _only_what_left_is_taken_down(world, project)
    _inventory(project, "api = edge = []")
    world.must("apply", "sandbox", "--yes", cwd=project)
    code, plan = world.json("plan", "sandbox", cwd=project)
    (left,) = plan["left"]
    assert (code, plan["steps"], left["host"], left["parts"]) == (0, [], "host2", ["api", "edge"])
    assert left["way_out"] in world.must("plan", "sandbox", cwd=project).stdout
    assert left["what"] in world.must("drift", "sandbox", cwd=project).stdout
    assert world.curl().returncode == 0, "no plan and no apply touches it"

    _killed_once_it_has_begun(world, project)
    done = world.must("retire", "sandbox", "host2", "--yes", "--lock-wait", "120", cwd=project)
    assert "secret" in done.stdout
    assert found(world, needles) == set()
    _is_down_and_kept(world)
    again = world.must("retire", "sandbox", "host2", "--yes", cwd=project)
    assert "Nothing to do" in again.stdout
    assert world.json("plan", "sandbox", cwd=project)[1]["left"] == []


def found(world, needles):
    """Return the files of the leaver that hold one of them, and its journal."""
    argv = ssh_command(world.running.hosts[LEAVER], f"sudo sh -c {quoted(SEARCH)}")
    done = subprocess.run(argv, input="\n".join(needles) + "\n", capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def _only_what_left_is_taken_down(world, project):
    refused = world.cli("retire", "sandbox", "host2", "--yes", cwd=project)
    assert (refused.returncode, "take it out of the inventory first" in refused.stderr) == (1, True)
    _inventory(project, "database = []")
    used = world.cli("retire", "sandbox", "host1", "--yes", cwd=project)
    assert (used.returncode, "It still uses host1" in used.stderr) == (1, True), used.stderr


def _inventory(project, line):
    """Have the team's inventory, with one line more; a lock that its holder left is soon free."""
    inventory = project / "inventories/sandbox.py"
    whole = inventory.read_text().partition("\n# changed\n")[0]
    inventory.write_text(f"{whole}\n# changed\n{line}\n")
    settings = project / "group_data/sandbox.py"
    if "lease=" not in settings.read_text():
        lease = "\nfrom deploys.rollout import Rollout\nrollout = Rollout(lease=10)\n"
        settings.write_text(settings.read_text() + lease)


def _killed_once_it_has_begun(world, project):
    argv = [sys.executable, "-m", "healthv1", "retire", "sandbox", "host2", "--yes"]
    running = subprocess.Popen(
        argv, cwd=project, env=world.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    seen = ""
    for line in running.stderr:
        seen += line.decode()
        if ENDED in seen:
            break
    running.send_signal(signal.SIGKILL)
    running.wait()
    running.stderr.close()
    assert ENDED in seen, seen


def _is_down_and_kept(world):
    assert world.shell("cat /opt/health-v1/data/kept", LEAVER) == "kept\n"
    assert world.shell("curl -sS http://127.0.0.1:8088", LEAVER) == "theirs", "the owner's site answers"
    keys = "find /etc/letsencrypt /etc/nginx/tls -name 'privkey*' -o -name health-v1.pem"
    assert world.shell(keys, LEAVER) == "", "the certificate's keys are gone"
    ports = world.shell("ss -Hltn | awk '{print $4}' | sort -u", LEAVER).split()
    assert ports == ["0.0.0.0:22", "127.0.0.1:8088", "[::]:22"]
    assert world.shell("systemctl is-enabled certbot.timer", LEAVER) == "enabled\n", "his certificate is renewed"
    units = "'health-v1-api@*' '*pgbouncer*'"
    assert world.shell(f"systemctl list-units --no-legend --state=active,failed {units}", LEAVER) == ""
    rules = world.shell("iptables -S ufw-user-input; iptables -S INPUT", LEAVER)
    assert "-P INPUT DROP" in rules
    assert [line for line in rules.splitlines() if "--dport" in line and "--dport 22 " not in line] == []
