"""What a unit runs with is compared with what is on disk, for one unit as for several at once."""

import os
import subprocess

import pytest

from deploys.facts import unit
from deploys.facts.unit import UnitCommand, UnitState, state_script

ESCAPED = r"srv-a\x2db.mount"


def _sh(command):
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def taken_up(monkeypatch, tmp_path):
    """Return a function that notes, as a start of the unit does, what is on disk now."""
    monkeypatch.setattr(unit, "STAMPS", str(tmp_path))

    def note(name, effect, *paths):
        _sh(f'set -eu; {state_script(name, effect, paths)}; printf "%s\\n" "$now" > "$stamp"')

    return note


def _found(*asked):
    """Return what is said of each unit, which has to be what is said of it alone."""
    lines = _sh(UnitCommand.batch(asked)).splitlines()
    found = {one.subject: [line for line in lines if line.startswith(f"{one.subject}\t")] for one in asked}
    assert found == {one.subject: _sh(UnitCommand.batch([one])).splitlines() for one in asked}
    return {name: UnitState().process(said) for name, said in found.items()}


def _write(text, *paths):
    """At one moment, and of one length: only the text tells."""
    for path in paths:
        path.write_text(text)
        os.utime(path, (1, 1))


def test_a_unit_is_to_take_up_what_changed_appeared_or_went_since_its_start(tmp_path, taken_up):
    same, edited, touched, gone, new, link, odd = everything = [
        tmp_path / name for name in ("same", "edited", "touched", "gone", "new", "link", r"it's \x2d one")
    ]
    _write("before", same, edited, touched, gone, odd)
    link.symlink_to(same)
    taken_up("one.service", "restart", *map(str, everything))
    taken_up("two.service", "restart", str(same))
    taken_up("two.service", "reload", str(edited))
    _write("after!", edited, new, odd)
    os.utime(touched, (2, 2))
    gone.unlink()
    link.unlink()
    link.symlink_to(edited)
    found = _found(
        UnitCommand("one.service", [str(path) for path in everything], ()),
        UnitCommand("two.service", (str(same),), (str(edited),)),
        UnitCommand("late.service", tuple(str(path) for path in reversed(everything)), ()),
        UnitCommand("none.service", (str(same),), ()),
        UnitCommand("bare.service", (), ()),
    )
    changed = {str(path) for path in everything if path != same}
    assert set(found["one.service"].restart_on) == changed
    assert (found["two.service"].restart_on, found["two.service"].reload_on) == ((), (str(edited),))
    assert found["none.service"].restart_on == (str(same),), "it was never started by us"
    assert found["bare.service"].restart_on == ()


def test_systemd_is_asked_about_several_units_at_once():
    shown = "LoadState=masked\nActiveState=inactive\n\nLoadState=loaded\nUnitFileState=enabled\nActiveState=active\n"
    command = UnitCommand.batch([UnitCommand("a.service", (), ()), UnitCommand(ESCAPED, (), ())])
    lines = _sh(f"systemctl() {{ printf '%s' '{shown}'; }}\n{command}").splitlines()
    first, second = (
        UnitState().process([line for line in lines if line.startswith(f"{name}\t")]) for name in ("a.service", ESCAPED)
    )
    assert (first.masked, first.active, first.enabled) == (True, False, False)
    assert (second.masked, second.active, second.enabled) == (False, True, True)


@pytest.fixture
def systemctl(monkeypatch, tmp_path):
    """Return a function that has `systemctl show` say one state after the other; the last one stays."""

    def says(*states):
        (tmp_path / "states").write_text("".join(f"{state}\n" for state in states))
        program = tmp_path / "systemctl"
        program.write_text(
            f"#!/bin/sh\necho LoadState=loaded\necho UnitFileState=enabled\ncd {tmp_path}\n"
            'echo "ActiveState=$(head -n 1 states)"; [ "$(wc -l < states)" = 1 ] || sed -i 1d states\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return says


@pytest.mark.parametrize("states", [("activating", "activating", "active"), ("deactivating", "active"), ("reloading",)])
def test_a_unit_on_its_way_is_waited_for_and_one_that_reloads_serves(systemctl, states):
    systemctl(*states)
    assert UnitState().process(_sh(UnitCommand.batch([UnitCommand("a.service", (), ())])).splitlines()).active


def test_a_unit_that_does_not_come_up_is_not_waited_for_without_end(systemctl):
    systemctl("activating")
    assert (
        UnitState().process(_sh(UnitCommand.batch([UnitCommand("a.service", (), ())])).splitlines()).state
        == "activating"
    )
