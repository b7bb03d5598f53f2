"""A word to systemd (sd_notify(3)): sent where NOTIFY_SOCKET says, and nowhere when it is unset."""

import os
import socket


def notify(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as messenger:
        # A leading @ stands for the NUL byte of an abstract address.
        messenger.connect("\0" + address[1:] if address.startswith("@") else address)
        messenger.sendall(state.encode())
