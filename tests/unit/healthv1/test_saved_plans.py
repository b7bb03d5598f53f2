"""A saved plan is believed whole or not at all; drift is told by what moved."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from deploys.operations.change import Change
from deploys.secret import Secret, Version
from healthv1.errors import Fault, Refused
from healthv1.plan import Plan, Step
from healthv1.plan.digests import Digests, canonical
from healthv1.plan.drift import drift, lines, metrics
from healthv1.plan.saved import Saved, now, read
from healthv1.plan.snapshot import Snapshot, moved_faults

DIGESTS = Digests("a key")
LOOK = Snapshot("host1", "Nginx", "Write the site", "/etc/nginx/site", {"q": "a"}, "d")
SAVED = Saved(
    environment="production",
    limit=(),
    made=now(),
    expires=now() + timedelta(hours=1),
    key=DIGESTS.name,
    settings={"host1": {"nginx": "x"}},
    operations=(LOOK,),
    plan={"steps": []},
    by="ada@desk",
).sealed(DIGESTS)


@pytest.fixture
def kept(tmp_path):
    def write(data):
        path = tmp_path / "plan.json"
        path.write_bytes(data)
        return path

    return write


def _refusals(plan, at=None, digests=DIGESTS):
    return [fault.what for fault in plan.refusals(digests, at or now())]


def test_what_was_saved_is_read_again(kept):
    found = read(kept(SAVED.text().encode()))
    assert found == SAVED
    assert _refusals(found) == []


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whichever_byte_is_altered_it_is_refused(tmp_path_factory, data):
    text = SAVED.text().encode()
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != text[at]))
    path = tmp_path_factory.mktemp("altered") / "plan.json"
    path.write_bytes(text[:at] + bytes([byte]) + text[at + 1 :])
    try:
        found = read(path)
    except Refused:
        return
    assert _refusals(found)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"null", b'{"plan": 1}', b"[" * 100_000])
def test_what_is_no_saved_plan_is_refused_in_one_sentence(kept, data):
    with pytest.raises(Refused, match="It is not a saved plan"):
        read(kept(data))


def test_one_of_a_newer_version_says_so(kept):
    with pytest.raises(Refused, match="A newer healthv1 saved it"):
        read(kept(replace(SAVED, schema=2).text().encode()))


def test_it_is_refused_once_it_expired_or_from_the_future_or_under_another_key():
    assert "It expired at" in _refusals(SAVED, SAVED.expires)[0]
    assert "in the future" in _refusals(SAVED, SAVED.made - timedelta(hours=1))[0]
    assert "another plan_key" in _refusals(SAVED, digests=Digests("another key"))[0]
    assert "altered" in _refusals(replace(SAVED, by="eve@desk"))[0]


class _Backend:
    def __init__(self, value):
        self.value = value

    def versions(self, _secret):
        return (Version(1, self.value),)


def test_a_digest_follows_a_secret_and_a_late_text_and_shows_neither():
    arguments = {"password": Secret("db", backend=_Backend("hunter2")), "content": lambda: "text", "names": ("b", "a")}
    digest = DIGESTS.of(arguments)
    assert digest == DIGESTS.of(arguments)
    assert digest != DIGESTS.of(arguments | {"password": Secret("db", backend=_Backend("hunter3"))})
    assert digest != DIGESTS.of(arguments | {"content": lambda: "Text"})
    assert digest != Digests("another key").of(arguments)
    assert "hunter2" not in digest


def test_sets_and_mappings_are_the_same_in_any_order():
    assert canonical({"b": {3, 1, 2}, "a": 1}) == canonical({"a": 1, "b": frozenset((2, 3, 1))})


def test_what_moved_is_named():
    assert moved_faults([LOOK], [LOOK]) == []
    (host,) = moved_faults([LOOK], [replace(LOOK, asked={"q": "b"})])
    assert (host.where, host.what) == ("host1: Nginx", "/etc/nginx/site is not as it was.")
    (settings,) = moved_faults([LOOK], [replace(LOOK, desired="e")])
    assert "a setting, template or secret moved" in settings.what
    assert "is new" in moved_faults([], [LOOK])[0].what
    assert "no longer" in moved_faults([LOOK], [])[0].what


RECORD = {
    "key": DIGESTS.name,
    "at": "2026-01-01T00:00:00+00:00",
    "by": "ada@desk",
    "revision": "abc",
    "desired": {LOOK.name: LOOK.desired},
    "asked": {LOOK.name: LOOK.asked},
}
STEP = Step("host1", "edge", "Nginx", "Write the site", (Change("file", "/etc/nginx/site", "update"),))


def _drift(look, record=RECORD, **plan):
    made = Plan("production", ("host1",), 1, **{"steps": (STEP,), **plan})
    return drift(made, [look], {"host1": record}, DIGESTS.name)


@pytest.mark.parametrize(
    ("look", "record", "cause"),
    [
        (replace(LOOK, asked={"q": "b"}), RECORD, "host"),
        (replace(LOOK, desired="e"), RECORD, "repository"),
        (replace(LOOK, desired="e", asked={"q": "b"}), RECORD, "both"),
        (replace(LOOK, desired="e", asked={"new": "b"}), RECORD, "repository"),
        (LOOK, RECORD, "follows"),
        (LOOK, {}, "unknown"),
        (LOOK, RECORD | {"key": "of another"}, "unknown"),
    ],
)
def test_the_cause_is_what_moved_since_the_last_apply(look, record, cause):
    found = _drift(look, record)
    assert [one.cause for one in found.drifted] == [cause]
    assert any("/etc/nginx/site" in line for line in lines(found))


def test_the_textfile_is_read_by_prometheus_whatever_a_host_is_called():
    found = replace(_drift(replace(LOOK, asked={"q": "b"})), hosts=("host1", 'a"b\\\n'), faults=(Fault("x", "y."),))
    families = {family.name: family for family in text_string_to_metric_families(metrics(found, 12.5))}
    samples = {
        (one.labels["host"], one.labels["cause"]): one.value for one in families["healthv1_drift_changes"].samples
    }
    assert samples["host1", "host"] == 1
    assert samples["host1", "repository"] == 0
    assert samples['a"b\\\n', "host"] == 0
    assert families["healthv1_drift_faults"].samples[0].value == 1
    assert families["healthv1_drift_timestamp_seconds"].samples[0].value == 12.5
