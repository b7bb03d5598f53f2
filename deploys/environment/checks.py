"""What holds of the API's environment files."""

from __future__ import annotations

from deploys.component import Check
from deploys.stack import Stack


def checks(stack: Stack) -> list[Check]:
    env, owner = f"{stack.home}/.env", f"{stack.home}/.env.owner"
    return [
        Check(
            f"{env} is for {stack.user} alone",
            f'test "$(stat -c "%a %U %G" {env})" = "600 {stack.user} {stack.user}"',
            "run apply",
        ),
        Check(
            f"{owner} is for root alone",
            f'test "$(stat -c "%a %U %G" {owner})" = "600 root root"',
            "run apply",
        ),
        Check(
            "The master key is 32 bytes",
            f'test "$(. {env} && printf %s "$MASTER_KEY" | base64 -d | wc -c)" -eq 32',
            "the key in the backend is not what the toolkit made: restore the right version of it",
        ),
    ]
