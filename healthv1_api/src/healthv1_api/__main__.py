"""`healthv1-api` and `python -m healthv1_api`: exit 0 done, 1 could not, 2 wrong usage, 78 wrong settings."""

import sys

from healthv1_api.cli import parser
from healthv1_api.errors import ApiError


def main() -> int:
    arguments = parser().parse_args()
    try:
        told = arguments.run(arguments)
    except ApiError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
