"""The database's host and all secrets are lost: the page that lies in a drawer is typed, and everything is back."""

import hashlib
import json
import re
import shlex
from contextlib import suppress
from dataclasses import dataclass

import pytest
import requests

from healthv1.sandbox import power
from healthv1.sandbox.lifecycle import Shape
from healthv1.secrets import age
from tests.hosts.clinic import PSQL, Clinic
from tests.hosts.restores import DROP_IN, PROGRAM, Restores
from tests.hosts.sharing import begin_with_first
from tests.hosts.world import REPOSITORY, World

PAGE = (REPOSITORY / "docs/disaster.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
INVENTORY = """
_hosts = [(host.name, _data[host.name]) for host in _running.playing("replacement")]
database = api = edge = _hosts
drill = []
"""
RESOLVER = 8055
PATIENT = {"identifier": "A-1", "given_name": "Given", "family_name": "Family", "birth_date": "1980-02-29"}


class Disaster:
    """A host that was backed up, and what its owners have after it burnt: the project, an escrow file and its key."""

    def __init__(self, world, project, folder):
        self.world, self.project = world, project
        self.old, self.new = world.running.deployed[0], world.running.playing("replacement")[0]
        self.key, self.escrow = folder / "key", folder / "escrow.age"

    def healthv1(self, *words, **options):
        return self.world.cli(*words, cwd=self.project, **options)

    def export(self):
        self.key.write_text(f"{age.generate_key()}\n")
        recipient = age.public_key(self.key.read_text().strip())
        self.world.must("secrets", "export", "sandbox", "--to", recipient, "--out", str(self.escrow), cwd=self.project)

    def lose_secrets(self):
        """Have the backend hold nothing any more; return what it held."""
        kept = self.world.kept
        for name in kept:
            self.world.openbao("DELETE", f"metadata/{self.world.name}/{name}")
        return kept

    def replace_host(self):
        """Name the bare host in the inventory, and lead the domain to it: so much the page asks for."""
        inventory = self.project / "inventories/sandbox.py"
        inventory.write_text(inventory.read_text() + INVENTORY)
        running = self.world.running
        for way, addresses in (("add-a", [self.new.address]), ("add-aaaa", [self.new.address6])):
            answer = requests.post(
                f"http://{running.gateway}:{RESOLVER}/{way}",
                json={"host": running.domain, "addresses": addresses},
                timeout=10,
            )
            answer.raise_for_status()

    def type(self, command):
        """Run a command of the page as its reader would."""
        return self.healthv1(*self.typed(command)[1:])

    def on_new(self, command):
        return self.world.shell(command, self.world.running.hosts.index(self.new))

    def clinic(self):
        """Return the API as visitors reach it now."""
        return Clinic(Moved(self.world.name, self.world.shape, self.new.address))

    def archive(self):
        """Have everything that was written so far be in the bucket."""
        self.world.shell(f"{PROGRAM} watch")
        segment = self.world.shell(f"{PSQL} -c 'select pg_walfile_name(pg_switch_wal())'").strip()
        ask = f"{PSQL} -c \"select last_archived_wal >= '{segment}' from pg_stat_archiver\""
        self.world.shell(f"until {ask} | grep -q t; do sleep 0.2; done")

    def kill_at(self, step):
        """Have the host's program killed at a step, before there is one."""
        text = f"[Service]\\nEnvironment=HEALTHV1_KILL_AT={step}\\nRestart=no\\n"
        self.on_new(f"mkdir -p {DROP_IN.rpartition('/')[0]}; printf '{text}' > {DROP_IN}; systemctl daemon-reload")

    def kill_no_more(self):
        self.on_new(f"rm -f {DROP_IN}; systemctl daemon-reload")

    def kept_names(self):
        """Return the names that the backend holds."""
        with suppress(requests.HTTPError):  # 404: none
            return self.world.openbao("LIST", f"metadata/{self.world.name}").json()["data"]["keys"]
        return []

    def folders(self):
        """Return the hosts' folders in the bucket."""
        client, bucket = self.world.s3(), self.world.running.s3.bucket
        found = client.list_objects_v2(Bucket=bucket, Prefix="health-v1/", Delimiter="/")
        return [entry["Prefix"].split("/")[1] for entry in found["CommonPrefixes"]]

    def typed(self, command):
        """Return a command of the page with the reader's own words in it."""
        for theirs, ours in (
            ("production", "sandbox"),
            ("FILE", str(self.escrow)),
            ("KEY", str(self.key)),
            ("HOST", self.old.name),
        ):
            command = re.sub(rf"\b{theirs}\b", ours, command)
        return shlex.split(command, comments=True)

    def objects(self, folder):
        """Return every object of a folder in the bucket with its digest, past our own code."""
        client, bucket = self.world.s3(), self.world.running.s3.bucket
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"health-v1/{folder}/")
        return {
            entry["Key"]: hashlib.sha256(client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()).hexdigest()
            for page in pages
            for entry in page.get("Contents", ())
        }


@dataclass
class Moved(World):
    """The sandbox, of which visitors reach another host."""

    address: str = ""

    def __post_init__(self):
        """Take the name as it is."""

    def curl(self, *arguments, url="/health/ready", stdin=None):
        name = f"{self.running.domain}:443:{self.address}"
        return super().curl("--resolve", name, *arguments, url=url, stdin=stdin)


@pytest.fixture
def disaster(_deployed, project, tmp_path):
    """A deployed host with a bare one beside it. It begins with what the tests' other host was, to be quick."""
    with World("test-disaster", Shape(replacement=True)).for_a_while() as world:
        world.up()
        begin_with_first(world, _deployed)
        world.must("apply", "sandbox", "--yes", cwd=project)
        yield Disaster(world, project, tmp_path)


@pytest.mark.long(240)
def test_the_page_in_the_drawer_brings_everything_back(disaster):
    restores, clinic = Restores(disaster.world), Clinic(disaster.world)
    restores.plant(1, 2)
    status, patient = clinic.ask("POST", "/v1/patients", PATIENT)
    assert status == 201, patient
    disaster.healthv1("backup", "now", "sandbox")
    restores.plant(3)
    disaster.archive()
    disaster.export()
    disaster.replace_host()
    restore, verify, backups = (line for line in BLOCKS[0].splitlines() if line.startswith("healthv1 "))

    _is_refused_while_the_lost_host_answers(disaster, restore)
    kept = disaster.lose_secrets()
    power.cut(disaster.world.sandbox, disaster.old)
    _is_refused_without_secrets_and_a_name(disaster)
    folder = disaster.folders()[0]
    before = disaster.objects(folder)
    assert before
    disaster.kill_at("exchanging")
    killed = disaster.type(restore)
    assert (killed.returncode, "It was killed at exchanging" in killed.stderr) == (1, True), killed.stderr
    disaster.kill_no_more()
    done = disaster.type(restore)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"latest out of /health-v1/{folder}/1" in done.stdout
    assert re.search(r"^RTO: \d+ s", done.stdout, re.MULTILINE)
    assert not [name for name, value in kept.items() if value in done.stdout + done.stderr + killed.stdout]

    _has_everything_back(disaster, kept, json.loads(patient))
    assert disaster.objects(folder) == before, "the lost host's folder was written to"
    _is_a_host_like_any_other(disaster, (verify, backups), folder)
    again = disaster.type(restore)
    assert (again.returncode, "Its database holds rows already" in again.stderr) == (1, True), again.stderr


def _is_refused_while_the_lost_host_answers(disaster, restore):
    refused = disaster.type(restore)
    assert refused.returncode == 1
    assert "It answers on port 22: it is not off" in refused.stderr, refused.stderr
    assert disaster.on_new("ls /etc/postgresql /usr/local/lib/healthv1 2>/dev/null || true") == ""


def _is_refused_without_secrets_and_a_name(disaster):
    """All at once; and nothing was generated that would take the place of what is lost."""
    refused = disaster.healthv1("restore", "sandbox", "--onto-new-host", "--yes")
    assert refused.returncode == 1
    assert "--i-have-powered-off host1" in refused.stderr
    assert "#master_key: It is lost" in refused.stderr
    assert "healthv1 secrets restore sandbox FILE --identity KEY" in refused.stderr
    wrong = disaster.healthv1("restore", "sandbox", "--onto-new-host", "--yes", "--i-have-powered-off", "host2")
    assert "The lost host is host1" in wrong.stderr
    assert disaster.kept_names() == []


def _has_everything_back(disaster, kept, patient):
    clinic = disaster.clinic()
    assert disaster.on_new(f"{PSQL} -c 'select n from public.planted order by n'").split() == ["1", "2", "3"]
    status, body = clinic.ask("GET", f"/v1/patients/{patient['id']}")
    assert (status, json.loads(body)["family_name"]) == (200, "Family"), "what is sealed is open"
    status, body = clinic.login("admin", kept["admin_password"])
    assert status == 200, "people have the passwords that they had"
    status, body = clinic.ask("POST", "/v1/patients", {**PATIENT, "identifier": "A-2"})
    assert status == 201, body


def _is_a_host_like_any_other(disaster, commands, folder):
    """Its full backup ends, and the page's other commands are green with it; an apply has nothing to do."""
    full = "health-v1-backup@full.service"
    disaster.on_new(f"while systemctl show -p ActiveState --value {full} | grep -q ing; do sleep 0.5; done")
    disaster.on_new(f"! systemctl is-failed -q {full}")
    for command in commands:
        done = disaster.type(command)
        assert done.returncode == 0, done.stdout + done.stderr
    code, plan = disaster.world.json("plan", "sandbox", cwd=disaster.project)
    assert (code, plan["steps"]) == (0, [])
    assert folder in disaster.folders()
    assert len(disaster.folders()) == 2
    assert disaster.on_new("ls -d /var/lib/postgresql/17/health.restored 2>/dev/null || true") == ""
    checked = disaster.healthv1("backup", "verify", "sandbox")
    assert checked.returncode == 0, checked.stdout + checked.stderr
