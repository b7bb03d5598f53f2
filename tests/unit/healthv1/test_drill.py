"""The evidence of drills is believed only when the pinned key signed it and the chain is whole."""

import base64
import json
import subprocess
from types import SimpleNamespace

import pytest

from deploys.backup.settings import S3, Backup, Directory
from deploys.credentials import master_key
from deploys.secret import Secret, Version
from healthv1.cli.drill import exit_code
from healthv1.commands import drill as work
from healthv1.commands.drill import RanDrill, RanDrills
from healthv1.drill import evidence, html, text
from healthv1.drill.escrowed import EscrowedSecrets, Opening, opening
from healthv1.drill.evidence import DrillEvidence, HostEvidence, Judge, Remembered
from healthv1.drill.signatures import Pins
from healthv1.errors import Fault, Refused
from healthv1.secrets.entry import Entry, now
from healthv1.secrets.escrow import Escrow
from healthv1_backup import evidence as on_host


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    file = tmp_path_factory.mktemp("key") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return file


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory, key):
    """What a host hands over after three drills."""
    folder = tmp_path_factory.mktemp("drills")
    for result in ("passed", "failed", "passed"):
        on_host.write({"result": result, "why": [], "keys": "the host's"}, folder, key)
    return {"key": on_host.public_key(key), "drills": on_host.kept(folder)}


@pytest.fixture
def pins(tmp_path, handed_over):
    made = Pins("production", "db1", str(tmp_path / "known_hosts"))
    assert made.pin(handed_over["key"])
    return made


def _judged(document, pins, remembered=()):
    return Judge(pins.key, pins.verifies, remembered).judge("db1", document)


def _changed(document, number, **values):
    drills = [{**file, **values} if file["number"] == number else file for file in document["drills"]]
    return {**document, "drills": drills}


def _faults(judged):
    return [*judged.faults, *(f"{drill.number}: {fault}" for drill in judged.drills for fault in drill.faults)]


def test_whole_evidence_is_believed(handed_over, pins):
    judged = _judged(handed_over, pins)
    assert judged.believed
    assert [drill.passed for drill in judged.drills] == [True, False, True]


def test_a_host_without_a_drill_is_believed(handed_over, pins):
    assert _judged({**handed_over, "drills": []}, pins).believed


def test_a_changed_file_is_not(handed_over, pins):
    changed = handed_over["drills"][1]["text"].replace("failed", "passed")
    assert _faults(_judged(_changed(handed_over, 2, text=changed), pins)) == [
        "2: the pinned key did not sign it",
        "3: it knows another drill 2 than the one that lies there",
    ]


def test_a_file_that_is_none_is_told(handed_over, pins):
    assert "2: it is no evidence of a drill" in _faults(_judged(_changed(handed_over, 2, text="[1"), pins))


def test_a_missing_signature_is_told(handed_over, pins):
    assert _faults(_judged(_changed(handed_over, 2, signature=""), pins)) == ["2: its signature is missing"]


def test_a_drill_that_was_taken_out_is_told(handed_over, pins):
    drills = [file for file in handed_over["drills"] if file["number"] != 2]
    assert _faults(_judged({**handed_over, "drills": drills}, pins)) == ["3: drill 2 before it is missing"]
    assert _faults(_judged({**handed_over, "drills": handed_over["drills"][2:]}, pins)) == [
        "3: drills 1 to 2 before it are missing"
    ]


def test_a_drill_in_the_place_of_another_is_told(handed_over, pins):
    other = handed_over["drills"][0]
    swapped = _changed(handed_over, 2, text=other["text"], signature=other["signature"])
    assert "2: it says that it is drill 1" in _faults(_judged(swapped, pins))


def test_a_cut_end_is_told_by_what_the_journal_remembers(handed_over, pins):
    newest = _judged(handed_over, pins).newest
    line = json.dumps({"drills": {"db1": {"number": 3, "digest": newest.digest}}})
    remembered = evidence.remembered(["no json", '{"drills": []}', line], "db1")
    assert _judged(handed_over, pins, remembered).believed
    cut = {**handed_over, "drills": handed_over["drills"][:2]}
    assert _faults(_judged(cut, pins, remembered)) == ["drill 3 is missing, which your journal remembers"]


def test_a_chain_made_anew_with_the_hosts_own_key_is_told_by_the_journal(handed_over, pins, key, tmp_path):
    for _ in range(3):
        on_host.write({"result": "passed"}, tmp_path / "anew", key)
    anew = {"key": handed_over["key"], "drills": on_host.kept(tmp_path / "anew")}
    assert _judged(anew, pins).believed  # the key is the thief's as well
    noted = Remembered(2, _judged(handed_over, pins).drills[1].digest)
    assert _faults(_judged(anew, pins, [noted])) == ["drill 2 is another one than your journal remembers"]


def test_another_key_is_told(handed_over, tmp_path):
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    pins = Pins("production", "db1", str(tmp_path / "known_hosts"))
    pins.pin(on_host.public_key(other))
    faults = _faults(_judged(handed_over, pins))
    assert faults[0] == "the host has another key than the one that is pinned"
    assert "1: the pinned key did not sign it" in faults


def test_without_a_pin_nothing_is_believed(handed_over, tmp_path):
    judged = _judged(handed_over, Pins("production", "db1", str(tmp_path / "known_hosts")))
    assert judged.faults == ("no key of this host is pinned: whoever made the signatures is unknown",)


def test_the_first_key_stays_pinned(pins, handed_over):
    before = pins.file.read_text()
    assert not pins.pin("ssh-ed25519 AAAAanother")
    assert pins.file.read_text() == before
    assert Pins("production", "db2", str(pins.file.parent / "known_hosts")).key == ""
    assert Pins("staging", "db1", str(pins.file.parent / "known_hosts")).pin("ssh-ed25519 AAAAanother")
    assert pins.key == " ".join(handed_over["key"].split()[:2])


def test_a_pin_lies_in_the_project_where_the_inventory_names_no_known_hosts_file(tmp_path, monkeypatch):
    for folder in ("inventories", "group_data"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    assert Pins("production", "db1").file == tmp_path / "drills/drill_signers"


def test_a_drill_is_no_proof_for_another_purpose(handed_over, pins, key):
    other = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", "git"]
    signature = subprocess.run(other, input="text", capture_output=True, text=True, check=True).stdout
    assert not pins.verifies("text", signature)


CONTENT = {
    "result": "failed",
    "why": ["repository 1: a <b>byte</b> is wrong"],
    "keys": "the host's",
    "asked_by": "timer",
    "began": "2026-11-29T04:00:00+00:00",
    "ended": "2026-11-29T04:00:09+00:00",
    "rpo_seconds": 57.8,
    "rto_seconds": 2.8,
    "versions": {"postgresql": "17"},
    "restores": [
        {
            "repository": 1,
            "folder": "/srv/backup/a/1",
            "backup": "20261129-020000F",
            "kind": "full",
            "target": "the latest moment",
            "seconds_to_restore": 1.4,
            "seconds_to_serve": 2.8,
            "proof": {
                "lost": 57.8,
                "timeline": 2,
                "schema": ["0008"],
                "master_keys": [],
                "told": [],
                "tables": [{"database": "health", "name": "health.patients", "copy": 12, "live": 13}],
            },
        }
    ],
}


def _drill(result="passed", faults=(), **more):
    content = {**CONTENT, "result": result, **more}
    return DrillEvidence(1, json.dumps(content), "", content, faults)


def test_people_read_what_was_found():
    lines = list(text.lines(HostEvidence("db1", (_drill("failed"),))))
    assert lines[0] == "db1: 1 drill, signed by the pinned key, and the chain is whole"
    assert lines[1].startswith("✗ 1  2026-11-29 04:00:09 UTC  timer, with the host's keys  failed  RPO 58 s  RTO 2.8 s")
    assert list(text.detail_lines(_drill()))[-2].strip().startswith("1 table, 12 rows")
    assert list(text.lines(HostEvidence("db1"))) == ["db1: no drill ran yet"]
    unreadable = DrillEvidence(1, "[", "", {}, ("it is no evidence of a drill",))
    assert any("unreadable" in line for line in text.drill_lines(unreadable))


def test_the_page_shows_it_and_runs_nothing():
    hosts = [HostEvidence("db1", (_drill("failed"), DrillEvidence(2, "[", "", {}, ("it is no evidence",))), ("a < b",))]
    page = html.document("production", hosts, "2026-11-29")
    assert "a &lt;b&gt;byte&lt;/b&gt; is wrong" in page
    assert "not to be believed" in page
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "health.patients" in page


def _ran(result="passed", faults=(), opened=None):
    return RanDrill(HostEvidence("db1", (), faults), _drill(result), opened)


@pytest.mark.parametrize(
    ("drills", "faults", "code"),
    [
        ([_ran()], (), 0),
        ([_ran("failed")], (), 3),
        ([_ran("cut short")], (), 3),
        ([_ran("not tried")], (), 4),
        ([_ran("escrow does not open")], (), 5),
        ([_ran(opened=Opening(holds=True, what="opens"))], (), 0),
        ([_ran(opened=Opening(holds=False, what="does not"))], (), 5),
        ([_ran(), _ran("not tried"), _ran("failed")], (), 3),
        ([_ran(faults=("no key of this host is pinned",))], (), 1),
        ([_ran()], (Fault("db2", "It does not answer."),), 1),
    ],
)
def test_each_end_of_a_drill_has_its_exit_code(drills, faults, code):
    assert exit_code(RanDrills("production", tuple(drills), faults)) == code


# What the API's MasterKey made of 32 times "k", with the first of these keys, as a "data" key.
WRAPPED = (
    "d6586624bf59af59c219413546beed529cb4984da04df1f809b1c1f2c4e8"
    "3243d39c6f45a4b3616e741d5517d24558f5fbf019f85815a8c8531b5656"
)
KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2)]


def test_the_master_key_out_of_escrow_opens_what_the_api_sealed():
    wrapped = bytes.fromhex(WRAPPED)
    data_key = {"id": "3", "purpose": "data", "master": "abc", "wrapped": WRAPPED}
    versions = (Version(2, KEYS[1]), Version(1, KEYS[0]))
    assert opening(data_key, versions) == Opening(holds=True, what="the master key out of escrow opens data key 3")
    assert not opening(data_key, versions[:1]).holds
    assert not opening({**data_key, "purpose": "index"}, versions).holds
    assert opening({}, versions).holds
    assert not master_key.opens("no base64", wrapped, "data")


def test_an_escrow_file_without_the_passphrase_is_refused(tmp_path):
    held = EscrowedSecrets(
        tmp_path / "escrow.age", Escrow("vault:m/p", now(), {"master_key": Entry.first(KEYS[0])}), "production"
    )
    assert held.master_keys(Secret("master_key")) == (Version(1, KEYS[0]),)
    with pytest.raises(Refused, match="It does not hold backup_passphrase"):
        held.repository_keys(_backup())


def test_the_repository_is_opened_with_escrows_passphrase(tmp_path):
    held = {"backup_passphrase": Entry.first("out-of-escrow")}
    keys = EscrowedSecrets(tmp_path / "e", Escrow("vault:m/p", now(), held), "production").repository_keys(_backup())
    assert "repo1-cipher-pass=out-of-escrow" in keys.splitlines()


def _backup():
    return Backup(repository=Directory(path="/srv/backup"))


READS = Backup(
    repository=S3(
        bucket="backups", endpoint="s3.test", region="eu-1", read_credentials=Secret("backup_read_credentials")
    )
)
PASSPHRASE, WRITES = Entry.first("out-of-escrow"), Entry.first("HOST:writes")


def test_the_repository_is_read_with_the_key_that_reads(tmp_path):
    held = {"backup_passphrase": PASSPHRASE, "backup_read_credentials": Entry.first("READER:reads")}
    keys = EscrowedSecrets(tmp_path / "e.age", Escrow("vault:m/p", now(), held), "production").repository_keys(READS)
    assert "repo1-s3-key=READER" in keys.splitlines()


def test_an_escrow_file_from_before_there_was_a_key_that_reads_opens_the_backups_as_well(tmp_path):
    held = {"backup_passphrase": PASSPHRASE, "backup_credentials": WRITES}
    keys = EscrowedSecrets(tmp_path / "e.age", Escrow("vault:m/p", now(), held), "production").repository_keys(READS)
    assert "repo1-s3-key=HOST" in keys.splitlines()


def _session(*names, failed=(), limit=()):
    """A session of db1 and drill1, of which some did not answer, and some were not asked."""
    groups = {"db1": ["database"], "drill1": ["drill"]}
    hosts = [SimpleNamespace(name=name, groups=groups[name], data={"backup": _backup()}) for name in names]
    asked = [host for host in hosts if not limit or host.name in limit]
    faults = {host.name: [Fault(host.name, "It does not answer.")] for host in asked if host.name in failed}

    def refuse_faults():
        Refused.unless(fault for host_faults in faults.values() for fault in host_faults)

    alive = [host for host in asked if host.name not in failed]
    return SimpleNamespace(
        environment="production", all_hosts=hosts, hosts=alive, faults=faults, refuse_faults=refuse_faults
    )


@pytest.mark.parametrize(
    ("session", "chosen"),
    [
        (_session("db1"), "db1"),
        (_session("db1", "drill1"), "drill1"),
        (_session("db1", "drill1", limit=("db1",)), "db1"),
        (_session("db1", "drill1", failed=("db1",)), "drill1"),
    ],
)
def test_the_host_for_drills_is_asked_where_there_is_one(session, chosen):
    assert [host.name for host in work._chosen(session)] == [chosen]


def test_no_other_host_takes_the_place_of_one_for_drills_that_does_not_answer():
    with pytest.raises(Refused, match="drill1"):
        work._chosen(_session("db1", "drill1", failed=("drill1",)))
