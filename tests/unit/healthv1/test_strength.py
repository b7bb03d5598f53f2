"""A value that cannot hold the entropy that is asked of it is told from one that can."""

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploys.secret import Secret
from healthv1.errors import Refused
from healthv1.secrets.strength import bits, is_weak, refuse_unusable


@given(st.binary(min_size=16, max_size=64).filter(lambda raw: len(set(raw)) > 0.7 * len(raw)))
def test_random_bytes_in_base64_hold_their_entropy(raw):
    assert not is_weak(base64.b64encode(raw).decode(), Secret("name", len(raw)))
    assert is_weak(base64.b64encode(raw).decode(), Secret("name", len(raw) + 1))


@pytest.mark.parametrize("size", [24, 32, 64])
def test_what_other_tools_generate_is_taken(size):
    for generate in (secrets.token_urlsafe, secrets.token_hex):
        assert not is_weak(generate(size), Secret("name", size))


@pytest.mark.parametrize("value", ["", "a", "changeme", "password123", "correct horse battery", "a" * 200, "abc" * 60])
def test_what_people_type_is_weak(value):
    assert is_weak(value, Secret("name", 32))


def test_what_a_person_types_at_a_login_may_be_shorter():
    admin = Secret("admin_password", 24, rotation="by hand")
    assert not is_weak("a quiet Harbour, 7 gulls", admin)
    assert is_weak("Password1", admin)


def test_what_only_a_person_can_supply_may_be_anything():
    assert not is_weak("x", Secret("name", 0))


@given(st.text())
def test_any_text_is_judged(value):
    assert bits(value) >= 0


def test_a_password_that_the_api_would_refuse_is_refused_where_it_is_set():
    admin = Secret("admin_password", 24, rotation="by hand")
    common = "1qaz2wsx3edc4rfv"
    assert not is_weak(common, admin), "entropy alone would let it pass"
    with pytest.raises(Refused, match="most common") as refusal:
        refuse_unusable(admin, common)
    assert common not in str(refusal.value)
