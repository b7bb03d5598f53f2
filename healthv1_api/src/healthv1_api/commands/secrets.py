"""`secrets check`: what is on stdin, and nothing else, is tried."""

import asyncio
import json
import os
import sys
from argparse import Namespace

from healthv1_api.errors import NotAcceptedError, SettingsError
from healthv1_api.proving.tries import reasons


def check(_: Namespace) -> list[str]:
    # Neither our own variables nor libpq's may stand in for what was not given.
    os.environ.clear()
    told = asyncio.run(reasons(_from_stdin()))
    lines = [json.dumps(told)]
    refused = [name for name, reason in told.items() if reason is not None]
    if refused:
        raise NotAcceptedError(refused, lines)
    return lines


def _from_stdin() -> dict[str, object]:
    try:
        given = json.load(sys.stdin)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise SettingsError("stdin: is not one JSON object.", hint='pipe in {"VARIABLE": "value", …}.')
    return given
