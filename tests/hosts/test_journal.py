"""What a host's journal tells, who tampers with it is found out, and what cannot be recorded is not begun."""

import pytest

KEPT = "/var/lib/healthv1/journal"
FILE = f"{KEPT}/sandbox.jsonl"
TAMPERINGS = {
    "edited": ("sed -i 2s/sandbox/sandbux/", 2),
    "deleted": ("sed -i 2d", 2),
    "reordered": ("sed -i '2{h;d};3G'", 2),
    "cut": ("sed -i '$d'", None),
}


@pytest.fixture
def read_only(mended):
    """The host's journal lies on a file system that was mounted read-only, as after an error of its disk."""
    mended.shell(f"mount --bind {KEPT} {KEPT}; mount -o remount,bind,ro {KEPT}")
    yield mended
    mended.shell(f"umount {KEPT}")


def test_whoever_tampers_with_a_hosts_journal_is_found_out(deployed, project):
    for _ in range(3):
        assert deployed.cli("plan", "sandbox", cwd=project).returncode == 0
    code, whole = deployed.json("journal", "verify", "sandbox", cwd=project)
    assert (code, whole["broken"], whole["lines"]["operator"]) == (0, [], 3)
    assert deployed.shell(f"stat -c '%a %U' {FILE} {KEPT}") == "600 root\n700 root\n"
    deployed.shell(f"cp -a {FILE} {FILE}.as-it-was")
    for what, (tampering, line) in TAMPERINGS.items():
        deployed.shell(f"{tampering} {FILE}")
        code, found = deployed.json("journal", "verify", "sandbox", cwd=project)
        deployed.shell(f"cp -a {FILE}.as-it-was {FILE}")
        expected = ("host1", line or whole["lines"]["host1"] - 1, what)
        assert (code, expected in [(one["journal"], one["line"], one["what"]) for one in found["broken"]]) == (1, True)
    assert deployed.must("journal", "verify", "sandbox", cwd=project)
    deployed.shell(f"rm {FILE}.as-it-was")


def test_what_cannot_be_recorded_is_not_begun_and_a_plan_only_notes_it(deployed, project, read_only):
    read_only.shell("systemctl stop redis-server@health-v1")
    planned = read_only.cli("plan", "sandbox", cwd=project)
    assert planned.returncode == 2
    assert "the journal there lacks this run" in planned.stderr
    refused = read_only.cli("apply", "sandbox", "--yes", cwd=project)
    assert (refused.returncode, "host1" in refused.stderr) == (1, True)
    assert "Read-only file system" in refused.stderr
    assert "dmesg" in refused.stderr
    assert read_only.shell("systemctl is-active redis-server@health-v1 || true") == "inactive\n"
    assert read_only.json("lock", "show", "sandbox", cwd=project)[1]["hosts"]["host1"]["state"] == "free"
    read_only.shell("systemctl start redis-server@health-v1")
    assert read_only.json("plan", "sandbox", cwd=project)[1]["steps"] == []
