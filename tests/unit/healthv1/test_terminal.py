"""Words of a host's, of a colleague's or of a file's are read, and steer no terminal."""

from deploys.operations.change import Change
from healthv1.cli import results
from healthv1.commands.apply import Applied
from healthv1.errors import Fault
from healthv1.output import terminal
from healthv1.plan import Step

HOSTILE = "\x1b[2Jall is well\rnot\u202eso"
SPELLED = r"\x1b[2Jall is well\rnot\u202eso"


def test_what_a_host_said_of_a_fault_is_spelled_out_line_by_line(capsys):
    terminal.show_faults([Fault("db1", f"It said:\n{HOSTILE}", "look")])
    assert capsys.readouterr().err == f"Error: db1: It said:\n{SPELLED}\nHint:  look\n"


def test_only_hosts_that_were_changed_are_said_to_be(capsys):
    steps = tuple(
        Step(host, "base", "Nginx", "Write", (Change("file", "/x", "create"),)) for host in ("db1", "api2", "db1")
    )
    results.show_outcome(Applied("production", ("db1", "api1", "api2", "mon1"), 3.0, steps))
    assert capsys.readouterr().out == "3 changes made on db1, api2 in 3.0 s.\n"


def test_what_somebody_wrote_is_spelled_out(capsys):
    terminal.say(f"held: {HOSTILE}", bold=True)
    assert capsys.readouterr().out == f"held: {SPELLED}\n"
