"""An instance that is about to stop says so first, and lets go of idle connections with their next answer."""

import socket

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


# ip(7) and ipv6(7); Python has no names for them. RFC 5082: packets that have come farther than told are ignored.
IP_MINTTL, IPV6_MINHOPCOUNT = 21, 73
NOT_ONE_HOP, ANY = 255, 0


def take_no_new_connection(listener: socket.socket) -> None:
    """Have the kernel ignore whoever begins to connect; who has connected can still be accepted.

    A listener that closes resets the connections that wait in its queue, requests and all. Who is ignored asks again
    after a second, finds it closed, and goes elsewhere. (A socket filter would do the same, but kernels refuse it to
    whom they give no privilege.)
    """
    _hear_from(listener, NOT_ONE_HOP)


def hear(connection: socket.socket) -> None:
    """A connection that began just before, and was accepted after, is as deaf as its listener."""
    _hear_from(connection, ANY)


def _hear_from(peer: socket.socket, hops: int) -> None:
    if peer.family == socket.AF_INET6:
        peer.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, hops)
    else:
        peer.setsockopt(socket.IPPROTO_IP, IP_MINTTL, hops)
