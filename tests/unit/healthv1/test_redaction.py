"""What was once revealed is printed in no form that a program gives it."""

import base64
import io
import json
import shlex
from urllib.parse import quote, quote_plus

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploys.environment.variables import env_file
from healthv1.output.redaction import BLOT, SHORTEST, RedactingStream, Redactor

SECRET = "p/a+s s'w\"o$r\\d=ü"


def _redact(value, text):
    redactor = Redactor()
    redactor.add(value)
    return redactor.redact(text)


@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
        lambda value: quote(value, safe=""),
        quote,
        json.dumps,
        lambda value: json.dumps(value, ensure_ascii=False),
        repr,
        shlex.quote,
        quote_plus,
        lambda value: value.encode().hex(),
        lambda value: value.replace("'", "''"),
        lambda value: value.replace('"', '""'),
        lambda value: env_file({"V": value}).removeprefix("V=").strip(),
    ],
)
def test_a_value_is_blotted_out_in_every_form_that_programs_give_it(form):
    printed = _redact(SECRET, f"before {form(SECRET)} after")
    assert form(SECRET).strip("'\"=") not in printed
    assert printed.startswith("before ")
    assert printed.endswith(" after")
    assert BLOT in printed


def test_what_was_never_revealed_is_left_alone():
    assert _redact(SECRET, "nothing to hide") == "nothing to hide"


def test_a_value_too_short_to_be_a_secret_blots_nothing_out():
    assert _redact("x" * (SHORTEST - 1), "x" * 20) == "x" * 20


def test_a_value_within_another_leaves_no_rest():
    redactor = Redactor()
    redactor.add("inner-secret")
    redactor.add("inner-secret-and-more")
    assert redactor.redact("inner-secret-and-more") == BLOT


@given(st.text(min_size=SHORTEST), st.text(), st.text())
def test_no_text_keeps_a_value(value, before, after):
    # A value made of the blot's own letters would be found in the blot.
    if value not in BLOT and not set(value) & set(BLOT):
        assert value not in _redact(value, before + value + after)


@given(st.binary(min_size=12).map(lambda raw: raw.hex()), st.text("ab", max_size=5), st.text("ab", max_size=5))
def test_a_login_in_base64_is_found_wherever_in_it_the_value_begins(value, before, after):
    encoded = base64.b64encode(f"{before}{value}{after}".encode()).decode()
    left = _redact(value, encoded).replace(BLOT, "")
    assert len(left) <= len(base64.b64encode(f"{before}{after}".encode())) + 8


@pytest.fixture
def stream():
    redactor = Redactor()
    redactor.add(SECRET)
    return RedactingStream(io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace"), redactor)


def test_a_stream_writes_nothing_it_knows_by_any_way_in(stream):
    stream.write(f"{SECRET}\n")
    stream.writelines([f"{SECRET}\n"])
    print(SECRET, file=stream)
    click.echo(SECRET, file=stream)
    stream.flush()
    assert stream._stream.buffer.getvalue().decode() == f"{BLOT}\n" * 4


def test_a_stream_gives_no_way_round_itself(stream):
    for name in ("buffer", "detach", "reconfigure"):
        assert not hasattr(stream, name)


def test_a_stream_is_what_it_wraps_to_those_that_ask(stream):
    assert (stream.encoding, stream.errors, stream.closed, stream.isatty()) == ("ascii", "replace", False, False)
    with pytest.raises(io.UnsupportedOperation):
        stream.fileno()
