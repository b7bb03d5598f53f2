"""A domain that cannot be one is told in plain words, with the one that was meant."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploys.component import collecting_faults
from deploys.faults import Refused
from deploys.stack import Stack

LONG = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 56, "test"])
LEGAL = ["api.example.com", "xn--klinik-kln-lcb.de", "1.example.com", "a-b.c--d.example.museum", LONG, f"{'a' * 63}.de"]
MEANT = {
    "klinik-köln.de": "write it as xn--klinik-kln-lcb.de",
    "Klinik-KÖLN.de": "write it as xn--klinik-kln-lcb.de",
    "https://klinik-köln.de/anmeldung": "write it as xn--klinik-kln-lcb.de",
    "https://api.example.com": "write it as api.example.com",
    "HTTPS://API.Example.com:8443/v1?x=1": "write it as api.example.com",
    "api.example.com/": "write it as api.example.com",
    "api.example.com:443": "write it as api.example.com",
    "api.example.com.": "write it as api.example.com",
    "API.example.com": "write it as api.example.com",
    " api.example.com": "write it as api.example.com",
    "api.example.com\n": "write it as api.example.com",
    "api_v1.example.com": "give the host a name without it, like api-v1.example.com",
    "*.example.com": "name each host",
    "api": "write all of it, like api.example.com",
    "192.0.2.7": "certificates need a name: give a domain that points to it",
    "https://192.0.2.7:8443/": "certificates need a name",
    "2001:db8::1": "certificates need a name",
    "[2001:db8::1]:443": "certificates need a name",
    "": "like api.example.com",
    ".": "like api.example.com",
    "api..example.com": "like api.example.com",
    "-api.example.com": "like api.example.com",
    "api.example.c": "like api.example.com",
    "api.example.123": "like api.example.com",
    "api;x.example.com": "like api.example.com",
    f"a{LONG}": "like api.example.com",
    f"{'a' * 64}.com": "like api.example.com",
    "☃\u200d.example": "like api.example.com",
}


@pytest.mark.parametrize("name", LEGAL)
def test_a_legal_name_of_any_length_is_taken_as_it_is(name):
    assert len(LONG) == 253
    assert Stack(domain=name, aliases=(name,)).names == (name,)


@pytest.mark.parametrize(("text", "hint"), MEANT.items())
def test_what_is_no_name_is_one_fault_with_what_was_meant(text, hint):
    with collecting_faults() as faults:
        Stack(domain=text)
    (fault,) = faults
    assert hint in fault.hint
    assert "pattern" not in str(fault)
    assert fault.what.startswith("domain: ")
    assert re.fullmatch(r"[^.]*(\..*)?\.", fault.what)


def test_each_wrong_alias_is_a_fault_of_its_own_by_its_place():
    with pytest.raises(Refused) as refused:
        Stack(domain="api.example.com", aliases=("www.example.com", "WWW.example.org", "*.example.com"))
    assert [fault.what.partition(":")[0] for fault in refused.value.faults] == ["aliases.1", "aliases.2"]
    with pytest.raises(Refused) as refused:
        Stack(domain="api.example.com", aliases="www.example.com")
    (fault,) = refused.value.faults
    assert fault.hint == 'write a comma after it: ("www.example.com",)'


@given(st.text(max_size=80))
def test_whatever_is_written_is_a_name_or_is_told(text):
    with collecting_faults() as faults:
        Stack(domain=text)
    assert re.fullmatch(r"[a-z0-9.-]+", text) if not faults else faults[0].hint
    assert len(faults) <= 1


@pytest.mark.parametrize("path", ["/opt/health-v1", "/srv/x", "/home/deploy/api", "/var/lib/api.v1"])
def test_the_apis_folder_may_lie_where_there_is_room_for_it(path):
    assert Stack(domain="api.example.com", home=path).home == path


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("opt/api", "no absolute path"),
        ("/opt/my api", "a character is in it"),
        ("/opt/a'b", "a character is in it"),
        ('/opt/a"b', "a character is in it"),
        ("/opt/$HOME", "a character is in it"),
        ("/opt/api\n", "a character is in it"),
        ("/opt/api/", "write it as /opt/api"),
        ("/opt/../etc/api", "write it as /etc/api"),
        ("/opt", "a folder of the system"),
        ("/", "a folder of the system"),
        ("/etc/api", "the system's"),
        ("/tmp/api", "does not last"),
    ],
)
def test_a_folder_that_scripts_cannot_name_or_that_cannot_be_ours_is_refused(path, what):
    with pytest.raises(Refused, match=what):
        Stack(domain="api.example.com", home=path)
