"""Backups on another host of ours: they arrive, that host cannot read them, and it lets nobody else in."""

import base64
import shutil
import socket
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from deploys.credentials.authority import authorities
from deploys.secret import Secret
from deploys.tls import HostIdentity
from healthv1.sandbox.lifecycle import Shape
from tests.hosts.test_pki import Kept
from tests.hosts.test_secrets_contained import _forms, _found_on_host
from tests.hosts.world import REPOSITORY, World

DATABASE, KEEPER = 0, 1
FOLDER, TLS = "/srv/backup/health-v1", "/etc/health-v1/tls"
UNIT = "health-v1-repository.service"
ASK = "cd /; sudo -u postgres pgbackrest --config-include-path=/etc/health-v1/pgbackrest.d --stanza=health"
PROVES = "The repository of backups proves who it is, with the certificate that lies there"


@pytest.fixture
def kept(tmp_path_factory):
    """A database's host, and a bare one that came to keep its backups, by settings of the team's own."""
    project = tmp_path_factory.mktemp("project")
    for name in ("inventories", "group_data"):
        shutil.copytree(REPOSITORY / name, project / name)
    inventory, settings = project / "inventories/sandbox.py", project / "group_data/sandbox.py"
    keeper = '[(host.name, _data[host.name]) for host in _running.playing("replacement")]'
    # No API: nothing of this depends on one.
    inventory.write_text(f"{inventory.read_text()}\nrepository = {keeper}\napi = edge = []\n")
    before, after = settings.read_text().split("    backup = ")
    ours = "    backup = Backup(repository=RepositoryHost(), reserve=16)\npki = Pki()\n"
    imports = "from deploys.backup.settings import RepositoryHost\nfrom deploys.pki.settings import Pki\n"
    settings.write_text(before.replace("from deploys.certbot", f"{imports}from deploys.certbot", 1) + ours)
    assert "repository=S3(" in after
    with World("test-repository", Shape(replacement=True)).for_a_while() as world:
        world.up()
        done = world.must("apply", "sandbox", "--yes", cwd=project)
        yield SimpleNamespace(world=world, project=project, printed=done.stdout + done.stderr)


def tried(kept, *words, code=0):
    got, document = kept.world.json(*words, cwd=kept.project)
    assert got == code, document
    return document


def broken(kept):
    document = kept.world.json("verify", "sandbox", cwd=kept.project)[1]
    return {(finding["host"], finding["claim"]) for finding in document["findings"] if not finding["holds"]}


def faults(document):
    return " ".join(fault for entry in document["repositories"] for fault in entry["faults"])


@pytest.mark.long(250)
def test_another_host_keeps_the_backups_that_it_cannot_read(kept, subtests):
    """One test: else each worker would deploy both. Each part leaves the hosts as it found them; the last ends it."""
    for part in (
        _backups_arrive_on_the_other_host_and_are_restored_from_it,
        _the_other_host_has_neither_the_passphrase_nor_anything_that_can_be_read,
        _only_the_certificate_for_backups_of_the_databases_host_is_let_in,
        _a_certificate_that_ends_is_claimed_renewed_and_taken_up_by_the_server,
        _a_bit_that_flipped_on_the_other_host_is_named,
        _the_folder_of_an_earlier_passphrase_can_be_removed_there,
        _without_the_setting_the_server_is_stopped,
    ):
        with subtests.test(part.__name__.strip("_").replace("_", " ")):
            part(kept)


def _backups_arrive_on_the_other_host_and_are_restored_from_it(kept):
    world = kept.world
    assert tried(kept, "plan", "sandbox")["steps"] == []
    assert broken(kept) == set()
    done = tried(kept, "backup", "now", "sandbox")
    assert faults(done) == ""
    assert [one["kind"] for one in tried(kept, "backup", "list", "sandbox")["repositories"][0]["backups"]] == [
        "full",
        "incr",
    ]
    tried(kept, "backup", "verify", "sandbox")
    assert "backup.manifest" in world.shell(f"find {FOLDER} -type f", KEEPER)
    tried(kept, "restore", "sandbox")
    tried(kept, "restore", "sandbox", "--discard", "--yes")
    assert world.shell(f"systemctl is-active {UNIT}", KEEPER).strip() == "active"


def _the_other_host_has_neither_the_passphrase_nor_anything_that_can_be_read(kept):
    world = kept.world
    passphrase = world.kept["backup_passphrase"]
    elsewhere = SimpleNamespace(running=SimpleNamespace(hosts=world.running.hosts[KEEPER:]))
    assert _found_on_host(elsewhere, _forms(passphrase)) == set()
    assert _found_on_host(world, {passphrase}) == {"/etc/health-v1/pgbackrest.d/health-v1.conf"}
    plain = "health_v1\\|pg_control\\|PostgreSQL"
    assert world.shell(f"grep -rlaw '{plain}' {FOLDER} || true", KEEPER) == ""
    theirs = "dpkg --verify pgbackrest | grep ' /etc/'; systemctl is-active pgbackrest || true"
    assert world.shell(theirs, KEEPER).strip() == "inactive"
    owners = set(world.shell(f"find {FOLDER} -printf '%u:%g\\n' | sort -u", KEEPER).split())
    assert owners == {"health-v1-backups:health-v1-backups"}


def _only_the_certificate_for_backups_of_the_databases_host_is_let_in(kept):
    world = kept.world
    address = world.running.hosts[KEEPER].address
    ours = f"{ASK} --config=/etc/health-v1/pgbackrest.conf"
    assert "full backup" in world.shell(f"{ours} info")
    stolen = "--repo1-host-cert-file=/run/peer/host.pem --repo1-host-key-file=/run/peer/host.key"
    for place, host in (("this host's own", DATABASE), ("the other host's", KEEPER)):
        pair = [world.shell(f"base64 -w0 {TLS}/host.{kind}", host) for kind in ("pem", "key")]
        said = _asked_with(world, ours, stolen, *pair)
        assert "access denied" in said, place
    world.shell(
        "mkdir -p /run/strange; cd /run/strange; openssl req -x509 -newkey ec -pkeyopt"
        " ec_paramgen_curve:prime256v1 -nodes -days 9 -subj /CN=backup.host1 -keyout key -out pem 2>/dev/null"
    )
    said = _asked_with(
        world, ours, stolen, *(world.shell(f"base64 -w0 /run/strange/{kind}") for kind in ("pem", "key"))
    )
    assert "status: error" in said
    assert "full backup" not in said
    with pytest.raises(TimeoutError), socket.create_connection((address, 8432), timeout=2):
        pass  # the firewall lets in the database's host alone
    [exposed] = tried(kept, "backup", "check", "sandbox")["exposed"]
    verdicts = {one["sentence"].split(":")[0]: one["verdict"] for one in exposed["abilities"]}
    assert verdicts["Deletes and overwrites all backups for good"] == "bad"
    assert verdicts[f"Sees nothing of {address} but the backups' folder."] == "well"


def _asked_with(world, ours, stolen, pem, key):
    world.shell(
        f"mkdir -p /run/peer; echo {pem} | base64 -d > /run/peer/host.pem; echo {key} | base64 -d > /run/peer/host.key;"
        " chown -R postgres /run/peer; chmod 600 /run/peer/host.key"
    )
    return world.shell(f"{ours} {stolen} info 2>&1 || true")


def _a_certificate_that_ends_is_claimed_renewed_and_taken_up_by_the_server(kept):
    world = kept.world
    host = world.running.hosts[KEEPER]
    identity = HostIdentity.of("host1b", (host.address, host.address6)).as_part("repository")
    signer = authorities(Secret("ca_key", 32, backend=Kept(world.kept["ca_key"])))[0]
    public = world.shell(f"openssl pkey -in {TLS}/health-v1-backups.key -pubout", KEEPER)
    begin = datetime.now(timezone.utc) + timedelta(days=25) - timedelta(days=365)
    text = base64.b64encode(signer.issue(identity, public, begin).encode()).decode()
    world.shell(f"echo {text} | base64 -d > {TLS}/health-v1-backups.pem", KEEPER)
    assert broken(kept) == {
        ("host1b", "The certificate of repository.host1b for health-v1-backups lasts 30 days more"),
        ("host1b", PROVES),
    }
    began = world.shell(f"systemctl show -p ExecMainStartTimestampMonotonic {UNIT}", KEEPER)
    done = tried(kept, "apply", "sandbox", "--yes")
    changes = [(one["action"], one["target"]) for step in done["steps"] for one in step["changes"]]
    assert changes == [("renew", f"{TLS}/health-v1-backups.pem"), ("reload", UNIT)]
    assert broken(kept) == set()
    assert world.shell(f"systemctl show -p ExecMainStartTimestampMonotonic {UNIT}", KEEPER) == began
    tried(kept, "backup", "check", "sandbox")


def _a_bit_that_flipped_on_the_other_host_is_named(kept):
    world = kept.world
    largest = f"f=$(find {FOLDER} -path '*/bundle/*' -type f -printf '%s %p\\n' | sort -n | tail -n 1 | cut -d' ' -f2)"
    flip = (
        f'{largest}; python3 -c \'import sys; p = sys.argv[1]; b = bytearray(open(p, "rb").read());'
        ' b[len(b) // 2] ^= 1; open(p, "wb").write(b)\' "$f"'
    )
    world.shell(flip, KEEPER)
    assert "is invalid" in faults(tried(kept, "backup", "verify", "sandbox", code=3))
    world.shell(flip, KEEPER)
    assert faults(tried(kept, "backup", "verify", "sandbox")) == ""


def _the_folder_of_an_earlier_passphrase_can_be_removed_there(kept):
    world = kept.world
    former = f"{FOLDER}/former"
    world.shell(f"d=$(ls -d {FOLDER}/*/1); cp -a $d {former}", KEEPER)
    remove = "from healthv1_backup import retired, settings; print(retired.remove(settings.load(), 1, sys.argv[1]))"
    path = "import sys; sys.path.insert(0, '/usr/local/lib/healthv1/backup')"
    # As whatever archives meanwhile, it has to have pgBackRest's lock there.
    world.shell(
        f'i=0; until python3 -I -B -c "{path}; {remove}" {former} | grep -Fx "[]"; do'
        " i=$((i+1)); [ $i -lt 20 ]; sleep 0.5; done"
    )
    assert world.shell(f"find {former} -type f", KEEPER) == ""
    assert faults(tried(kept, "backup", "verify", "sandbox")) == ""


def _without_the_setting_the_server_is_stopped(kept):
    settings = kept.project / "group_data/sandbox.py"
    text = settings.read_text()
    settings.write_text(text.replace("repository=RepositoryHost()", 'off="tried"'))
    try:
        planned = [one for step in tried(kept, "plan", "sandbox", code=2)["steps"] for one in step["changes"]]
        assert ("stop", UNIT) in [(one["action"], one["target"]) for one in planned]
        settings.write_text(text.replace("pki = Pki()", ""))
        refused = kept.world.cli("plan", "sandbox", cwd=kept.project)
        assert refused.returncode == 1
        assert "add: pki = Pki()" in refused.stderr
    finally:
        settings.write_text(text)
