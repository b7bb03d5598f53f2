"""What an owner's Nginx serves, as it tells us, and what our site may do beside that."""

import hashlib
import subprocess
from dataclasses import replace

import pytest

from deploys.facts.nginx import LIST_SITES, NginxOnHost, NginxState
from deploys.nginx.judging import nginx_conflicts
from deploys.nginx.places import FILE, LINK, Socket, own_place, shared_place, sites_by_name
from deploys.sites import FIND_OWNER_FILES, HAS_STOCK_SITE, Listen, ServedSites, includes, name_bucket, parse_sites

DOMAIN = "api.example.com"
CONF = """# configuration file /etc/nginx/nginx.conf:
user web; # the owner's
events { worker_connections 768; }
stream { server { listen 80; } include /etc/nginx/stream.d/*; }
http {
    map $uri $x { default "}"; '~{' 'a;b'; }
    log_format plain '$remote_addr {';
    include conf.d/*.conf;
    include /etc/nginx/sites-enabled/*;
}
"""
SHOP = """# configuration file /etc/nginx/conf.d/shop.conf:
server { listen 80 default_server; listen [::]:80; server_name shop.example.net "WWW.example.net";
  location ~ "^/[a-z]{2}$" { proxy_set_header Authorization "Basic c2VjcmV0"; return 200 "${scheme}{"; } }
"""


def _told(text):
    script = LIST_SITES.replace("nginx -T 2>/dev/null", "cat")
    done = subprocess.run(["sh", "-c", script], input=text, capture_output=True, text=True, check=True)
    assert "c2VjcmV0" not in done.stdout
    return done.stdout.splitlines()


def _served(*servers, main=CONF):
    """Return what is served by an nginx with these files in sites-enabled, or that conf.d."""
    return parse_sites(_told(main + "\n".join(servers)))


def _site(text, path="sites-enabled/a"):
    return f"# configuration file /etc/nginx/{path}:\nserver {{ {text} }}\n"


def test_quotes_comments_and_regular_expressions_are_read_as_nginx_reads_them():
    found = _served(SHOP, _site("listen 443 ssl; ssl_certificate /a.pem;"), _site("listen 80;", "stream.d/x"))
    assert found.user == "web"
    assert found.include_patterns == ("/etc/nginx/conf.d/*.conf", "/etc/nginx/sites-enabled/*")
    shop, other = found.sites
    assert shop.file == "/etc/nginx/conf.d/shop.conf"
    assert shop.names == ("shop.example.net", "www.example.net")
    assert shop.listens == (Listen("*", 80, frozenset({"default_server"})), Listen("[::]", 80, frozenset()))
    assert (other.certificates, other.listening(443)) == (("/a.pem",), (Listen("*", 443, frozenset({"ssl"})),))


def test_what_a_site_includes_is_its_own():
    snippet = "# configuration file /etc/nginx/snippets/listen.conf:\nlisten 8443 ssl;\n"
    (site,) = _served(_site("include snippets/listen.conf; server_name a.test;"), snippet).sites
    assert site.listens == (Listen("*", 8443, frozenset({"ssl"})),)


@pytest.mark.parametrize(
    ("words", "listens"),
    [
        ("", [("*", 80)]),
        ("listen 8080;", [("*", 8080)]),
        ("listen *:80;", [("*", 80)]),
        ("listen 10.0.0.5;", [("10.0.0.5", 80)]),
        ("listen 10.0.0.5:443 ssl;", [("10.0.0.5", 443)]),
        ("listen [::1];", [("[::1]", 80)]),
        ("listen [::]:443 ssl;", [("[::]", 443)]),
        ("listen unix:/run/x; listen 443 quic;", []),
    ],
)
def test_where_a_site_listens(words, listens):
    (site,) = _served(_site(words)).sites
    assert [(one.address, one.port) for one in site.listens] == listens


def test_a_pattern_takes_up_no_file_below_its_folder():
    assert includes("conf.d/*.conf", "/etc/nginx/conf.d/a.conf")
    assert not includes("conf.d/*.conf", "/etc/nginx/conf.d/b/a.conf")


def test_alone_we_answer_for_unknown_names_everywhere():
    assert own_place(ipv6=True).http == (Socket("80", default=True), Socket("[::]:80", default=True))
    assert [socket.at for socket in own_place(ipv6=False).https] == ["443"]


def test_beside_others_their_sockets_are_shared_and_free_ones_are_ours_without_saying_so():
    place = shared_place(_served(SHOP), ipv6=True)
    assert place.http == (Socket("80", shared=True, http2=False), Socket("[::]:80", shared=True, http2=False))
    assert place.https == (Socket("443"), Socket("[::]:443"))
    assert (place.include, place.user) == (LINK, "web")


def test_who_listens_on_one_address_alone_would_hide_us_on_all_others():
    place = shared_place(_served(_site("listen 10.0.0.5:80; listen 10.0.0.5:443 ssl http2;")), ipv6=False)
    assert [socket.at for socket in place.http + place.https] == ["10.0.0.5:80", "10.0.0.5:443"]
    assert place.https[0].http2


def test_a_socket_for_both_families_is_one():
    assert [one.at for one in shared_place(_served(_site("listen [::]:80 ipv6only=off;")), ipv6=True).http] == [
        "[::]:80"
    ]


def test_our_place_is_where_sites_are_included():
    whole = "# configuration file /etc/nginx/nginx.conf:\nhttp { include %s; }\n"
    for pattern, at in (("/etc/nginx/conf.d/*.conf", FILE), ("sites-enabled/*", LINK), ("sites/*.vhost", "")):
        assert shared_place(_served(main=whole % pattern), ipv6=True).include == at


def test_our_own_site_is_not_another_ones():
    ours = _site(f"listen 80; server_name {DOMAIN};", "sites-enabled/zz-health-v1")
    assert shared_place(_served(SHOP, ours), ipv6=True) == shared_place(_served(SHOP), ipv6=True)
    assert sites_by_name(_served(SHOP, ours), (DOMAIN, "shop.example.net")).keys() == {"shop.example.net"}


def _judged(*servers, main=CONF, name=DOMAIN, **state):
    found = NginxOnHost(
        ("/etc/nginx/conf.d/shop.conf",), (1, 26, 3), "active", "enabled", "", _served(*servers, main=main)
    )
    found = replace(found, **state)
    return [(one.thing, one) for one in nginx_conflicts(found, shared_place(found.sites, ipv6=True), (name,))]


def test_ordinary_sites_are_no_obstacle():
    assert _judged(SHOP, _site("listen 443 ssl default_server; server_name b.test;")) == []
    assert _judged(_site("listen 80; server_name a.test;")) == []


@pytest.mark.parametrize(
    ("words", "thing", "why"),
    [
        (f"server_name x.test {DOMAIN};", f"site {DOMAIN}", "answers for"),
        ("listen 443;", "port 443", "speaks HTTP, and our site HTTPS"),
        ("listen 80 ssl;", "port 80", "speaks HTTPS, and our site HTTP"),
        ("listen 80 proxy_protocol;", "port 80", "PROXY"),
        ("listen 127.0.0.1:80;", "port 80", "loopback alone"),
    ],
)
def test_what_our_site_cannot_stand_beside_is_refused_by_name(words, thing, why):
    ((found, foreign),) = _judged(_site(words))
    assert found == thing
    assert why in foreign.what
    assert foreign.way_out
    assert not foreign.adoptable


def test_we_never_become_the_first_to_answer_for_unknown_names():
    late = _site("listen 80; server_name a.test;", "sites-enabled/zzz")
    ((thing, foreign),) = _judged(late)
    assert thing == "site /etc/nginx/sites-enabled/zzz"
    assert foreign.way_out == "write in it: listen 80 default_server"
    assert _judged(late, _site("listen 80; server_name b.test;", "conf.d/b.conf")) == []
    assert _judged(_site("listen 80 default_server;", "sites-enabled/zzz")) == []
    inside = CONF.replace("include conf.d", "server { listen 80; } include conf.d")
    assert [thing for thing, _ in _judged(main=inside)] == ["site /etc/nginx/nginx.conf"]


def _run(hint, name, text, at):
    """Carry out what a hint says, on a copy."""
    (at / name).parent.mkdir(exist_ok=True)
    (at / name).write_text(text)
    subprocess.run(["sh", "-c", hint.removeprefix("run: ").replace("/etc/nginx", str(at))], check=True)
    return (at / name).read_text()


def test_a_name_that_the_owners_table_has_no_room_for_is_refused_with_what_makes_it(tmp_path):
    long = f"api.{'a' * 60}.example.com"
    ((thing, foreign),) = _judged(SHOP, name=long)
    assert thing == "file /etc/nginx/nginx.conf"
    assert _judged(SHOP, name=long, main=_run(foreign.way_out, "nginx.conf", CONF, tmp_path)) == []
    his = "server_names_hash_bucket_size 64; # measured\n"
    small = f"# configuration file /etc/nginx/conf.d/his.conf:\n{his}"
    ((thing, foreign),) = _judged(SHOP, small, name=long)
    assert thing == "file /etc/nginx/conf.d/his.conf"
    larger = _run(foreign.way_out, "conf.d/his.conf", small, tmp_path)
    assert larger.endswith("server_names_hash_bucket_size 128; # measured\n")
    assert _judged(SHOP, larger, name=long) == []
    assert [name_bucket(["a" * length]) for length in (46, 47, 253)] == [64, 128, 512]


def test_a_configuration_without_a_place_for_sites_is_refused():
    whole = "# configuration file /etc/nginx/nginx.conf:\nhttp { server { listen 80 default_server; } }\n"
    ((thing, foreign),) = _judged(main=whole)
    assert thing == "file /etc/nginx/nginx.conf"
    assert "include /etc/nginx/conf.d/*.conf;" in foreign.way_out


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"config_error": '[emerg] unknown directive "x" in /etc/nginx/conf.d/shop.conf:1'}, "shop.conf:1"),
        ({"active": "inactive"}, "inactive"),
        ({"enabled": "disabled"}, "disabled"),
        ({"enabled": "masked", "active": "inactive"}, "masked"),
        ({"version": ()}, "not installed"),
    ],
)
def test_an_nginx_that_its_owner_stopped_or_broke_is_refused_once(state, words):
    ((thing, foreign),) = _judged(SHOP, **state)
    assert thing == "nginx"
    assert words in foreign.what + foreign.consequence
    assert foreign.way_out


def test_a_bare_host_has_none():
    fact = NginxState()
    done = subprocess.run(
        ["sh", "-c", fact.command()],
        env={"PATH": "/no/such/path"},
        executable="/bin/sh",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert fact.process(done.stdout.splitlines()) == NginxOnHost(sites=ServedSites())


def test_what_the_host_says_is_understood():
    said = ["theirs=/etc/nginx/conf.d/a=b.conf", "version=1.22.1", "active=active", "enabled=enabled", *_told(SHOP)]
    found = NginxState().process(said)
    assert (found.owner_files, found.version) == (("/etc/nginx/conf.d/a=b.conf",), (1, 22, 1))
    assert found.sites.sites == (), "no main file includes it"


@pytest.fixture
def etc(tmp_path):
    """An Nginx as its package brings it, and a function that runs a test of ours there."""
    etc, html = tmp_path / "etc/nginx", tmp_path / "var/www/html"
    for folder in (etc / "conf.d", etc / "sites-available", etc / "sites-enabled", html):
        folder.mkdir(parents=True)
    (etc / "nginx.conf").write_text("the package's\n")
    (etc / "sites-available/default").write_text("the package's site\n")
    (etc / "sites-enabled/default").symlink_to(etc / "sites-available/default")
    (html / "index.nginx-debian.html").touch()
    files = etc / "nginx.conf", etc / "sites-available/default"
    known = (f" {file} {hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()}\n" for file in files)
    (tmp_path / "status").write_text("".join(known))

    def run(script):
        script = script.replace("/etc/nginx", str(etc)).replace("/var/www/html", str(html))
        script = script.replace("/var/lib/dpkg/status", f"{tmp_path}/status")
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.replace(f"{tmp_path}", "").split()

    return etc, run


def _theirs(run):
    return run(f"{FIND_OWNER_FILES}\ntheirs")[1]


def test_an_nginx_as_its_package_brought_it_is_vacant_and_ours_is_nobody_elses(etc):
    at, run = etc
    assert _theirs(run) == []
    assert run(HAS_STOCK_SITE)[0] == 0
    (at / "nginx.conf").write_text("# Managed by healthv1: change group_data and apply, not this file.\n")
    (at / "sites-enabled/zz-health-v1").symlink_to(at / "sites-available/health-v1")
    (at / "sites-enabled/default").unlink()
    assert _theirs(run) == []
    assert run(HAS_STOCK_SITE)[0] != 0


@pytest.mark.parametrize(
    "path", ["nginx.conf", "conf.d/shop.conf", "sites-enabled/intranet", "sites-available/default"]
)
def test_a_file_that_the_owner_wrote_is_his(etc, path):
    at, run = etc
    (at / path).write_text("the owner's\n")
    assert _theirs(run) == [f"/etc/nginx/{path.replace('available', 'enabled')}"]
    assert (run(HAS_STOCK_SITE)[0] == 0) == (path != "sites-available/default")


def test_a_plain_file_in_the_place_of_the_packages_site_is_the_owners(etc):
    at, run = etc
    (at / "sites-enabled/default").unlink()
    (at / "sites-enabled/default").write_text("the package's site\n")
    assert _theirs(run) == ["/etc/nginx/sites-enabled/default"]
    assert run(HAS_STOCK_SITE)[0] != 0


def test_what_the_packages_own_site_serves_may_be_the_owners(etc):
    at, run = etc
    (at.parents[1] / "var/www/html/brochure.pdf").touch()
    assert _theirs(run) == ["/var/www/html/brochure.pdf"]
    (at / "sites-enabled/default").unlink()
    assert _theirs(run) == [], "it is not served"
