"""Words of a host's, of a colleague's or of a file's are read, and steer no terminal."""

from healthv1 import terminal
from healthv1.errors import Fault

HOSTILE = "\x1b[2Jall is well\rnot\u202eso"
SPELLED = r"\x1b[2Jall is well\rnot\u202eso"


def test_what_a_host_said_of_a_fault_is_spelled_out_line_by_line(capsys):
    terminal.show_faults([Fault("db1", f"It said:\n{HOSTILE}", "look")])
    assert capsys.readouterr().err == f"Error: db1: It said:\n{SPELLED}\nHint:  look.\n"


def test_what_somebody_wrote_is_spelled_out(capsys):
    terminal.say(f"held: {HOSTILE}", bold=True)
    assert capsys.readouterr().out == f"held: {SPELLED}\n"
