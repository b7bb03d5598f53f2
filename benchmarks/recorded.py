"""What the sandbox's host answers to a plan, by question as a script words it: python -m benchmarks.recorded."""

# ruff: noqa: E402 - as in healthv1/__main__.py
from gevent import monkey

monkey.patch_all()

import json
import shlex

from healthv1.engine import planner
from healthv1.engine.session import opened


def main() -> None:
    with opened("sandbox") as session:
        made = planner.plan(session)
        if made.steps or made.faults:
            raise SystemExit("The host is not converged: what it answers is no measure.")
        heard = session.hosts[0].connector._remembered  # noqa: SLF001 - of no interest to anybody else
        answers = {question: output.stdout_lines for question, (_, output) in heard.items()}
        print(json.dumps({f"sh -c {shlex.quote(one.command)}": lines for one, lines in answers.items()}))


if __name__ == "__main__":
    main()
