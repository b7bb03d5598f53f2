"""What only the encrypted file does: keys and passphrases, merges, damage, locks, disks."""

import io
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploys.secret import Secret
from healthv1.output.redaction import redactor
from healthv1.secrets import age
from healthv1.secrets.entry import Entry
from healthv1.secrets.file import EncryptedFile, opening
from healthv1.secrets.file.document import SecretsDocument
from healthv1.workspace import atomic_files

SECRETS = (Secret("jwt", 64), Secret("master_key", 32))
PASSPHRASE = "five words drawn by lot"


@pytest.fixture
def path(in_file):
    return Path(in_file.settings["path"])


@pytest.fixture
def kept(in_file):
    """Return a function that gives a backend of one file, which holds three secrets already."""
    for name in ("alpha", "middle", "zeta"):
        in_file.backend().change(name, lambda _: Entry.first("precious-value"))
    return in_file.backend


def _entries(backend):
    return lambda: backend.entries(("alpha", "zeta"))


def test_it_is_text_that_shows_names_and_no_values(kept, path):
    text = path.read_text()
    assert re.findall(r"^\[.*\]$", text, re.MULTILINE) == [
        "[key]",
        "[secret alpha]",
        "[secret middle]",
        "[secret zeta]",
    ]
    assert "precious" not in text
    assert "age1" not in text, "who could encrypt to the file could forge it"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_others_hold_keeps_its_bytes_when_one_changes(kept, path, in_file, document):
    before = document(in_file)
    kept().change("middle", lambda found: found.staged("another"))
    after = document(in_file)
    assert before.key == after.key
    assert [name for name in before.blocks if before.blocks[name] != after.blocks[name]] == ["middle"]


def test_a_path_is_relative_to_the_project(tmp_path, monkeypatch, key_file):
    for folder in ("inventories", "group_data", "deep/below"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep/below")
    backend = EncryptedFile("secrets/production.age", key_file=key_file)
    backend.store(SECRETS)
    assert str(backend) == "file:secrets/production.age"
    assert (tmp_path / "secrets/production.age").is_file()


def _git(place, *argv, check=True):
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *argv], cwd=place, check=check, stdout=subprocess.PIPE, text=True)


def _commit(place, what):
    _git(place, "add", "-A")
    _git(place, "commit", "-qm", what)


def test_git_merges_what_two_people_did_to_different_secrets(kept, path):
    _git(path.parent, "init", "-q")
    _commit(path.parent, "start")
    _git(path.parent, "checkout", "-qb", "theirs")
    kept().change("alpha", lambda found: found.replaced("precious-theirs"))
    kept().change("beta", lambda _: Entry.first("precious-new"))
    _commit(path.parent, "theirs")
    _git(path.parent, "checkout", "-q", "main")
    kept().change("middle", lambda found: found.replaced("precious-ours"))
    kept().change("omega", lambda _: Entry.first("precious-new"))
    _commit(path.parent, "ours")
    _git(path.parent, "merge", "-q", "theirs")
    found = kept().entries(("alpha", "beta", "middle", "omega", "zeta"))
    assert [entry.current.value.removeprefix("precious-") for entry in found.values()] == [
        "theirs", "new", "ours", "new", "value",
    ]  # fmt: skip


def test_a_conflict_of_git_is_named_and_nothing_is_written(kept, path, said):
    _git(path.parent, "init", "-q")
    _commit(path.parent, "start")
    _git(path.parent, "checkout", "-qb", "theirs")
    kept().change("alpha", lambda found: found.replaced("precious-theirs"))
    _commit(path.parent, "theirs")
    _git(path.parent, "checkout", "-q", "main")
    kept().change("alpha", lambda found: found.replaced("precious-ours"))
    _commit(path.parent, "ours")
    assert _git(path.parent, "merge", "-q", "theirs", check=False).returncode == 1
    text = path.read_text()
    line = text.splitlines().index("<<<<<<< HEAD") + 1
    said(_entries(kept()), f"{path}:{line}: It has conflict markers of git", "one side")
    said(lambda: kept().store(SECRETS), "conflict markers")
    assert path.read_text() == text
    _git(path.parent, "checkout", "-q", "--theirs", path.name)
    assert kept().entry("alpha").current.value == "precious-theirs"


def _swapped(text):
    names = {"alpha": "zeta", "zeta": "alpha"}
    return re.sub(r"secret (alpha|zeta)", lambda found: f"secret {names[found[1]]}", text)


DAMAGE = {
    "cut off": lambda text: text[:-200],
    "cut off after a block": lambda text: text[: text.index("[secret zeta]")],
    "twice": lambda text: text.replace("[secret zeta]", "[secret alpha]"),
    "no key": lambda text: text.replace("[key]", "[secret key]"),
    "newer": lambda text: text.replace("format 1.", "format 2."),
    "foreign": lambda _: "a letter to somebody\n",
    "a stray line": lambda text: text.replace("[secret zeta]", "stray\n[secret zeta]"),
    "empty": lambda _: "",
}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("cut off", ("cut off", "git checkout")),
        ("cut off after a block", ("cut off",)),
        ("twice", ("stands there twice",)),
        ("no key", ("key is missing",)),
        ("newer", ("format is not 1", "update healthv1")),
        ("foreign", ("no secrets file of ours",)),
        ("a stray line", ("No block can begin like that",)),
        ("empty", ("no secrets file of ours",)),
    ],
)
def test_what_is_damaged_is_refused_with_the_line_and_stays_as_it_is(kept, path, said, how, words):
    damaged = DAMAGE[how](path.read_text())
    path.write_text(damaged)
    for work in (_entries(kept()), kept().names, lambda: kept().store(SECRETS)):
        fault = said(work, *words)
        assert re.fullmatch(rf"file:{re.escape(str(path))}:\d+", fault.where)
    assert path.read_text() == damaged


def test_blocks_that_changed_places_are_all_refused_at_once(kept, path, refusal):
    path.write_text(_swapped(path.read_text()))
    faults = refusal(_entries(kept()))
    assert {fault.where for fault in faults} == {f"file:{path}#alpha", f"file:{path}#zeta"}
    assert all("It is the block of another secret" in fault.what for fault in faults)
    assert kept().entry("middle").current.value == "precious-value"


def test_a_block_that_was_tampered_with_or_made_for_another_file_is_refused(kept, path, in_file, document, said):
    found = document(in_file)
    lines = found.blocks["alpha"].splitlines()
    lines[-2] = lines[-2][:-6] + ("AAAA" if lines[-2][-6:-2] != "AAAA" else "BBBB") + lines[-2][-2:]
    path.write_text(found.with_block("alpha", "\n".join(lines)).text())
    said(lambda: kept().entry("alpha"), f"{path}#alpha: It is damaged or was tampered with", "git log")
    forged = age.encrypt(b'{"name": "alpha"}', [age.public_key(age.generate_key())])
    path.write_text(found.with_block("alpha", forged).text())
    said(lambda: kept().entry("alpha"), f"{path}#alpha: The key does not open it")


def test_the_planning_of_a_file_that_is_not_there_asks_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "getpass", lambda _: pytest.fail("it asked"))
    backend = EncryptedFile(tmp_path / "not/there.age")
    assert backend.missing(SECRETS) == SECRETS
    assert SECRETS[0].bind(backend).reveal()
    assert backend.names() == ()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def typed(monkeypatch):
    """Return what was asked at the terminal, and a list of what is typed next."""
    asked, answers = [], []
    for name in ("HEALTHV1_PASSPHRASE", "HEALTHV1_PASSPHRASE_FILE", "HEALTHV1_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda _: True})())
    monkeypatch.setattr(opening, "getpass", lambda prompt: asked.append(prompt) or answers.pop(0))
    return asked, answers


def test_a_passphrase_is_asked_for_twice_then_once_and_then_remembered(tmp_path, typed, said):
    asked, answers = typed
    path = tmp_path / "secrets.age"
    answers += [PASSPHRASE, PASSPHRASE]
    made = EncryptedFile(path)
    made.store(SECRETS)
    assert len(asked) == 2
    answers += [PASSPHRASE]
    again = EncryptedFile(path)
    assert again.entries(("jwt", "master_key")) == made.entries(("jwt", "master_key"))
    again.change("jwt", lambda found: found.staged("two"))
    assert len(asked) == 3
    answers += ["something else"]
    before, wrong = path.read_text(), EncryptedFile(path)
    for _ in range(2):  # as two hosts would
        said(lambda: wrong.missing(SECRETS), f"file:{path}: The passphrase is wrong")
    assert len(asked) == 4
    assert path.read_text() == before
    assert PASSPHRASE not in redactor.redact(PASSPHRASE)


def test_a_new_passphrase_that_is_short_or_mistyped_makes_no_file(tmp_path, typed, said):
    _, answers = typed
    path = tmp_path / "secrets.age"
    answers += ["short"]
    said(lambda: EncryptedFile(path).store(SECRETS), "fewer than 12 characters")
    answers += [PASSPHRASE, "another passphrase"]
    said(lambda: EncryptedFile(path).store(SECRETS), "The two passphrases differ")
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_the_passphrase_comes_from_where_ci_puts_it(tmp_path, monkeypatch, said):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    path = tmp_path / "secrets.age"
    said(lambda: EncryptedFile(path).store(SECRETS), "no terminal to ask at", "HEALTHV1_PASSPHRASE_FILE")
    (tmp_path / "passphrase").write_text(f"{PASSPHRASE}\n")
    monkeypatch.setenv("HEALTHV1_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    EncryptedFile(path).store(SECRETS)
    monkeypatch.delenv("HEALTHV1_PASSPHRASE_FILE")
    monkeypatch.setenv("HEALTHV1_PASSPHRASE", PASSPHRASE)
    assert EncryptedFile(path).missing(SECRETS) == ()
    monkeypatch.setenv("HEALTHV1_PASSPHRASE_FILE", "/nowhere/passphrase")
    said(lambda: EncryptedFile(path).missing(SECRETS), "/nowhere/passphrase cannot be read")


@pytest.fixture
def ssh_key(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id"], check=True)
    return tmp_path / "id"


def test_a_team_opens_it_with_keys_of_their_own(tmp_path, key_file, ssh_key, said, monkeypatch):
    path, team = tmp_path / "team.age", (age.public_key(key_file.read_text()), ssh_key.with_suffix(".pub").read_text())
    made = EncryptedFile(path, recipients=team)  # whoever makes it needs no key for that
    made.store(SECRETS)
    for key in (key_file, ssh_key):
        assert EncryptedFile(path, key, team).entry("jwt") == made.entry("jwt")
    assert EncryptedFile(path, key_file, team).sealed_to() == tuple(one.strip() for one in team)
    assert [holds for _, holds, _ in EncryptedFile(path, key_file, team).self_checks()] == [True]
    assert [holds for _, holds, _ in EncryptedFile(path, key_file, team[:1]).self_checks()] == [False]
    said(lambda: EncryptedFile(path).missing(SECRETS), "opens with a key, and none is set", "HEALTHV1_KEY_FILE")
    (tmp_path / "other").write_text(age.generate_key())
    said(lambda: EncryptedFile(path, tmp_path / "other").missing(SECRETS), "The key does not open it")
    said(lambda: EncryptedFile(path, tmp_path / "nowhere").missing(SECRETS), "nowhere cannot be read")
    monkeypatch.setenv("HEALTHV1_KEY_FILE", str(ssh_key))  # as CI has it, whatever group_data says
    assert EncryptedFile(path, tmp_path / "nowhere").missing(SECRETS) == ()


def test_a_key_file_alone_is_the_only_recipient(tmp_path, key_file, ssh_key):
    for key in (key_file, ssh_key):
        EncryptedFile(tmp_path / f"{key.name}.age", key).store(SECRETS)
        assert len(EncryptedFile(tmp_path / f"{key.name}.age", key).sealed_to()) == 1


def test_each_wrong_recipient_is_named_and_no_file_is_made(tmp_path, refusal):
    backend = EncryptedFile(tmp_path / "x.age", recipients=("age1wrong", "ssh-rsa wrong"))
    faults = refusal(lambda: backend.store(SECRETS))
    assert [fault.where.rpartition(" recipient ")[2] for fault in faults] == ["age1wrong", "ssh-rsa wrong"]
    assert list(tmp_path.iterdir()) == []


def test_a_second_person_is_added_and_a_first_one_removed_by_a_new_key(kept, path, in_file, ssh_key, said, document):
    before, values = document(in_file), kept().entries(("alpha", "zeta"))
    both = {"recipients": (*in_file.settings["recipients"], ssh_key.with_suffix(".pub").read_text())}
    kept(**both).rekey()
    assert kept(key_file=ssh_key).entries(("alpha", "zeta")) == values
    assert _entries(kept())() == values
    after = document(in_file)
    assert not set(before.blocks.values()) & set(after.blocks.values())
    kept(key_file=ssh_key, recipients=both["recipients"][1:]).rekey()
    said(_entries(kept()), "The key does not open it")
    assert kept(key_file=ssh_key).entries(("alpha", "zeta")) == values


def test_keys_give_way_to_a_passphrase_and_a_passphrase_to_keys(kept, path, key_file, typed, said, monkeypatch):
    _, answers = typed
    values = kept().entries(("alpha", "zeta"))
    monkeypatch.setenv("HEALTHV1_KEY_FILE", str(key_file))  # group_data names none any more
    answers += [PASSPHRASE, PASSPHRASE]
    EncryptedFile(path).rekey()
    monkeypatch.setenv("HEALTHV1_PASSPHRASE", "another passphrase")
    said(_entries(EncryptedFile(path)), "The passphrase is wrong")
    monkeypatch.setenv("HEALTHV1_PASSPHRASE", PASSPHRASE)
    kept().rekey()
    assert kept().entries(("alpha", "zeta")) == values
    said(EncryptedFile(path.with_name("nowhere.age")).rekey, "It is not there yet")


def test_what_a_killed_process_left_is_removed(kept, path):
    left = path.parent / f".{path.name}.abcd.new"
    left.write_text("half of it")
    os.utime(left, (0, 0))
    kept().change("alpha", lambda found: found.staged("two"))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_disk_that_is_full_loses_nothing(kept, path, said):
    before = path.read_bytes()
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        said(lambda: kept().change("alpha", lambda found: found.staged("two")), "cannot be written", "as it was")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_folder_that_takes_no_files_is_named(key_file, said):
    said(lambda: EncryptedFile("/proc/x.age", key_file).store(SECRETS), "file:/proc/x.age", "cannot be written")
    said(lambda: EncryptedFile("/proc/self/mem", key_file).missing(SECRETS), "file:/proc/self/mem")


def test_a_writer_that_takes_too_long_is_not_waited_for_forever(kept, path, said, monkeypatch):
    monkeypatch.setattr(atomic_files, "PATIENCE", 0.1)
    with atomic_files.folder_locked(path):
        said(lambda: kept().change("alpha", lambda found: found.staged("two")), "another process has been writing")


def test_a_name_that_could_break_the_file_is_refused(kept, path, said):
    before = path.read_text()
    said(lambda: kept().change("a]\n[secret b", lambda _: Entry.first("precious")), "letters, digits")
    assert path.read_text() == before


def test_what_was_read_is_written_as_it_was(kept, path):
    assert SecretsDocument.parsed(path.read_text()).text() == path.read_text()


BY_HAND = r"""
sed -n '/^\[key\]/,/END AGE/p' "$1" | sed 1d | age -d -i "$2" > file-key
sed -n '/^\[secret alpha\]/,/END AGE/p' "$1" | sed 1d | age -d -i file-key
rm file-key
"""


@pytest.mark.skipif(not shutil.which("age"), reason="the tool age is not installed")
def test_the_age_tool_reads_it_as_documented(kept, path, key_file, tmp_path):
    argv = ["sh", "-euc", BY_HAND, "sh", path, key_file]
    printed = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, cwd=tmp_path).stdout
    assert '"name": "alpha"' in printed
    assert "precious-value" in printed
