"""A command reaches `sh` whole whatever login shell stands in between, and only what it says itself is heard."""

import os
import shutil
import subprocess

import pytest

from healthv1.hosts.loginshell import CUT_SHORT, ShellCommand

SHELLS = [shell for shell in ("bash", "dash", "zsh", "fish", "tcsh", "csh") if shutil.which(shell)]
HOSTILE = """printf '%s\\n' "it's ! \\\\ $HOME" '!!' 'two
lines'; cat; echo oops >&2; exit 3"""


def _run(told, shell="bash", cut=None, stdin=b"", **environment):
    """Return what was heard of both streams, and the exit code."""
    done = subprocess.run(
        [shell, "-c", told.line],
        input=(told.stdin_prefix + stdin)[:cut],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    said = [list(told.command_output(stream.splitlines(keepends=True))) for stream in (done.stdout, done.stderr)]
    return *("".join(lines) for lines in said), done.returncode


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_and_its_stdin_arrive_as_they_are(shell):
    out, err, code = _run(ShellCommand(HOSTILE), shell, stdin=b"'stdin'\n#x\n", HOME="/h")
    assert out == "it's ! \\ /h\n!!\ntwo\nlines\n'stdin'\n#x\n"
    assert (err, code) == ("oops\n", 3)


def test_no_shell_finds_anything_to_interpret():
    line = ShellCommand(HOSTILE).line
    assert line.count("'") == 2
    assert not set("!\\\n") & set(line)


def test_what_the_login_shell_prints_ahead_is_not_the_commands(tmp_path):
    startup = tmp_path / "bashrc"
    startup.write_text('echo hello; echo oops >&2; printf "\\351 no line break"; printf "nor here" >&2\n')
    told = ShellCommand("echo one; echo two >&2; false")
    assert _run(told, BASH_ENV=str(startup)) == ("one\n", "two\n", 1)
    assert told.started
    assert "hello" in told.noise


def test_what_did_not_arrive_whole_is_not_run_in_part(tmp_path):
    made = tmp_path / "made"
    command = f"touch {made}; : {'x' * 100}"
    for cut in (0, 1, 40, len(ShellCommand(command).stdin_prefix) - 1):
        assert _run(ShellCommand(command), cut=cut)[2] == CUT_SHORT
    startup = tmp_path / "bashrc"
    startup.write_text("head -c 10 >/dev/null\n")  # such as a question that is asked of whoever signs in
    assert _run(ShellCommand(command), BASH_ENV=str(startup))[2] == CUT_SHORT
    assert not made.exists()


def test_whoever_runs_something_else_has_not_begun():
    told = ShellCommand("echo secret")
    assert list(told.command_output([b"This account is currently not available.\n"])) == []
    assert (told.started, told.noise) == (False, ["This account is currently not available."])
