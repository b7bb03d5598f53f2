"""An instance that is about to stop says so first, and lets go of idle connections with their next answer."""

import ctypes
import socket
import struct

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Draining:
    began = False


class LetConnectionsGo:
    def __init__(self, app: ASGIApp, draining: Draining) -> None:
        self._app, self._draining = app, draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._draining.began:
            await self._app(scope, receive, send)
            return

        async def last(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive, last)


SO_ATTACH_FILTER = 26
# Classic BPF (man 7 socket; linux/filter.h): load the TCP flags; with SYN among them drop, else pass.
NO_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


def take_no_new_connection(listener: socket.socket) -> None:
    """Have the kernel ignore whoever begins to connect; who has connected can still be accepted.

    A listener that closes resets the connections that wait in its queue, requests and all. Who is ignored asks again
    after a second, finds it closed, and goes elsewhere.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in NO_SYN))
    filtered = struct.pack("HP", len(NO_SYN), ctypes.addressof(program))
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtered)
