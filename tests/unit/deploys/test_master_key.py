"""A master key is known by its fingerprint: the operator's side, the host and the API make the same of it."""

import base64
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploys.credentials.master_key import fingerprint, fingerprints
from deploys.facts.master_key import ConfiguredMasterKeys
from deploys.faults import Refused
from deploys.secret import Secret, Version

APIS = ("dd3e60e2a2bdf3f7", "168ca7212e37ea51")


class _Held:
    def __init__(self, *values):
        self._values = values

    def versions(self, _):
        return tuple(Version(number, value) for number, value in enumerate(self._values, 1))

    def __str__(self):
        return "vault:m/p"


def _text(key):
    return base64.b64encode(key).decode()


def test_the_fingerprint_is_the_apis():
    # What the API's MasterKey makes of these keys.
    assert (fingerprint(bytes(32)), fingerprint(bytes(range(32)))) == APIS


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
@settings(max_examples=5)
def test_a_host_tells_the_fingerprints_of_its_keys_and_no_more(tmp_path_factory, key, other):
    env = tmp_path_factory.mktemp("env") / ".env"
    env.write_text(f"A='x=y'\nMASTER_KEY_ALSO_ACCEPTED={_text(other)}\nMASTER_KEY={_text(key)}\n")
    told = subprocess.run(
        ["sh", "-c", ConfiguredMasterKeys().command(path=str(env))], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [fingerprint(key), fingerprint(other)]
    assert told.stderr == ""


def test_a_host_without_the_file_tells_nothing(tmp_path):
    command = ConfiguredMasterKeys().command(path=str(tmp_path / "none"))
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout == b""


@pytest.mark.parametrize("value", ["AAAA", "", "never a key", "A" * 44])
def test_what_is_no_key_is_refused_by_reference_and_not_shown(value):
    with pytest.raises(Refused, match="vault:m/p#master_key: It is not base64 of 32 bytes") as refusal:
        fingerprints(Secret("master_key", backend=_Held(value)))
    assert not value or value not in str(refusal.value)


def test_every_accepted_version_has_one():
    keys = bytes(32), b"k" * 32
    held = _Held(*map(_text, keys))
    assert fingerprints(Secret("master_key", backend=held)) == tuple(map(fingerprint, keys))
