"""A command on a terminal: each prompt is answered as somebody types, and all that was shown is returned."""

import os
import pty
import select
import signal

PATIENCE = 120  # seconds without a sign of life


def on_a_terminal(argv, cwd, dialogue, environment=None):
    """Run `argv`; `dialogue` is pairs of a prompt and what is typed there, or a function that returns it.

    Returns the exit code and everything that was shown.
    """
    child, terminal = pty.fork()
    if not child:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run in the background
        os.chdir(cwd)
        os.execve(argv[0], argv, {**os.environ, **(environment or {})})
    shown, prompts = "", list(dialogue)
    try:
        while select.select([terminal], [], [], PATIENCE)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
            if prompts and prompts[0][0] in shown:
                _, answer = prompts.pop(0)
                typed = answer() if callable(answer) else answer
                # Nobody types a line after Ctrl-C or Ctrl-D; it could be read ahead of the signal.
                os.write(terminal, (typed if typed in {"\x03", "\x04"} else f"{typed}\n").encode())
    except OSError:  # the other end was closed
        pass
    finally:
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown
