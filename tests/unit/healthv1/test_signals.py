"""Ctrl-C and a cancelled CI job let the running operation end; who insists is heard."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import gevent
import pytest

from healthv1 import signals
from healthv1.commands import apply
from healthv1.commands.secrets import rotate
from healthv1.errors import Fault, LockError
from healthv1.output.terminal import run_guarded
from healthv1.rollout.progress import Progress
from healthv1.secrets import rotation
from healthv1.secrets.entry import Entry
from healthv1.signals import NothingChanged, interrupts_deferred, sigterm_as_interrupt


@pytest.fixture(autouse=True)
def _in_the_foreground():
    """What a shell starts in the background is told to ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _sent(number):
    os.kill(os.getpid(), number)
    gevent.sleep(0.01)


def test_nothing_changed_is_said_of_an_apply_that_was_stopped_at_its_question(monkeypatch, capsys):
    def interrupted(_plan):
        raise KeyboardInterrupt

    results = []
    monkeypatch.setattr(apply, "record", lambda *told: results.append(told[3:4] + told[5:]))
    with pytest.raises(NothingChanged):
        apply._ask_consent(None, None, interrupted, Progress())
    assert results == [("interrupted before the first change",)]
    streams = sys.stdout, sys.stderr
    try:
        assert run_guarded(lambda: apply._ask_consent(None, None, interrupted, Progress()), wants_json=False) == 130
    finally:
        sys.stdout, sys.stderr = streams
    assert capsys.readouterr().err == "\nInterrupted. Nothing was changed.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_remembered_and_said_and_the_second_is_raised(number):
    before, said = signal.getsignal(number), []
    with interrupts_deferred(lambda: said.append("wait")) as stopping:
        assert not stopping()
        _sent(number)
        assert stopping()
        assert said == ["wait"]
        with pytest.raises(KeyboardInterrupt):
            _sent(number)
    assert signal.getsignal(number) is before


def test_a_cancelled_job_is_an_interrupted_one():
    with sigterm_as_interrupt(), pytest.raises(KeyboardInterrupt):
        _sent(signal.SIGTERM)


def test_what_is_to_be_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_deferred(lambda: None) as stopping:
            _sent(signal.SIGINT)
            assert not stopping()
    finally:
        signal.signal(signal.SIGINT, before)


def _has_its_handlers(process):
    """Whether the process catches SIGTERM by now."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_any_command_that_is_stopped_ends_with_130_and_says_that_nothing_was_changed(number):
    argv = [sys.executable, "-m", "healthv1", "secrets", "set", "recorded", "admin_password"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not _has_its_handlers(process):
            assert process.poll() is None
            gevent.sleep(0.02)
        process.send_signal(number)
        assert process.stderr.read().strip() == "Interrupted. Nothing was changed."
    assert process.returncode == 130


def test_what_may_have_been_changed_is_not_denied(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    def said():
        streams = sys.stdout, sys.stderr
        try:
            assert run_guarded(interrupted, wants_json=False) == 130
        finally:
            sys.stdout, sys.stderr = streams
        return capsys.readouterr().err

    monkeypatch.setattr(signals, "_changes", False)
    assert "Nothing was changed." in said()
    signals.changes_begin()
    assert "What was done stays done" in said()


def test_a_rotation_whose_lock_is_lost_records_no_further_step(monkeypatch):
    def lost():
        raise LockError(Fault("host1", "Somebody released our lock by force."))

    session = SimpleNamespace(environment="x", check_lock=lost)
    monkeypatch.setattr(rotate, "apply", lambda *_args: apply.Applied("x", (), 1.0))
    steps = []
    turn = SimpleNamespace(
        secret=SimpleNamespace(key="jwt_secret"),
        entry=Entry.first("a").staged("b"),
        backend=SimpleNamespace(change=lambda *_args: steps.append(1)),
    )
    with pytest.raises(LockError):
        rotation.rotate([turn], lambda: rotate._apply(session, Progress()), lambda _: None, at_once=False)
    assert steps == []
