"""The deployment account's shell and folders; its name and home are the stack's."""

from __future__ import annotations

from deploys.component import Settings


class User(Settings):
    shell: str = "/bin/bash"
    owned: tuple[str, ...] = ("logs", "data")
    """Folders that the account itself may write."""
    shared: tuple[str, ...] = ("bin", "releases", "scripts")
    """Folders that root writes and the account reads."""
