"""A visitor: connects to a host from this machine, and trusts only public or configured roots."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

TIMEOUT = 5.0  # seconds


@dataclass(frozen=True)
class Visitor:
    address: str
    """Where to connect to, whatever the name resolves to from here."""
    domain: str
    trust: str | None = None
    """A file with the root certificate to trust; None for the public ones."""

    def connect(self, port: int) -> socket.socket:
        """Raises OSError."""
        return socket.create_connection((self.address, port), timeout=TIMEOUT)

    def is_open(self, port: int, timeout: float = 1.0) -> bool:
        try:
            with socket.create_connection((self.address, port), timeout=timeout):
                return True
        except OSError:
            return False

    def secured(self, name: str | None = None, newest: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
        """Return a TLS connection whose certificate was checked for `name`. Raises OSError."""
        context = ssl.create_default_context(cafile=self.trust)
        if newest:
            # Nothing is sent over it: it is made to see an old version refused.
            context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, newest
            context.set_ciphers("ALL:@SECLEVEL=0")
        return context.wrap_socket(self.connect(443), server_hostname=name or self.domain)

    def get(
        self,
        path: str,
        *,
        https: bool = True,
        method: str = "GET",
        document: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """Ask, sending `document` as JSON. Raises OSError or http.client.HTTPException."""
        request_headers = {"Host": self.domain, "Connection": "close", **(headers or {})}
        body = None if document is None else json.dumps(document)
        if body:
            request_headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self.domain, timeout=TIMEOUT)
        connection.sock = self.secured() if https else self.connect(80)
        try:
            connection.request(method, path, body, request_headers)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return HttpResponse(response.status, headers, response.read(100_000).decode("utf-8", "replace"))
        finally:
            connection.close()


@dataclass(frozen=True)
class HttpResponse:
    status: int
    headers: dict[str, str]
    """By lower-case name."""
    body: str
