"""Nginx's settings and the text of its files, for every version that a supported distribution has."""

import re
import subprocess
from dataclasses import replace
from ipaddress import IPv6Address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deploys.faults import Refused
from deploys.nginx import commands, limits
from deploys.nginx.checks import checks, own_nginx_checks
from deploys.nginx.configuration import configuration_digest, main_file, site, upstream
from deploys.nginx.places import SitePlace, Socket, own_place
from deploys.nginx.settings import VERSIONS, Nginx
from deploys.nginx.visitors import network_patterns
from deploys.preflight.settings import SUPPORTED
from deploys.stack import Stack, Topology

STACK = Stack(domain="api.example.com", instances=(8080, 8081, 8082))
HERE = Topology.seen_from("10.0.0.1", {"api": ["10.0.0.1"], "edge": ["10.0.0.1"]})
APART = Topology.seen_from("10.0.0.9", {"api": ["10.0.0.1", "fd00::2"], "edge": ["10.0.0.9"]})
NEW, OLD = (1, 26, 3), (1, 18, 0)


def _site(version=NEW, topology=HERE, place=None, **settings):
    wanted = Nginx(**settings)
    return site(wanted, STACK, topology, version, place or own_place(wanted.ipv6))()


def _directives(text):
    """Return the lines without comments and indentation."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def test_every_supported_distribution_has_a_version():
    assert set(VERSIONS) == set(SUPPORTED)


def test_every_instance_of_every_api_host_is_in_the_upstream():
    assert upstream(STACK, HERE) == ["127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"]
    assert upstream(STACK, APART) == [
        f"{host}:{port}" for host in ("10.0.0.1", "[fd00::2]") for port in STACK.instances
    ]
    assert "server [fd00::2]:8082 max_fails=0;" in _directives(_site(topology=APART))


@pytest.mark.parametrize("version", VERSIONS.values(), ids=str)
def test_each_version_hears_only_directives_that_it_knows(version):
    text = _site(version)
    assert ("http2 on;" in text) == (version >= (1, 25, 1))
    assert ("ssl http2" in text) == (version < (1, 25, 1))
    assert ("ssl_reject_handshake on;" in text) == (version >= (1, 19, 4))
    assert ("nobody.pem" in text) == (version < (1, 19, 4))


@pytest.mark.parametrize("version", [NEW, OLD], ids=str)
def test_braces_are_balanced_and_every_directive_ends(version):
    text = "\n".join(
        _directives(_site(version, trusted_proxies=("10.0.0.0/8",)) + main_file(Nginx(), STACK, own_place(ipv6=True))())
    )
    code = re.sub(r'"[^"]*"|\'[^\']*\'|#.*', "", text)
    assert code.count("{") == code.count("}")
    assert "localhost" not in code


def test_the_guides_limits_are_the_defaults_and_can_be_lifted():
    text = _site()
    for words in ("rate=10r/s", "burst=20", "rate=5r/m", "burst=10", "limit_req_status 429", '/v1/auth/" 12;'):
        assert words in text
    assert "client_max_body_size 10m;" in text
    lifted = _site(rate_limits=False)
    assert "burst=" not in lifted
    assert not re.search(r"limit_(req|conn)(_zone)? ", lifted)
    assert Nginx(rate_limits=False).bounds is None, "the firewall's go with them"


def test_a_zone_is_named_after_its_key_for_nginx_refuses_another_key_once_the_test_has_passed():
    for settings in ({}, {"ipv6_network": 48}, {"clinics": ("192.0.2.0/24",)}):
        text = _site(**settings)
        zones = re.findall(r"^limit_(?:req|conn)_zone \$(\S+) zone=(\S+):", text, re.MULTILINE)
        assert len(zones) > 4
        assert all(key == zone for key, zone in zones)
        assert set(re.findall(r"limit_req zone=(\S+)|limit_conn (\S+)", text)) <= {
            pair for _, zone in zones for pair in ((zone, ""), ("", zone))
        }
    assert "by_64" not in _site(ipv6_network=48)


def test_a_clinic_has_limits_of_its_own_and_a_preflight_is_no_login():
    text = _site(clinics=("192.0.2.0/24",), clinic_factor=30)
    assert "    192.0.2.0/24 1;" in text.splitlines()
    assert "zone=health_auth_of_clinics_by_64:10m rate=150r/m;" in text
    assert "limit_req zone=health_auth_of_clinics_by_64 burst=300 nodelay;" in _directives(text)
    assert "of_clinics" not in _site()
    counted = {
        limit.zone: re.compile(limit.counted_requests) for limit in limits.limits(Nginx(clinics=("192.0.2.0/24",)))
    }

    def zones(request):
        return {zone.removeprefix("health_") for zone, counts in counted.items() if counts.search(request)}

    everybodys = {"api_by_64", "requests_by_64", "bodies_by_64"}
    assert zones("0 POST") == {*everybodys, "auth_by_64"}
    assert zones("0 OPTIONS") == {*everybodys, "preflight_by_64"}
    clinics = {"api_of_clinics_by_64", "requests_of_clinics_by_64", "bodies_by_64"}
    assert zones("1 POST") == {*clinics, "auth_of_clinics_by_64"}
    assert zones("1 OPTIONS") == {*clinics, "preflight_of_clinics_by_64"}


def _visitor(address, bits):
    """Return whom nginx's map takes an address for: its expressions, read by Python."""
    for expression, network in network_patterns(bits):
        if groups := re.match(expression.replace("?<", "?P<"), address):
            return re.sub(r"\$(\w+)", lambda name: groups[name[1]], network)
    return address


@given(st.lists(st.sampled_from([0, 0, 0, 1, 0x20, 0xDB8, 0xFFFF]), min_size=8, max_size=8), st.sampled_from([48, 64]))
def test_whoever_shares_a_network_of_ipv6_is_one_visitor_however_his_address_is_written(groups, bits):
    address = IPv6Address(sum(group << 16 * (7 - place) for place, group in enumerate(groups)))
    assume(not address.ipv4_mapped)
    assert ip_network(_visitor(str(address), bits)) == ip_network((address, bits), strict=False)


def test_an_ipv4_address_is_a_visitor_also_where_it_comes_by_a_socket_of_ipv6():
    assert _visitor("192.0.2.7", 64) == "192.0.2.7"
    assert _visitor("::ffff:192.0.2.7", 64) == "192.0.2.7"


def test_a_body_takes_room_that_all_share_only_where_it_says_how_large_it_is_and_is_counted():
    text = _site()
    large = re.search(r'map "\$content_length.*?\n}', text, re.DOTALL)[0]
    in_memory = re.compile(re.search(r'"~(\S+)" "";', large)[1])
    for declared, small in (("|", True), ("0|", True), ("99999|", True), ("100000|", False), ("|chunked", False)):
        assert bool(in_memory.search(declared)) == small, declared
    assert "client_max_body_size 100000;" in text
    (block,) = re.findall(r"location = /__large \{.*?\}", text, re.DOTALL)
    assert "limit_conn health_bodies_by_64 6;" in block
    assert text.count("client_max_body_size 10m;") == block.count("client_max_body_size 10m;") == 1
    assert Nginx().bodies_at_once * Nginx().maximum_body * 4 < Nginx().body_memory + 1, "four visitors find room"


def test_pages_of_the_apis_origins_may_read_nginxs_own_answers_and_no_others():
    origins = ("https://app.example.com", "https://b.example.com:8443")
    text = site(Nginx(), STACK, HERE, NEW, own_place(ipv6=True), origins)()
    lines = re.search(r'map "\$upstream_http_x_request_id\|\$http_origin" .*?\n}', text, re.DOTALL)[0]
    assert 'default "";' in lines
    allowed = re.findall(r'"~(\S+)" \$http_origin;', lines)

    def may_read(told):
        return any(re.search(one, told) for one in allowed)

    assert all(may_read(f"|{origin}") for origin in origins)
    strangers = (
        "|https://appXexample.com",
        "|https://app.example.com.evil.test",
        "|http://app.example.com",
        "|",
        "|null",
    )
    assert not any(may_read(told) for told in (*strangers, "|null", "the-apis-own|https://app.example.com"))


def test_hsts_speaks_of_other_names_only_where_it_is_told_to():
    assert "includeSubDomains" not in _site()
    assert 'on "max-age=31536000; includeSubDomains";' in _directives(_site(hsts_subdomains=True))


def test_a_visitors_address_is_believed_from_trusted_proxies_alone():
    assert "real_ip" not in _site()
    told = _directives(_site(trusted_proxies=("10.0.0.0/8", "fd00::/8")))
    assert "set_real_ip_from 10.0.0.0/8;" in told
    assert "set_real_ip_from fd00::/8;" in told
    assert "real_ip_header X-Forwarded-For;" in told
    assert "$proxy_add_x_forwarded_for" not in _site()


def test_headers_stand_in_one_place_so_that_no_location_drops_them():
    lines = _site().splitlines()
    assert {len(line) - len(line.lstrip()) for line in lines if line.lstrip().startswith("add_header")} == {4}
    assert not any("X-XSS" in line for line in lines)


GUEST = SitePlace((Socket("80", shared=True, http2=False),), (Socket("443"),), beside=True)


@pytest.mark.parametrize("place", [own_place(ipv6=True), GUEST], ids=["alone", "beside"])
def test_nothing_outside_our_blocks_touches_another_site(place):
    lines = [line for line in _site(place=place, trusted_proxies=("10.0.0.0/8",)).splitlines() if line[:1].isalpha()]
    zones = {"limit_req_zone", "limit_conn_zone"}
    assert {line.split()[0] for line in lines} == {"upstream", "map", "geo", "log_format", "server", *zones}
    for line in lines:
        assert line == "server {" or "health" in line, line


def test_beside_others_nothing_of_a_patient_waits_on_the_disk_or_stands_in_another_log():
    blocks = _site(place=GUEST).split("\nserver {")[2:]
    assert len(blocks) == 3, "who answers for unknown names on port 80 is the owner's to say"
    for block in blocks:
        assert "error_log /var/log/nginx/health-v1-error.log alert;" in block
        assert "access_log /var/log/nginx/health-v1-access.log health-v1" in block
        assert "client_body_timeout 20s;" in block
    assert "client_body_temp_path /run/healthv1_body;" in blocks[-1]
    assert "default_server" not in _site(place=GUEST)
    assert "client_body_temp_path" not in _site()


def test_an_old_nginx_is_not_told_to_speak_http_2_on_an_owners_socket():
    shared = replace(GUEST, https=(Socket("443", shared=True, http2=False), Socket("[::]:443")))
    told = [
        line for line in _directives(_site((1, 22, 1), place=shared)) if line.startswith("listen") and "ssl" in line
    ]
    assert told == ["listen [::]:443 ssl http2;", "listen 443 ssl;", "listen [::]:443 ssl http2;"]


def test_no_log_format_holds_what_a_visitor_asked_or_where_he_came_from():
    formats = re.search(r"log_format .*?;", _site(), re.DOTALL)[0]
    for variable in (
        "$request ",
        "$request_uri",
        "$args",
        "$query_string",
        "$http_referer",
        "$request_body",
        '"$request"',
    ):
        assert variable not in formats


def test_a_host_without_ipv6_is_not_asked_to_listen_on_it():
    assert "[::]:443 ssl" in _site()
    assert "[::]" not in _site(ipv6=False)


def test_nginx_is_told_once_how_long_a_name_may_be():
    long = Stack(domain=f"{'a' * 60}.example.com")
    room = "server_names_hash_bucket_size"
    assert f"{room} 128;" in main_file(Nginx(), long, own_place(ipv6=True))()
    assert room not in main_file(Nginx(), long, replace(own_place(ipv6=True), has_bucket_size=True))()
    assert room not in main_file(Nginx(), STACK, own_place(ipv6=True))()


def test_the_mark_of_the_workers_changes_with_either_file():
    def of(stack=STACK, **settings):
        return configuration_digest(Nginx(**settings), stack, HERE, NEW, own_place(ipv6=True))

    assert of() == of()
    assert len({of(), of(api_burst=21), of(worker_connections=512), of(Stack(domain="b.example.com"))}) == 4
    assert of() in _site()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"trusted_proxies": ("10.0.0.1/8",)}, "give a network like"),
        ({"trusted_proxies": ("proxy",)}, "give a network like"),
        ({"trusted_proxies": ("0.0.0.0/0",)}, "evades the rate limits"),
        ({"trusted_proxies": ("::/0",)}, "evades the rate limits"),
        ({"api_rate": 0}, "api_rate"),
        ({"worker_connections": 10}, "worker_connections"),
        ({"api_burts": 5}, "did you mean api_burst"),
        ({"clinics": "192.0.2.0/24"}, "it is one text"),
        ({"clinics": ("0.0.0.0/0",)}, "evades the rate limits"),
        ({"ipv6_network": 128}, "ipv6_network"),
        ({"connections": 2}, "connections"),
    ],
)
def test_a_wrong_value_is_refused_by_name(changed, words):
    with pytest.raises(Refused, match=words):
        Nginx(**changed)


@pytest.fixture
def shell(tmp_path):
    def run(command):
        return subprocess.run(["sh", "-euc", command], cwd=tmp_path, capture_output=True, check=False).returncode == 0

    return run


def test_a_placeholder_is_a_certificate_with_its_key(shell, tmp_path):
    path = tmp_path / "site.pem"
    assert not shell(commands.is_usable(path))
    assert shell(commands.make_placeholder(path))
    assert shell(commands.is_usable(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("drift", ["no key", "another key", "garbage", "empty"])
def test_a_certificate_that_cannot_be_used_is_seen(shell, tmp_path, drift):
    path, other = tmp_path / "site.pem", tmp_path / "other.pem"
    assert shell(f"{commands.make_placeholder(path)}\n{commands.make_placeholder(other)}")
    begin = "-----BEGIN CERTIFICATE-----"
    certificate, other_key = begin + path.read_text().split(begin)[1], other.read_text().split(begin)[0]
    broken = {"no key": certificate, "another key": other_key + certificate, "garbage": "x\n", "empty": ""}
    path.write_text(broken[drift])
    assert not shell(commands.is_usable(path))


def test_claims_are_told_apart():
    claims = [check.claim for check in [*checks(Nginx(), STACK, "0", "www-data"), *own_nginx_checks()]]
    assert len(set(claims)) == len(claims)


def _limits(place=None, **settings):
    return list(limits.checks(Nginx(**settings), STACK, place or own_place(ipv6=True)))


def test_the_limits_that_are_claimed_are_those_of_the_settings():
    assert [one.claim for one in _limits()] == [
        "The API's rate limit bites beyond 21 requests at once and 10 a second",
        "The login's rate limit bites beyond 11 requests at once and 5 a minute",
    ]
    assert [one.claim for one in _limits(auth_rate=60, auth_burst=60, api_burst=200)] == [
        "The API's rate limit bites beyond 201 requests at once and 10 a second",
        "The login's rate limit bites beyond 61 requests at once and 60 a minute",
    ]


def test_of_limits_that_are_lifted_nothing_is_claimed():
    assert _limits(rate_limits=False) == []


@pytest.mark.parametrize("settings", [{}, {"auth_rate": 60, "auth_burst": 60}, {"api_burst": 200}, {"api_rate": 90}])
def test_more_is_sent_than_a_limit_lets_through_and_never_more_than_a_stated_number(settings):
    for limit in limits.tried_limits(Nginx(**settings)):
        assert limit.at_once + 2 * limit.rate / limit.seconds < limit.requests <= limits.MAX_REQUESTS


@pytest.mark.parametrize("settings", [{"api_burst": 5000}, {"api_rate": 1000}])
def test_a_limit_that_would_take_a_flood_to_try_is_looked_for_in_the_configuration(settings):
    check = _limits(**settings)[0]
    assert check.claim.endswith("is configured: too many to be tried")
    assert "curl" not in check.command


def _found_in(text, check, shell, tmp_path):
    """Whether the claim's test finds the limit in a configuration that `nginx -T` would print."""
    (tmp_path / "shown").write_text(text)
    return shell(f"nginx() {{ cat shown; }}; {check.command}")


@pytest.mark.parametrize("settings", [{"api_burst": 5000}, {"auth_burst": 1000, "auth_rate": 600, "limit_memory": 3}])
def test_the_configuration_has_the_limit_as_the_site_is_written(settings, shell, tmp_path):
    [check] = [one for one in _limits(**settings) if "configured" in one.claim]
    text = _site(**settings)
    assert _found_in(text, check, shell, tmp_path)
    for other in (_site(), _site(**settings, rate_limits=False), text.replace("limit_req zone", "# limit_req zone")):
        assert not _found_in(other, check, shell, tmp_path)


@pytest.mark.parametrize(
    ("sockets", "at"),
    [
        (("443", "[::]:443"), "127.0.0.1:443"),
        (("[::]:443", "10.0.0.5:443"), "10.0.0.5:443"),
        (("[::]:443",), "[::1]:443"),
        (("[fd00::7]:443",), "[fd00::7]:443"),
    ],
)
def test_the_limits_are_tried_where_the_site_listens(sockets, at):
    place = SitePlace((), tuple(map(Socket, sockets)))
    assert limits.local_address(place) == at
    assert all(f"::{at}'" in one.command for one in _limits(place))


def test_what_was_let_through_decides_and_not_that_something_was_refused(shell, tmp_path):
    """A curl that answers as it is told stands in for hosts whose limit is gone, too wide, or too narrow."""
    command = _limits()[1].command
    sent = int(re.search(r"n=\[1-(\d+)\]", command)[1])

    def holds(refused, took=0, configured="false"):
        clock = f'date() {{ n=$(cat at); echo $((n + {took})) > at; echo "$n"; }}; echo 0 > at'
        curl = f"curl() {{ yes 429 | head -n {refused}; yes 422 | head -n {sent - refused}; }}"
        return shell(f"{clock}; {curl}; nginx() {{ {configured}; }}; {command}")

    assert holds(sent - 11)
    assert not holds(0)
    assert not holds(1)
    assert not holds(sent - 5)
    assert not holds(sent)
    assert holds(1, took=600_000)
    (tmp_path / "shown").write_text(_site())
    assert holds(0, took=600_000, configured="cat shown"), (
        "a host that is too slow to tell is believed its configuration"
    )
    assert not holds(0, took=600_000, configured="false")


def test_claims_of_limits_are_told_apart_from_all_others():
    claims = [check.claim for check in [*checks(Nginx(), STACK, "0", "www-data"), *own_nginx_checks(), *_limits()]]
    assert len(set(claims)) == len(claims)
