"""`make demo`: from nothing to a verified deployment on a disposable host, and where the time went.

On a machine that cannot make hosts it shows a plan for recorded bare hosts instead, and says so.
"""

from __future__ import annotations

import subprocess
import sys
import time

import click

from healthv1.sandbox.requirements import requirements

HEALTHV1 = (sys.executable, "-m", "healthv1")
STEPS = (
    ("sandbox", "up"),
    ("apply", "sandbox", "--yes"),
    ("verify", "sandbox"),
    ("plan", "sandbox"),
)


def main() -> int:
    faults = requirements()
    if faults:
        return _simulated([str(fault) for fault in faults])
    spent: list[tuple[str, float]] = []
    for step in STEPS:
        command = " ".join(("healthv1", *step))
        click.secho(f"\n$ {command}", bold=True)
        started = time.monotonic()
        code = subprocess.run([*HEALTHV1, *step], check=False).returncode
        spent.append((command, time.monotonic() - started))
        if code:
            click.echo(f"\n{command} ended with {code}.", err=True)
            return code
    _sum_up(spent)
    return 0


def _sum_up(spent: list[tuple[str, float]]) -> None:
    click.echo("\nWhere the time went")
    for command, seconds in (*spent, ("all", sum(seconds for _, seconds in spent))):
        click.echo(f"  {seconds:6.1f} s  {command}")
    click.echo("\nLook around:    healthv1 sandbox ssh")
    click.echo("Break something, then: healthv1 plan sandbox; healthv1 apply sandbox")
    click.echo("Take it down:   healthv1 sandbox down")


def _simulated(lacks: list[str]) -> int:
    click.echo("This machine cannot make disposable hosts:\n")
    for lack in lacks:
        click.echo(f"  {lack}")
    click.secho("\nSIMULATED: a plan for bare hosts that were recorded. No server is involved.\n", bold=True)
    code = subprocess.run([*HEALTHV1, "plan", "recorded"], check=False).returncode
    return 0 if code == 2 else code


if __name__ == "__main__":
    sys.exit(main())
