"""systemd units: enabled, running, and running with the configuration that is on disk.

A restart follows from a stamp on the host, not from "a file changed in this run": a run that dies between the change
and the restart is mended by the next, and a plan shows it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from deploys.facts.probe import Succeeds
from deploys.facts.unit import Unit, UnitState, state_script
from deploys.operations.change import Change, Commands
from deploys.operations.forecast import forecast
from deploys.paths import STAMPS

# systemctl returns 0 for a process that dies right after its start: what counts is that it is still there,
# not restarted meanwhile, and that its own probe succeeds. Where a step fails, systemctl says no cause.
_TELL_FUNCTION = """tell() { echo "$unit did not become ready; the end of its journal:" >&2
  journalctl --sync 2>/dev/null || true; journalctl -u "$unit" -n 20 --no-pager -o cat >&2; exit 1; }"""
_WAIT_UNTIL_READY = """restarts() { systemctl show -p NRestarts --value -- "$unit"; }
before=$(restarts)
ready() { [ "$(systemctl is-active -- "$unit")" = active ] && sh -c "$probe" >/dev/null 2>&1; }
i=0; until ready; do i=$((i+1))
  if [ $i -gt $((wait * 5)) ] || [ "$(systemctl is-failed -- "$unit")" = failed ] || [ "$(restarts)" != "$before" ]
  then tell; fi
  sleep 0.2; done"""


@operation()
def unit(
    unit: str,
    effect: str,
    restart_on: Sequence[str] = (),
    reload_on: Sequence[str] = (),
    reloadable: str = "",
    test: str = "true",
    probe: str = "true",
    wait: int = 60,
    reload_effect: str = "nobody is interrupted",
    reload_with: str = "",
    unseen: str = "",
    made_by: str = "",
) -> Commands:
    """Have `unit` enabled, active, and running with what is on disk.

    + unit: its canonical name ("redis-server", not the alias "redis").
    + effect, reload_effect: who is interrupted by a restart or a reload, and what happens meanwhile.
    + restart_on, reload_on: files and links whose change needs a restart or a reload; the unit file among them.
    + reloadable: a command that succeeds when the running process can be told to reload; else it is restarted instead.
    + test: a command that must accept the configuration before anything is interrupted.
    + probe: a command that succeeds once the service does its work.
    + wait: how many seconds the probe may take to succeed.
    + reload_with: shell that has it take up what `reload_on` names, where its own reload would do more than that.
    + unseen: what no plan can see while it is down.
    + made_by: the target of an earlier change that makes it all anew: then there is nothing to see yet.
    """
    restart_on, reload_on = tuple(restart_on), tuple(reload_on)
    state = host.get_fact(UnitState, unit=unit, restart_on=restart_on, reload_on=reload_on)
    plan = forecast()
    changed_paths = [path for path in restart_on if path in (*state.restart_on, *plan.pending(path))]
    restart = [path for path in changed_paths if not plan.pending(applied_target(unit, path))]
    reload = [path for path in reload_on if path in (*state.reload_on, *plan.pending(path))]
    if reload and reloadable and not host.get_fact(Succeeds, test=reloadable):
        restart, reload = [*restart, *reload], []
    effects = {"restart": effect, "reload": reload_effect}
    needed_steps = _steps(unit, state, restart, reload, effects, "" if plan.pending(made_by) else unseen)
    # An earlier unit may have had systemd read this one's definition: it still runs with the old one.
    steps = plan.reconcile(f"unit {unit}", needed_steps)
    if not steps:
        host.noop(f"{unit} is as it should be")
        return
    for step in _steps_to_announce(steps):
        plan.announce(step)
    if any(step.action in {"start", "restart"} for step in steps):
        plan.expect(restart_target(unit))
    yield StringCommand(
        "sh",
        "-c",
        QuoteString(
            _script(unit, [step.action for step in steps], restart_on, reload_on, test, probe, wait, reload_with)
        ),
    )


def restart_target(unit: str) -> str:
    """Return what is expected where `unit` is started or restarted."""
    return f"{unit} is restarted"


def applied_target(unit: str, path: str) -> str:
    """Return what is expected where the running `unit` takes `path` up, and need not restart for it."""
    return f"{unit} applies {path}"


def _steps(
    unit: str, state: Unit, restart_on: list[str], reload_on: list[str], effects: dict[str, str], unseen: str
) -> Iterator[Change]:
    if state.masked:
        yield Change("unit", unit, "unmask", "nothing could start it", was="masked", becomes="enabled")
    if not state.active:  # it is enabled with its start
        reason = "it is starting, and does not come up" if state.state == "activating" else "it is not running"
        why = f"{reason}, and {unseen} cannot be seen before it is" if unseen else reason
        yield Change("unit", unit, "start", why, was=state.state, becomes="active")
        return
    if not state.enabled and not state.masked:
        yield Change("unit", unit, "enable", "it would not start with the host", was="disabled", becomes="enabled")
    if restart_on or (state.stale_definition and not state.masked):
        why = _reason(restart_on) or "systemd has not read its definition"
        yield Change("unit", unit, "restart", why, effect=effects["restart"])
    elif reload_on:
        yield Change("unit", unit, "reload", _reason(reload_on), effect=effects["reload"])


def _steps_to_announce(steps: list[Change]) -> list[Change]:
    """Leave out what goes without saying: what started by itself since the plan was made may have to be restarted."""
    starts = any(step.action == "start" for step in steps)
    return [step for step in steps if not starts or step.action in {"unmask", "start"}]


def _reason(paths: list[str]) -> str:
    return f"to take up {', '.join(paths)}" if paths else ""


def _script(
    unit: str,
    steps: list[str],
    restart_on: Sequence[str],
    reload_on: Sequence[str],
    test: str,
    probe: str,
    wait: int,
    reload_with: str,
) -> str:
    quoted = shlex.quote(unit)
    lines = [
        f"set -eu\nunit={quoted} probe={shlex.quote(probe)} wait={wait}",
        _TELL_FUNCTION,
        f"sh -c {shlex.quote(test)} >&2",
    ]
    lines += ["systemctl unmask -- $unit"] * ("unmask" in steps)
    lines.append("systemctl daemon-reload")
    lines += ["systemctl reset-failed -- $unit 2>/dev/null || true"] * ("start" in steps or "restart" in steps)
    # Noted ahead of the step: a change that comes while the unit starts is then not taken for applied.
    for effect, paths in (("restart", restart_on), ("reload", reload_on)):
        lines.append(state_script(unit, effect, paths) + f"; {effect}_now=$now {effect}_stamp=$stamp")
    lines += ["systemctl is-enabled --quiet -- $unit || systemctl enable -- $unit"]
    commands = {step: f"systemctl {step} -- $unit" for step in ("start", "restart", "reload")}
    commands |= {"reload": f"sh -ec {shlex.quote(reload_with)}"} if reload_with else {}
    lines += [f"{commands[step]} || tell" for step in steps if step in commands]
    lines += [_WAIT_UNTIL_READY, f"install -d -m 0700 {STAMPS}"]
    lines += [f'printf "%s\\n" "${effect}_now" > "${effect}_stamp"' for effect in ("restart", "reload")]
    return "\n".join(lines)
