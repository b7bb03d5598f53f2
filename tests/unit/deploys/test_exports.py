"""Nightly exports: which are whole, which go, what a manifest has to agree with, and what is told of the newest."""

import base64
import io
import json
import subprocess

import pytest

from deploys.backup.checks import EXPORT_TIMER, checks
from deploys.backup.configuration import program_file
from deploys.backup.deploy import EXPORT_SCRIPT, _timers
from deploys.backup.settings import Backup, Directory, Export
from deploys.cluster import Cluster
from deploys.faults import Refused
from deploys.stack import Stack
from healthv1_backup import asking, claims, exporting, exports, notes, opening
from healthv1_backup.exporting import Noted
from healthv1_backup.exports import Manifest
from healthv1_backup.processes import Failed
from healthv1_backup.settings import load

DAY, NOW = 86_400, 1_800_000_000
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
BACKUP = Backup(repository=Directory(path="/srv/backup"), export=Export(recipients=(RECIPIENT,)))
CLUSTER, STACK = Cluster(17, 5432), Stack(domain="a.test")
MADE = Manifest("20270115T080000Z", "db1", "health_v1_prod", 17, NOW - 60, NOW, 3, "ab", {"health.patients": 2})


def name(days):
    return exports.name_of(NOW - days * DAY)


@pytest.fixture
def here(tmp_path, monkeypatch):
    for function in (notes.write, notes.read):
        monkeypatch.setattr(function, "__defaults__", (tmp_path,))
    monkeypatch.setattr(notes.measure, "__defaults__", (tmp_path,))
    (tmp_path / "backup.json").write_text(program_file(BACKUP, CLUSTER, STACK, "0a1b", 3))
    return load(tmp_path / "backup.json")


def both(*days):
    return [f"{name(day)}.{end}" for day in days for end in ("age", "json")]


def test_only_what_is_beyond_its_days_goes_and_never_the_newest():
    assert exports.too_old(both(0, 29, 31, 40), 30, NOW) == [
        f"{name(40)}.json",
        f"{name(31)}.json",
        f"{name(40)}.age",
        f"{name(31)}.age",
    ]
    assert exports.too_old(both(100), 30, NOW) == []
    assert exports.too_old([*both(100), f"{name(0)}.age"], 30, NOW) == []  # what is under way is no newer one


def test_halves_go_after_a_day_and_what_is_not_ours_stays():
    halves = [f"{name(2)}.age", f"{name(3)}.json", f"{name(4)}.age{exports.UNFINISHED}", f"{name(0)}.age"]
    others = ["keep.age", "20200101.json", "20200101T000000Z.age.old", f"x{name(50)}.age"]
    assert set(exports.too_old([*halves, *others, *both(0.5)], 30, NOW)) == set(halves[:3])


def test_an_export_without_its_manifest_is_none():
    assert exports.whole([*both(2), f"{name(1)}.age", f"{name(0)}.age{exports.UNFINISHED}"]) == [name(2)]


def test_names_are_moments_of_utc():
    assert exports.moment_of(exports.name_of(NOW)) == NOW


@pytest.mark.parametrize(
    ("size", "sha256", "age", "faults"),
    [(3, "ab", 60, 0), (2, "ab", 60, 1), (3, "ac", 60, 1), (3, "ab", 28 * 3600, 1), (2, "", 9 * DAY, 2)],
)
def test_what_lies_there_has_to_be_what_the_manifest_says_and_not_too_old(here, size, sha256, age, faults):
    assert len(exports.faults(MADE, here, size, sha256, MADE.began + age)) == faults


def test_rows_that_differ_are_told_by_table():
    assert opening.compared({"a.b": 2, "a.c": 1}, {"a.b": 2, "a.c": 1}) == []
    assert opening.compared({"a.b": 2, "a.c": 1}, {"a.b": 1, "a.d": 0}) == [
        "a.b: 1 rows are restored, and 2 were exported",
        "a.c: no rows are restored, and 1 were exported",
        "a.d: 0 rows are restored, and no were exported",
    ]


FILE = b"age-encryption.org/v1\n-> X25519 aa\nbb\n--- cc\n" + b"payload\n--- " * 50


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_file_gets_another_header_wherever_its_pieces_end(size):
    pieces = iter([FILE[at : at + size] for at in range(0, len(FILE), size)])
    new = b"age-encryption.org/v1\nNEW\n"
    assert b"".join(opening._with_header(pieces, new)) == new + b"payload\n--- " * 50


def test_what_the_dump_says_of_itself_is_listened_to():
    report = exporting._Report()
    report.listen(io.BytesIO(b'@begin\n@rows 3 health.patients\n@rows 0 health."Odd"\npg_dump: oh no\n@sha256 abc\n'))
    assert report.tables == {"health.patients": 3, "health.Odd": 0}
    assert (report.sha256, report.why) == ("abc", "pg_dump: oh no")


class Repository:
    """A stand-in for pgBackRest: it puts what comes into a folder, whole or not at all, as that does."""

    def __init__(self, folder, *, refuses=False):
        self.folder, self.refuses = folder, refuses

    def call(self, _settings, command, file):
        if command == "repo-rm":
            return ["rm", "-f", f"{self.folder}/{file}"]
        put = f"cat > {self.folder}/{file}.new && mv {self.folder}/{file}.new {self.folder}/{file}"
        return ["sh", "-c", "echo full >&2; exit 1" if self.refuses else put]


@pytest.fixture
def streamed(here, monkeypatch, tmp_path):
    """Return a function that streams what a script writes; what became of it."""

    def run(script, **options):
        (tmp_path / "export.sh").write_text(script)
        monkeypatch.setattr(exporting, "SCRIPT", str(tmp_path / "export.sh"))
        monkeypatch.setattr(exporting, "AS_POSTGRES", ())
        monkeypatch.setattr(exporting, "run", lambda argv, *_words: subprocess.run(argv, check=False))
        (tmp_path / "repository").mkdir(exist_ok=True)
        monkeypatch.setattr(exports, "call", Repository(tmp_path / "repository", **options).call)
        return exporting._streamed(here, "x.age")

    run.there = lambda: sorted(path.name for path in (tmp_path / "repository").iterdir() if path.suffix != ".new")
    return run


SAYS_SHA = 'tee /dev/fd/3 | sha256sum | { read -r sum _; echo "@sha256 $sum" >&2; }'
WHOLE = f"head -c 3000000 /dev/zero | {{ {SAYS_SHA}; }} 3>&1 1>&2\n"


def test_what_came_whole_lies_there_under_its_name(streamed):
    report, digest, size = streamed(f"echo '@rows 2 health.patients' >&2; {WHOLE}")
    assert (report.tables, size, report.sha256 == digest) == ({"health.patients": 2}, 3_000_000, True)
    assert streamed.there() == ["x.age"]


@pytest.mark.parametrize(
    "script",
    [f"{WHOLE}echo 'pg_dump: broke' >&2; exit 1\n", "head -c 2000000 /dev/zero; echo '@sha256 another' >&2", "exit 3"],
)
def test_what_did_not_come_whole_gets_no_name(streamed, script):
    with pytest.raises(Failed, match="the dump failed"):
        streamed(script)
    assert streamed.there() == []


def test_a_repository_that_does_not_take_it_is_told_in_its_words(streamed):
    with pytest.raises(Failed, match="the repository did not take it: full"):
        streamed(WHOLE, refuses=True)
    assert streamed.there() == []


def test_an_export_that_failed_is_told_and_keeps_when_one_last_succeeded(here, monkeypatch, tmp_path):
    monkeypatch.setattr(exporting, "RUN", tmp_path)
    monkeypatch.setattr(exports, "remove_old", lambda *_words: [])
    monkeypatch.setattr(exporting, "_made", lambda *_words: MADE)
    exporting.export(here)
    assert claims.export_is_recent(here, NOW) == []
    assert claims.export_is_recent(here, NOW + 28 * 3600) == ["the last export that succeeded was 28 h ago"]

    def fails(*_words):
        raise Failed("the dump failed: oh no")

    monkeypatch.setattr(exporting, "_made", fails)
    with pytest.raises(Failed):
        exporting.export(here)
    noted = Noted.read()
    assert (noted.last_success, noted.name, noted.why) == (MADE.began, MADE.name, "the dump failed: oh no")
    assert "the dump failed: oh no" in claims.export_is_recent(here, noted.last_try)[0]
    assert "healthv1_export_success 0\n" in (tmp_path / "export.prom").read_text()


def test_a_host_that_never_exported_says_so(here):
    assert claims.export_is_recent(here, NOW) == ["the last export that succeeded never was"]


IDENTITY = "AGE-SECRET-KEY-1" + "Q" * 58
GOOD = {"name": "20270115T080000Z", "header": base64.b64encode(b"header").decode(), "identity": IDENTITY}


@pytest.mark.parametrize(
    "changed", [{"name": "../x"}, {"header": "no base64"}, {"identity": f"{IDENTITY}\n# more"}, {"more": "x"}]
)
def test_what_opens_an_export_is_that_and_nothing_else(changed, monkeypatch, tmp_path):
    monkeypatch.setattr(asking, "is_active", lambda: False)
    with pytest.raises(Failed, match="is something else"):
        asking.ask(json.dumps({"by": "anna", "export": GOOD | changed}), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["age1short", IDENTITY, "ssh-dss AAAA", f"{RECIPIENT} anna", "-r x"])
def test_recipients_are_public_keys(key):
    with pytest.raises(Refused, match="give a public key") as refused:
        Export(recipients=(key,))
    assert IDENTITY not in str(refused.value)


def test_an_export_needs_a_repository_and_somebody_who_opens_it():
    with pytest.raises(Refused, match="set repository"):
        Backup(export=BACKUP.export)
    with pytest.raises(Refused):
        Export(recipients=())


def test_exports_outlast_a_passphrase_and_no_host_for_drills_makes_any(here):
    assert here.exports == {"folder": "/srv/backup/0a1b/exports", "keep_days": 30, "max_age": 27 * 3600}
    another = json.loads(program_file(BACKUP, CLUSTER, STACK, "0a1b", 4))
    assert another["exports"]["folder"] == here.exports["folder"]
    assert EXPORT_TIMER in _timers(BACKUP, drills_here=False)
    assert EXPORT_TIMER not in _timers(Backup(repository=BACKUP.repository), drills_here=True)


def test_the_claim_stands_where_exports_are_made():
    claimed = [{check.claim for check in checks((), locked=False, exports=made)} for made in (True, False)]
    assert claimed[0] - claimed[1] == {"The newest export for others is as young as its timer has it"}


def test_the_program_and_the_deploy_mean_the_same_script():
    assert exporting.SCRIPT == EXPORT_SCRIPT
