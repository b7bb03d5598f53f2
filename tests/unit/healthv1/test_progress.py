"""Progress is calm where it is kept, and on a terminal takes no more lines than there are."""

import io
import logging
import os
import re
import sys

import pytest

from healthv1.output.redaction import RedactingStream, redactor
from healthv1.rollout import progress as module
from healthv1.rollout.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def on_terminal(monkeypatch):
    """Return a function that shows a stage on these hosts on a terminal of six lines, and returns what was shown."""

    def show(hosts, **environment):
        for name in ("CI", "TERM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(module, "_size", lambda: os.terminal_size((60, 6)))
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", RedactingStream(terminal, redactor))
        _one_stage(Progress(), hosts)
        return terminal.getvalue()

    return show


def _one_stage(progress, hosts):
    with progress:
        progress.stage_begun("base", dict.fromkeys(hosts, 2))
        for host in hosts:
            progress.started(host, "base", "Nginx", "Write the site")
        for host in hosts:
            progress.ended(host, "base", "Nginx", "Write the site", changed=host == hosts[0])
        progress.trying("base", {hosts[0]: 7})
        progress.stage_ended("base")


def test_what_the_engine_warns_of_is_said_among_the_lines(capsys):
    log = logging.getLogger("healthv1")
    with Progress() as progress:
        progress.stage_begun("base", {"web1": 1})
        log.warning("No answer from %s for %.0f s", "web1", 15)
    assert not log.handlers
    assert "[   0.0 s] No answer from web1 for 15 s" in capsys.readouterr().err


def _untimed(text):
    return re.sub(r"\[ *[\d.]+ s\]|in [\d.]+ s", "", text)


def test_without_a_terminal_each_stage_and_each_change_has_a_line(capsys):
    _one_stage(Progress(), ["web1", "web2"])
    printed = capsys.readouterr()
    assert not printed.out
    assert _untimed(printed.err).splitlines() == [
        " Stage base begins on web1, web2",
        "   web1  Nginx: Write the site",
        "   web1  7 claims are tried",
        " Stage base ended: 1 operation made changes ",
    ]


def test_ci_is_no_terminal_even_if_it_has_one(on_terminal):
    shown = on_terminal(["web1"], CI="true")
    assert "Stage base begins on web1" in shown
    assert "\x1b" not in shown
    assert "operations  " not in shown


def test_on_a_terminal_each_host_at_work_has_a_line_with_its_count(on_terminal):
    shown = on_terminal(["web1", "web2"])
    assert "web1 · base  0/2 operations  0 s  Nginx: Write the site …" in shown
    assert "web2 · base  1/2 operations" in shown


def test_of_many_hosts_no_more_are_shown_than_the_terminal_has_lines(on_terminal):
    shown = on_terminal([f"web{number}" for number in range(50)])
    assert max(int(lines) for lines in re.findall(r"\x1b\[(\d+)A", shown)) < 6
    assert "… and 47 hosts more" in shown
    drawn = [line for line in re.sub(r"\x1b\[\d*[AJ]|\r", "", shown).splitlines() if "operations  " in line]
    assert drawn
    assert all(len(line) < 60 for line in drawn)


def test_of_a_secret_that_has_no_room_on_the_terminal_nothing_is_shown(on_terminal):
    redactor.add("a-secret-that-is-longer-than-what-is-left-of-the-line")
    for before in range(0, 60, 7):
        assert "xa-" not in on_terminal([f"{'x' * before}a-secret-that-is-longer-than-what-is-left-of-the-line"])


def test_what_was_drawn_is_taken_back_at_the_end(on_terminal):
    assert "operations  " not in on_terminal(["web1", "web2"]).rpartition("\x1b[J")[2]
