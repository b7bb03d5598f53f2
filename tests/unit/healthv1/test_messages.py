"""What goes wrong ahead of any host is one clear error each: no traceback, not 0, and the file or command is named."""

import os
import subprocess
import sys
from itertools import pairwise

import pytest

from tests.terminal import on_a_terminal
from tests.unit.command import REPOSITORY, healthv1

DEAF = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.getuid() == 0 else ()
"""Root is refused nothing unless he gives that up."""


def _errors(done, *, code=1):
    """Return its errors, each as one line, when it ended as it should."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "unforeseen" not in done.stderr
    lines = done.stderr.splitlines()
    return [f"{one} {after}" for one, after in pairwise(lines) if one.startswith("Error: ")]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("plann", "x"), "Error: No such command 'plann'. Did you mean 'plan'? Hint:  healthv1 --help"),
        (("plan",), "Error: Missing argument 'ENV'. Hint:  healthv1 plan --help"),
        (("secrets", "rotate", "x"), "Error: Missing argument 'NAME…'. Hint:  healthv1 secrets rotate --help"),
        (("secrets",), "Error: healthv1 secrets needs to be told what to do. Hint:  healthv1 secrets --help"),
        (("lock", "shwo", "x"), "Error: No such command 'shwo'. Did you mean 'show'? Hint:  healthv1 lock --help"),
        (
            ("verify", "productoin"),
            "Error: productoin: There is no inventory of that name. Hint:  did you mean production?",
        ),
        (("drift", "nowhere"), "Hint:  known: cluster, production, recorded, sandbox"),
    ],
)
def test_what_was_typed_wrongly_names_the_command_that_helps(typed, said):
    [error] = _errors(healthv1(*typed))
    assert error.endswith(said)


BROKEN = [
    ("group_data/recorded.py", "x = (", "group_data/recorded.py:12: '(' was never closed."),
    ("group_data/recorded.py", "raise SystemExit(0)", "group_data/recorded.py:12: It ends the program,"),
    ("group_data/all.py", "exit()", "It ends the program,"),
    ("group_data/recorded.py", "a = '\udcff'", "group_data/recorded.py: It is no text in UTF-8."),
    ("group_data/recorded.py", "a = 1\0", "group_data/recorded.py: source code string cannot contain null bytes."),
    (
        "inventories/recorded.py",
        "database = [('h1',)]",
        "inventories/recorded.py: Its hosts cannot be read (IndexError",
    ),
    ("inventories/recorded.py", "database = [('h1', 'x')]", "inventories/recorded.py: Its hosts cannot be read"),
    ("inventories/recorded.py", "exit()", "inventories/recorded.py:34: It ends the program,"),
    ("inventories/recorded.py", "database = api = edge = []", "inventories/recorded.py: It names no host."),
]


@pytest.mark.parametrize(("file", "line", "said"), BROKEN, ids=[f"{file} {said}" for file, _, said in BROKEN])
def test_a_file_that_is_broken_is_named_and_never_taken_for_done(project, file, line, said):
    with (project / file).open("ab") as broken:
        broken.write(f"{line}\n".encode(errors="surrogateescape"))
    [error] = _errors(healthv1("plan", "recorded", cwd=project))
    assert said in error


def test_every_broken_file_is_named_at_once(project):
    (project / "group_data/all.py").write_bytes(b"\xff")
    (project / "group_data/recorded.py").write_text("exit(0)\n")
    errors = _errors(healthv1("verify", "recorded", cwd=project))
    assert [error.split(": ")[1] for error in errors] == ["group_data/all.py", "group_data/recorded.py:1"]


@pytest.mark.parametrize("locked", ["group_data", "group_data/recorded.py", "inventories", "inventories/recorded.py"])
def test_what_may_not_be_read_is_named(project, locked):
    before = (project / locked).stat().st_mode
    (project / locked).chmod(0)
    try:
        argv = [*DEAF, sys.executable, "-m", "healthv1", "plan", "recorded"]
        done = subprocess.run(argv, cwd=project, capture_output=True, text=True, check=False)
    finally:
        (project / locked).chmod(before)
    [error] = _errors(done)
    assert error.startswith(f"Error: {locked}: ")
    assert "cannot be read (Permission denied)." in error


def test_what_all_hosts_meet_alike_is_said_once(project):
    path = project / "group_data/recorded.py"
    text = path.read_text().replace(
        "healthv1.secrets.rehearsal import Rehearsal", "healthv1.secrets.vault import Vault"
    )
    path.write_text(text.replace("Rehearsal()", 'Vault(address="127.0.0.1:8200", path="x")'))
    argv = [sys.executable, "-m", "healthv1", "plan", "recorded"]
    environment = {**os.environ, "VAULT_TOKEN": "x"}
    done = subprocess.run(argv, cwd=project, env=environment, capture_output=True, text=True, check=False)
    [error] = _errors(done)
    assert "Its address does not say how to get there. Hint:  begin it with https://" in error


def test_made_up_secrets_seal_no_plan_and_nobody_is_sent_to_make_them():
    [error] = _errors(healthv1("plan", "recorded", "--out", "/tmp/none/plan.json"))
    assert "Secrets that are made up seal no plan" in error
    assert "init" not in error


@pytest.mark.parametrize(("typed", "code"), [("n", 1), ("\x03", 130), ("\x04", 130)])
def test_who_declines_and_who_interrupts_at_a_question_hears_that_nothing_was_changed(typed, code):
    argv = [sys.executable, "-m", "healthv1", "secrets", "rotate", "recorded", "data_keys"]
    ended, shown = on_a_terminal(argv, REPOSITORY, [("[y/N]: ", typed)])
    assert ended == code
    assert "Nothing was changed." in shown
    assert ("Interrupted." in shown) == (code == 130)
