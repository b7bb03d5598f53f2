"""What holds of the deployment account."""

from __future__ import annotations

from deploys.component import Check
from deploys.stack import Stack
from deploys.user.settings import User


def checks(settings: User, stack: Stack) -> list[Check]:
    owned = [
        Check(
            f"{stack.home}/{sub} belongs to {stack.user} alone",
            f'test "$(stat -c "%U %a" {stack.home}/{sub})" = "{stack.user} 750"',
            "run: healthv1 apply ENV",
        )
        for sub in settings.owned
    ]
    return [
        Check(
            f"No password opens {stack.user}",
            f"case $(getent shadow {stack.user} | cut -d: -f2) in '!'* | '*'*) ;; *) exit 1 ;; esac",
            f"run: usermod --lock {stack.user}",
        ),
        Check(
            f"{stack.user} cannot write its own code",
            f"! runuser -u {stack.user} -- test -w {stack.home}/releases",
            f"run: chown root:root {stack.home}/releases",
        ),
        *owned,
    ]
