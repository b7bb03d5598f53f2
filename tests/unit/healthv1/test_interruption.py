"""Ctrl-C and a cancelled CI job let the running operation end; who insists is heard."""

import os
import signal
import sys

import gevent
import pytest

from healthv1 import applying, terminal
from healthv1.interruption import NothingChanged, cancelled_as_interrupted, postponed
from healthv1.progress import Progress


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
    monkeypatch.setattr(applying, "record", lambda *told: results.append(told[3:4] + told[5:]))
    with pytest.raises(NothingChanged):
        applying._agreed(None, None, interrupted, Progress())
    assert results == [("interrupted before the first change",)]
    streams = sys.stdout, sys.stderr
    try:
        assert terminal.guarded(lambda: applying._agreed(None, None, interrupted, Progress()), wants_json=False) == 130
    finally:
        sys.stdout, sys.stderr = streams
    assert capsys.readouterr().err == "\nInterrupted. Nothing was changed.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_remembered_and_said_and_the_second_is_raised(number):
    before, said = signal.getsignal(number), []
    with postponed(lambda: said.append("wait")) as stopping:
        assert not stopping()
        _sent(number)
        assert stopping()
        assert said == ["wait"]
        with pytest.raises(KeyboardInterrupt):
            _sent(number)
    assert signal.getsignal(number) is before


def test_a_cancelled_job_is_an_interrupted_one():
    with cancelled_as_interrupted(), pytest.raises(KeyboardInterrupt):
        _sent(signal.SIGTERM)


def test_what_is_to_be_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with postponed(lambda: None) as stopping:
            _sent(signal.SIGINT)
            assert not stopping()
    finally:
        signal.signal(signal.SIGINT, before)
