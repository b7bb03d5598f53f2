"""What holds of a host that can be deployed to."""

from __future__ import annotations

from deploys.apt import LIST_INTERRUPTED
from deploys.component import Check


def checks() -> list[Check]:
    return [
        Check(
            "The host resolves its own name",
            'getent hosts "$(hostname)"',
            "add the host's name to /etc/hosts",
        ),
        Check(
            "No installation of packages is cut short",
            f"test -z \"$({{ {LIST_INTERRUPTED}; }} | grep '|yes$')\"",
            "run: dpkg --configure -a && apt-get -f install",
        ),
        Check(
            "A tenth of the disk is free",
            'test "$(df --output=pcent /var | tail -n 1 | tr -dc 0-9)" -le 90',
            "free space on the file system of /var",
        ),
    ]
