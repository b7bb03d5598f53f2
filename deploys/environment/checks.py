"""What holds of the API's environment files."""

from __future__ import annotations

from deploys.component import Check
from deploys.stack import Stack


def checks(stack: Stack) -> list[Check]:
    env, owner = f"{stack.home}/.env", f"{stack.home}/.env.owner"
    has_stray_line, duplicates = f"grep -qvE '^[A-Z][A-Z0-9_]*=' {env}", f"cut -d= -f1 {env} | sort | uniq -d"
    return [
        *(
            Check(
                f"{path} is for root alone: systemd hands over what is in it",
                f'test "$(stat -c "%a %U %G" {path})" = "600 root root" && ! runuser -u {stack.user} -- cat {path}',
                "run: healthv1 apply ENV",
            )
            for path in (env, owner)
        ),
        Check(
            "The first admin's password is not kept on this host",
            f"! grep -q ^INITIAL_ADMIN_PASSWORD= {env} {owner}",
            "run: healthv1 apply ENV",
        ),
        Check(
            f"Every line of {env} is one variable, and each stands there once",
            f'test -s {env} && ! {has_stray_line} && test -z "$({duplicates})"',
            "run: healthv1 apply ENV",
        ),
        Check(
            # Read, not sourced: this runs as root.
            "The master key is 32 bytes, and so is one that is accepted besides",
            f"sed -nE 's/^MASTER_KEY(_ALSO_ACCEPTED)?=//p' {env} | {{ keys=0; while read -r key; do keys=$((keys+1))"
            '; test "$(printf %s "$key" | base64 -d | wc -c)" -eq 32 || exit 1; done; test $keys -gt 0; }',
            "bring back the master key's right version in the backend, then run: healthv1 apply ENV",
        ),
    ]
