"""An ACME server that hosts reach at the gateway, and a name server that leads its checks to the edge host.

Pebble makes a new root each time it starts; it is saved beside the authority of its own HTTPS.
"""

from __future__ import annotations

import json
from pathlib import Path

import requests

from healthv1.sandbox import certificates
from healthv1.sandbox.addresses import Addresses
from healthv1.sandbox.description import Acme
from healthv1.sandbox.keys import write_private
from healthv1.sandbox.place import Sandbox
from healthv1.sandbox.servers import server
from healthv1.sandbox.waiting import until

NAME = "acme"
RESOLVER = "resolver"
_PORT, _ROOTS_PORT, _RESOLVER_PORT = 14000, 15000, 8053


def start(sandbox: Sandbox, addresses: Addresses, edge: int) -> None:
    """Start both. `edge` is the position of the host that every name leads to."""
    if not server.alive(sandbox, RESOLVER):
        _start_resolver(sandbox, addresses, edge)
    if not server.alive(sandbox, NAME):
        _start_pebble(sandbox, addresses)


def ready(sandbox: Sandbox, addresses: Addresses) -> Acme:
    place = server.directory(sandbox, NAME)
    root = place / "root.pem"

    def saved() -> bool:
        text = _fetch_root(addresses, place)
        if text and (not root.exists() or root.read_text(encoding="utf-8") != text):
            root.write_text(text, encoding="utf-8")
        return bool(text)

    until(saved, server.no_answer_fault(sandbox, NAME), seconds=30)
    return Acme(f"https://{addresses.gateway}:{_PORT}/dir", str(place / "ca.pem"), str(root))


def _fetch_root(addresses: Addresses, place: Path) -> str:
    url = f"https://{addresses.gateway}:{_ROOTS_PORT}/roots/0"
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(url, verify=str(place / "ca.pem"), timeout=5)
        except requests.ConnectionError:
            return ""
    answer.raise_for_status()
    return answer.text


def _start_pebble(sandbox: Sandbox, addresses: Addresses) -> None:
    place = server.directory(sandbox, NAME)
    if not (place / "cert.pem").exists():
        certificates.write(place, [addresses.gateway, addresses.gateway6])
    write_private(place / "config.json", json.dumps({"pebble": _configuration(addresses, place)}, indent=2))
    resolver = f"{addresses.gateway}:{_RESOLVER_PORT}"
    argv = ["pebble", "-config", str(place / "config.json"), "-dnsserver", resolver]
    # No artificial delays and refusals, which test a client's retries: certbot's are not ours to test.
    server.start(sandbox, NAME, argv, {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"})


def _start_resolver(sandbox: Sandbox, addresses: Addresses, edge: int) -> None:
    argv = ["pebble-challtestsrv", "-dns01", f"{addresses.gateway}:{_RESOLVER_PORT}"]
    argv += ["-defaultIPv4", addresses.host(edge), "-defaultIPv6", addresses.host6(edge)]
    argv += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", f"{addresses.gateway}:8055"]
    server.start(sandbox, RESOLVER, argv)


def _configuration(addresses: Addresses, place: Path) -> dict[str, object]:
    return {
        "listenAddress": f"{addresses.gateway}:{_PORT}",
        "managementListenAddress": f"{addresses.gateway}:{_ROOTS_PORT}",
        "certificate": str(place / "cert.pem"),
        "privateKey": str(place / "key.pem"),
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
