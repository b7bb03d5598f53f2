"""One visitor does his worst, from one address and from a whole network of IPv6; everybody else is served."""

import json
import re
import resource
import secrets
import socket
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

import pytest

IPV6_FREEBIND = 78  # of linux/in6.h
HALVES = 8_200
"""Half requests at once: more than both workers have connections for."""
SERVED = 100
"""Requests of somebody else meanwhile, each with a connection of its own: one may fail."""
ORIGIN = "https://app.sandbox.test"


@dataclass
class Attacker:
    """Whoever has the address, or in `network` as many as he likes, and reaches the host at `at`."""

    world: object
    address: str
    at: str
    network: IPv6Network | None = None

    def source(self):
        return str(IPv6Address(int(self.network[0]) + secrets.randbits(64))) if self.network else self.address

    def socket(self):
        opened = socket.socket(socket.AF_INET6 if self.network else socket.AF_INET)
        if self.network:  # no interface has the address
            opened.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        opened.bind((self.source(), 0))
        return opened

    def connecting(self, port):
        """Return a socket that is about to be connected."""
        opened = self.socket()
        opened.setblocking(False)
        opened.connect_ex((self.at, port))
        return opened

    def connected(self, port=443):
        opened = self.socket()
        opened.settimeout(10)
        opened.connect((self.at, port))
        if port == 80:
            return opened
        trusted = ssl.create_default_context(cafile=self.world.running.acme.root_file)
        return trusted.wrap_socket(opened, server_hostname=self.world.running.domain)

    def _exchanged(self, text, port=443):
        with self.connected(port) as opened:
            opened.sendall(text.encode())
            return b"".join(iter(lambda: opened.recv(65536), b"")).decode()

    def says(self, text, port=443):
        """Return what is answered to these bytes: the status, the headers by lower-case name, and the body."""
        head, _, body = self._exchanged(text, port).partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body

    def logs_in(self, times):
        """Return the statuses of so many logins over one connection."""
        one = f"POST /v1/auth/login HTTP/1.1\r\nHost: {self.world.running.domain}\r\nContent-Length: 0\r\n"
        return re.findall(
            r"HTTP/1\.1 (\d+)", self._exchanged(f"{one}\r\n" * (times - 1) + f"{one}Connection: close\r\n\r\n")
        )


@contextmanager
def _also_on(family, kind, *words):
    """Have this machine's network one address or route richer."""
    subprocess.run(["ip", family, kind, "add", *words], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", family, kind, "del", *words], check=True)


@pytest.fixture
def address(deployed):
    """An attacker with one address beside the operator's."""
    gateway = deployed.running.gateway
    beside = gateway.rsplit(".", 1)[0] + ".98"
    bridge = _bridge(gateway)
    with _also_on("-4", "addr", f"{beside}/24", "dev", bridge):
        yield Attacker(deployed, beside, deployed.running.edge.address)
    deployed.shell("systemctl restart nginx")  # which forgets whom it has counted


@pytest.fixture
def network(deployed):
    """An attacker with a network of 2^64 addresses, all of which reach the host."""
    inside = re.search(r"inet6 (fd\S+)/64", deployed.shell("ip -6 -o addr show dev host0"))[1]
    bridge = _bridge(deployed.running.gateway)
    outside = re.search(
        r"inet6 (fd\S+)/64",
        subprocess.run(
            ["ip", "-6", "-o", "addr", "show", "dev", bridge], capture_output=True, text=True, check=True
        ).stdout,
    )[1]
    his = IPv6Network((int(IPv6Address(outside)) >> 64 << 64 | 0xA77A << 80, 64), strict=False)
    deployed.shell(f"ip -6 route replace {his} via {outside}")
    with _also_on("-6", "route", "local", str(his), "dev", "lo"):
        yield Attacker(deployed, "", inside, his)
    deployed.shell(f"ip -6 route del {his}; fail2ban-client unban --all; systemctl restart nginx")


def _bridge(gateway):
    shown = subprocess.run(
        ["ip", "-o", "-4", "addr", "show", "to", gateway], capture_output=True, text=True, check=True
    )
    return shown.stdout.split()[1]


@pytest.fixture
def many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], HALVES + 2000), max(before[1], HALVES + 2000)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("whose", ["address", "network"])
@pytest.mark.parametrize(("port", "half"), [(80, b"GET / HTTP/1.1\r\nHost: api\r\n"), (443, b"")])
def test_half_requests_by_the_thousand_keep_nobody_else_out(deployed, request, many_files, whose, port, half):
    attacker = request.getfixturevalue(whose)
    with ExitStack() as held:
        opened = [held.enter_context(attacker.connecting(port)) for _ in range(HALVES)]
        time.sleep(0.5)
        living = sum(_said(one, half) for one in opened)
        statuses = _served(deployed)
        assert sum(status != "200" for status in statuses) <= SERVED / 100, statuses
        connected = int(deployed.shell(f"ss -Htn state established 'sport = :{port}' | wc -l"))
        assert connected <= 256 + 50, f"{living} of {HALVES} were let in"


def _said(opened, half):
    try:
        opened.send(half)
    except OSError:
        return False
    return True


def _served(world):
    """Return the statuses of somebody else's requests."""
    url = f"https://{world.running.domain}/health/ready?n=[1-{SERVED}]"
    statuses = world.curl(
        "--http1.1", "-H", "Connection: close", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}\n", url=url
    )
    return (statuses.stdout.split() + ["none"] * SERVED)[:SERVED]


FROM_API = 401
"""How the API answers whoever has not logged in."""
UPLOADS, HELD = 34, 8_900_000


def _uploads(attacker):
    """Begin an upload and hold it; return the socket."""
    opened = attacker.connected()
    head = f"POST /v1/patients HTTP/1.1\r\nHost: {attacker.world.running.domain}\r\nContent-Length: {HELD + 1}\r\n\r\n"
    with suppress(OSError):  # it may be refused amid
        opened.sendall(head.encode() + bytes(HELD))
    return opened


def _upload(world):
    """Return how somebody else's whole upload is answered: the status, the headers by lower-case name, and the body."""
    return _answered(world, "-X", "POST", "--data-binary", "@/dev/stdin", url="/v1/patients", stdin="x" * 200_000)


def _answered(world, *arguments, **options):
    head, _, body = world.curl("-i", *arguments, **options).stdout.partition("\n\n")
    first, *lines = head.splitlines()
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


def test_held_uploads_of_one_visitor_take_no_room_from_others(deployed, address):
    with ThreadPoolExecutor(8) as pool, ExitStack() as held:
        opened = list(pool.map(_uploads, [address] * UPLOADS))
        for one in opened:
            held.enter_context(one)
        # Not du: nginx removes the name of such a file while it writes.
        used = int(deployed.shell(f"{IN_NGINX} df -m --output=used /var/lib/nginx/body").split()[1])
        assert 0 < used <= 60, f"{used} MB of the memory for all bodies"
        assert _upload(deployed)[0] == FROM_API


IN_NGINX = "nsenter -m -t $(systemctl show -p MainPID --value nginx)"


def test_where_there_is_no_room_for_a_body_its_sender_is_told_to_come_again(deployed):
    deployed.shell(f"{IN_NGINX} sh -c 'head -c 400M /dev/zero > /var/lib/nginx/body/full || true'")
    try:
        status, headers, body = _upload(deployed)
    finally:
        deployed.shell(f"{IN_NGINX} rm /var/lib/nginx/body/full")
    assert (status, headers["retry-after"], headers["content-type"]) == (503, "5", "application/problem+json")
    assert json.loads(body)["title"] == "Service Unavailable"
    assert _upload(deployed)[0] == FROM_API


def test_a_body_is_as_large_as_its_route_needs(deployed):
    for path, size, status in (
        ("/v1/auth/login", 17_000, 413),
        ("/v1/auth/login", 10_000, 422),
        ("/health", 2_000, 413),
        ("/v1/patients", 9_000_000, FROM_API),
        ("/v1/patients", 11_000_000, 413),
    ):
        given = ("-X", "POST", "--data-binary", "@/dev/stdin")
        answer = deployed.curl(*given, "-o", "/dev/null", "-w", "%{http_code}", url=path, stdin="x" * size)
        assert answer.stdout == str(status), (path, size)
    # Of a body without a stated length nobody knows beforehand how much room it takes.
    undeclared = ("-T", "-", "-X", "POST", "-o", "/dev/null", "-w", "%{http_code}")
    assert deployed.curl("--http2", *undeclared, url="/v1/patients", stdin="x" * 200_000).stdout == "413"
    assert deployed.curl("--http2", *undeclared, "-X", "GET", url="/v1/patients", stdin="x" * 200_000).stdout == "413"
    assert deployed.curl("--http1.1", *undeclared, url="/v1/patients", stdin="x" * 200_000).stdout == str(FROM_API)


def test_logins_are_counted_by_the_network_and_who_goes_on_is_banned_with_all_of_it(deployed, network):
    statuses = [status for _ in range(60) for status in network.logs_in(1)]
    assert set(statuses) == {"422", "429"}
    assert statuses.count("422") < 11 + 10, "each address of the network had a share of its own"
    for _ in range(11):
        assert set(network.logs_in(100)) <= {"422", "429"}
    for _ in range(60):
        if str(network.network) in deployed.shell("fail2ban-client get health-v1-nginx-limits banip"):
            break
        time.sleep(0.5)
    else:
        pytest.fail(deployed.shell("tail -n 30 /var/log/fail2ban.log; tail -n 3 /var/log/nginx/health-v1-access.log"))
    time.sleep(1)
    with pytest.raises(OSError):  # noqa: PT011 - refused, by whichever word
        network.connected()
    assert _served(deployed) == ["200"] * SERVED
    code, report = deployed.json("verify", "sandbox")
    assert code == 0, [one for one in report["findings"] if not one["holds"]]


MALFORMED = {
    "GET /%00 HTTP/1.1": 400,
    f"GET /{'a' * 9 * 1024} HTTP/1.1": 414,
    "CONNECT other.test:443 HTTP/1.1": 400,
    "GET * HTTP/1.1": 400,
    "OPTIONS * HTTP/1.1": 400,
    "TRACE / HTTP/1.1": 405,
    "NONSENSE": 400,
    "GET / HTTP/9.1": 505,
    "POST /v1/patients HTTP/1.1\r\nTransfer-Encoding: gzip": 501,
    f"GET / HTTP/1.1\r\nX-Long: {'a' * 40_000}": 400,
}


@pytest.mark.parametrize("port", [80, 443])
def test_whatever_cannot_be_read_is_answered_as_a_problem_in_json(deployed, address, port):
    for asked, expected in MALFORMED.items():
        lines = f"{asked}\r\nHost: {deployed.running.domain}\r\nConnection: close\r\n\r\n"
        status, headers, body = address.says(lines, port)
        assert status == expected, asked[:40]
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["status"] == expected
        assert headers["x-content-type-options"] == "nosniff"
    logged = deployed.shell("tail -n 40 /var/log/nginx/health-v1-access.log")
    assert '"TRACE / HTTP/1.1" 405' in logged, "nginx goes on as if it had been a GET"


def _with_origin(world, origin, *arguments, path="/v1/patients"):
    status, headers, _ = _answered(world, "-H", f"Origin: {origin}", *arguments, url=path)
    return status, headers.get("access-control-allow-origin"), headers


def test_a_page_can_read_nginxs_own_refusals_as_it_can_the_apis(broken):
    too_large = ("--http1.1", "-X", "POST", "-H", "Content-Length: 99000000")
    from_api = _with_origin(broken, ORIGIN)[2]
    cors = ("access-control-allow-origin", "access-control-expose-headers", "vary")
    own = [(413, _with_origin(broken, ORIGIN, *too_large))]
    broken.curl("-Z", "-o", "/dev/null", url=f"https://{broken.running.domain}/v1/auth/login?n=[1-20]")
    own.append((429, _with_origin(broken, ORIGIN, path="/v1/auth/login")))
    broken.shell("systemctl stop 'health-v1-api@*'; systemctl restart nginx")
    own.append((502, _with_origin(broken, ORIGIN)))
    for expected, (status, _, headers) in own:
        assert status == expected
        assert {name: headers.get(name) for name in cors} == {name: from_api[name] for name in cors}, status
    assert _with_origin(broken, "https://other.test")[:2] == (502, None)
