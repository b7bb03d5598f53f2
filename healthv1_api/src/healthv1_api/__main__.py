"""`healthv1-api` and `python -m healthv1_api`.

Exit 0: done; 1: could not; 2: wrong usage; 3: something is due; 78: wrong settings or master key.
"""

import sys
from argparse import Namespace
from importlib import import_module

from healthv1_api.cli import parser
from healthv1_api.contained import leave_no_core
from healthv1_api.errors import ApiError


def main() -> int:
    arguments = parser().parse_args()
    leave_no_core()
    try:
        lines = _call(arguments)
    except ApiError as error:
        sys.stdout.writelines(f"{line}\n" for line in error.lines)
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _call(arguments: Namespace) -> list[str]:
    module, _, function = arguments.run.partition(".")
    lines: list[str] = getattr(import_module(f"healthv1_api.commands.{module}"), function)(arguments)
    return lines


if __name__ == "__main__":
    sys.exit(main())
