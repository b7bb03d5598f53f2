"""`healthv1 export`: what is refused before anything is connected, and what arrived is whole or is not kept."""

import errno
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import gevent
import pytest

from healthv1.backup.receiving import FIRST, Told, _age_file, judge, receive
from healthv1.errors import Refused
from healthv1.output import meter
from healthv1.output.meter import Meter, amount
from healthv1.secrets import age
from healthv1.workspace.atomic_files import arriving, refuse_taken
from tests.terminal import on_a_terminal
from tests.unit.command import healthv1

SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
GOOD = age.public_key(age.generate_key())


def test_every_fault_of_what_was_typed_is_told_at_once_and_nothing_is_connected(tmp_path):
    private = age.generate_key()
    out = tmp_path / "there"
    out.write_text("precious")
    done = healthv1("export", "recordde", "--to", "age1wrong", "--to", private, "--to", GOOD, "--out", str(out))
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("Error:")] == [
        "Error: recordde: There is no inventory of that name.",
        "Error: export: recipient age1wrong: It is no public key.",
        "Error: export: recipient AGE-SECRET-KEY-…: It is a private key.",
        f"Error: {out}: It is there already, and is not replaced.",
    ]
    assert "did you mean recorded?" in done.stderr
    assert private not in done.stdout + done.stderr
    assert out.read_text() == "precious"


def test_a_group_without_a_database_is_told_with_the_rest(project):
    inventory = project / "inventories/recorded.py"
    inventory.write_text(inventory.read_text().replace("database", "monitoring"))
    done = healthv1("export", "recorded", "--to", "age1wrong", "--out", "x.age", cwd=project)
    assert "No host is in database." in done.stderr
    assert "recipient age1wrong" in done.stderr


@pytest.mark.parametrize("missing", ["--to", "--out"])
def test_a_copy_needs_a_recipient_and_a_place(missing):
    options = {"--to": GOOD, "--out": "x.age"}
    given = [word for name, value in options.items() if name != missing for word in (name, value)]
    done = healthv1("export", "recorded", *given)
    assert (done.returncode, f"Missing option '{missing}'" in done.stderr) == (1, True)


def test_a_place_that_takes_no_new_file_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    for path, what in (
        (tmp_path, "there already"),
        (tmp_path / "link", "there already"),
        (tmp_path / "a b/x.age", "There is no folder"),
    ):
        with pytest.raises(Refused) as refusal:
            refuse_taken(path)
        [fault] = refusal.value.faults
        assert what in fault.what
    assert fault.hint == f"mkdir -p '{tmp_path}/a b'"
    refuse_taken(tmp_path / "x.age")


DEAF = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.getuid() == 0 else ()
"""Root is refused nothing unless he gives that up."""


def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    trying = f"import pathlib, healthv1.workspace.atomic_files as a; a.refuse_taken(pathlib.Path('{tmp_path}/x.age'))"
    done = subprocess.run([*DEAF, sys.executable, "-c", trying], capture_output=True, text=True, check=False)
    assert f"The folder {tmp_path} cannot be written to." in done.stderr


def test_what_arrives_has_its_name_only_when_all_of_it_is_there(tmp_path):
    out = tmp_path / "x.age"
    with arriving(out) as file:
        file.write(b"half")
        assert [path.suffix for path in tmp_path.iterdir()] == [".new"]
        file.write(b" and half")
    assert (out.read_bytes(), out.stat().st_mode & 0o777, list(tmp_path.iterdir())) == (b"half and half", 0o600, [out])


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, Refused])
def test_of_what_did_not_arrive_nothing_is_left(tmp_path, error):
    def write():
        with arriving(tmp_path / "x.age") as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("links", [True, False], ids=["disk", "stick"])
def test_a_name_that_is_taken_meanwhile_is_not_taken_over(tmp_path, monkeypatch, links):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    out = tmp_path / "x.age"

    def write():
        with arriving(out) as file:
            file.write(b"ours")
            out.write_text("theirs")

    with pytest.raises(FileExistsError):
        write()
    assert (out.read_text(), list(tmp_path.iterdir())) == ("theirs", [out])
    out.unlink()
    with arriving(out) as file:
        file.write(b"ours")
    assert (out.read_text(), list(tmp_path.iterdir())) == ("ours", [out])


def test_a_key_in_a_journal_is_what_ssh_keygen_shows(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", tmp_path / "key"], check=True)
    key = (tmp_path / "key.pub").read_text()
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True)
    assert age.fingerprint(key) == f"ssh-ed25519 {shown.stdout.split()[1]}"
    assert age.fingerprint(GOOD) == GOOD
    assert age.without_comment(key) == key.removesuffix(" me\n")


def _told(*lines):
    told = Told()
    for line in lines:
        told.take(line)
    return told


WHOLE = ("@rows 2 health.users", f"@sha256 {SHA256_OF_NOTHING}")


@pytest.mark.parametrize(
    ("code", "said", "what", "hint"),
    [
        (1, WHOLE, "The dump failed.", "run it again"),
        (0, WHOLE[:1], "the digests differ", "run it again"),
        (0, (WHOLE[0], "@sha256 00"), "the digests differ", "run it again"),
        (0, WHOLE[1:], "no table yet", "healthv1 apply production"),
        (1, ("@no-age",), "age is not installed", "healthv1 apply production"),
        (1, ("@not-ours",), "does not run there", "healthv1 verify production"),
        (255, ("Connection closed",), "SSH could not get there, or lost it (Connection closed).", "run it again"),
        (255, WHOLE, "SSH could not get there", "run it again"),
        (
            1,
            ("pg_restore: error: too short", "pg_dump: error: why.", "@unreadable"),
            "failed (pg_dump: error: why).",
            "",
        ),
        (1, ("pg_restore: error: damaged", "@unreadable"), "read through (pg_restore: error: damaged).", ""),
        (
            1,
            ("pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout",),
            "locked for more than 60 s",
            "lock show",
        ),
    ],
)
def test_what_is_not_whole_is_told_with_its_reason(code, said, what, hint):
    fault = judge("production", "db1", code, _told(*said), SHA256_OF_NOTHING)
    assert what in fault.what
    assert hint in fault.hint


def test_a_whole_one_is_whole_whatever_a_program_remarks():
    told = _told("pg_dump: warning: there are circular foreign-key constraints", *WHOLE, '@rows 0 health."We ird"')
    assert judge("production", "db1", 0, told, SHA256_OF_NOTHING) is None
    assert told.tables == {"health.users": 2, 'health."We ird"': 0}


def _receive(script, file=None, argv=("bash", "-s")):
    file = io.BytesIO() if file is None else file
    return receive("production", "db1", argv, script, file, lambda _: None), file.getvalue()


SENDING = """{ printf 'hello age'; echo oops >&2; echo @begin >&2
age_file() { echo age-encryption.org/v1; head -c 300000 /dev/zero; }
age_file; echo '@rows 5 t' >&2; echo "@sha256 $(age_file | sha256sum | cut -d' ' -f1)" >&2
exit; }
"""


def test_what_arrives_is_written_and_counted_without_what_a_login_shell_prints_ahead_of_it():
    received, content = _receive(SENDING)
    assert content == b"age-encryption.org/v1\n" + bytes(300000)
    assert (received.size, received.tables) == (len(content), {"t": 5})


@pytest.mark.parametrize("at", [1, 7, 65530, 65540])
def test_an_age_file_is_found_wherever_it_begins(at):
    noise, content = b"#" * at, FIRST + b"rest"
    for size in (1, 5, 1 << 16):
        stream = io.BytesIO(noise + content)
        stream.read = lambda _, read=stream.read, size=size: read(size)
        assert b"".join(_age_file(stream)) == content


def test_what_a_login_shell_says_is_no_reason_of_a_failure():
    told = _told("hello", "@begin", "pg_dump: error: why")
    assert judge("production", "db1", 1, told, "").what == "The dump failed (pg_dump: error: why)."


def test_what_cannot_be_written_ends_the_other_side():
    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left"):
        _receive("{ trap '' TERM; yes age-encryption.org/v1; }\n", Full())  # it ends because nobody reads it any more


def test_an_ssh_that_ends_at_once_is_told_in_its_words():
    with pytest.raises(Refused, match=r"SSH could not get there, or lost it \(no route\)"):
        _receive("x" * 1000000, argv=("sh", "-c", "echo no route >&2; exit 255"))
    with pytest.raises(Refused, match="no-such-ssh: It cannot be started"):
        _receive("", argv=("no-such-ssh",))


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (38093, "38.1 kB"), (2.5e9, "2.5 GB"), (4e15, "4000.0 TB")]
)
def test_sizes_are_read_by_people(size, text):
    assert amount(size) == text


def test_a_log_has_no_progress_but_a_long_silence(capsys, monkeypatch):
    monkeypatch.setattr(meter, "TICK", 0.001)
    with Meter("db1 → x.age") as running:
        running.arrived(2000)
        gevent.sleep(0.05)
        assert capsys.readouterr().err == ""
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 61)
        gevent.sleep(0.05)
    assert capsys.readouterr().err == "db1 → x.age: 2.0 kB, 61 s, nothing new for 61 s\n"


METERED = """
import time, gevent
from healthv1.output import meter
meter.TICK = 0.001
with meter.Meter("db1 → x.age") as running:
    running.arrived(12345678)
    gevent.sleep(0.1)
"""


def test_a_terminal_shows_what_came_and_nothing_is_left_of_it():
    environment = {"CI": "", "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[3])}
    code, shown = on_a_terminal([sys.executable, "-c", METERED], Path(__file__).parents[3], [], environment)
    assert (code, "\r\x1b[Kdb1 → x.age: 12.3 MB, 0 s" in shown, shown.endswith("\r\x1b[K")) == (0, True, True), shown
