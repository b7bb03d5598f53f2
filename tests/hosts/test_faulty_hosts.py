"""Of several hosts those with a fault are explained, the others planned; nothing is applied unless it was asked for."""

import subprocess

import pytest

FAULTS = {
    "typo": "resolve",
    "gone": "connect",
    "impostor": "key",
    "nosudo": "sudo was refused",
}
_INVENTORY = """
others = [
    (name, {**_hosts[0][1], **found})
    for name, found in {
        "typo": {"ssh_hostname": "no-such-host.invalid"},
        "gone": {"ssh_hostname": "%(gone)s"},
        "impostor": {"ssh_known_hosts_file": "%(known)s"},
        "nosudo": {"ssh_user": "nosudo"},
    }.items()
]
"""


@pytest.fixture
def among_faulty(mended, project, tmp_path):
    """A whole host on which Redis is stopped, among others that cannot be used; in a copy of the team's files."""
    host = mended.running.hosts[0]
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    (tmp_path / "known").write_text(f"{host.address} {(tmp_path / 'key.pub').read_text()}")
    gone = f"{host.address.rpartition('.')[0]}.250"  # nobody has it
    path = project / "inventories/sandbox.py"
    path.write_text(path.read_text() + _INVENTORY % {"gone": gone, "known": tmp_path / "known"})
    path = project / "group_data/all.py"
    settings = path.read_text().replace("Rollout()", "Rollout(connect_timeout=2)")
    path.write_text(f'{settings}\nown_names = ("others",)\n')
    mended.shell(
        "useradd -m nosudo; cp -r ~admin/.ssh ~nosudo; chown -R nosudo: ~nosudo; systemctl stop redis-server@health-v1"
    )
    yield mended
    mended.shell("userdel -rf nosudo 2>/dev/null; systemctl start redis-server@health-v1")


def test_faulty_hosts_are_explained_the_others_planned_and_applied_to_only_with_limit(among_faulty, project):
    code, plan = among_faulty.json("plan", "sandbox", cwd=project, timeout=60)
    assert (code, plan["hosts"]) == (1, ["host1"])
    changes = [(change["action"], change["target"]) for step in plan["steps"] for change in step["changes"]]
    assert changes == [("start", "redis-server@health-v1.service")]
    assert {fault["where"]: fault["what"] for fault in plan["faults"]}.keys() == FAULTS.keys()
    for fault in plan["faults"]:
        assert FAULTS[fault["where"]] in fault["what"], fault
        assert fault["hint"], fault
    refused = among_faulty.cli("apply", "sandbox", "--yes", cwd=project)
    assert refused.returncode == 1
    assert "Nothing was changed on any host." in refused.stderr
    assert "healthv1 apply sandbox --limit host1" in refused.stderr
    assert not among_faulty.eye().service("redis-server@health-v1").is_running
    among_faulty.must("apply", "sandbox", "--yes", "--limit", "host1", cwd=project)
    assert among_faulty.eye().service("redis-server@health-v1").is_running
