"""What every secrets backend does, each asked for real."""

import base64
import copy
import hashlib
import json
import string
import subprocess
import sys

import pytest

from deploys.secret import Secret
from healthv1.output.redaction import redactor
from healthv1.secrets.entry import Entry

SECRETS = (Secret("jwt", 64), Secret("master_key", 32))
PRINTABLE = "".join(sorted(set(string.printable) - set("\t\n\r\x0b\x0c")))
UNICODE = "pässwörd·密码·🔑·\u2028·e\u0301"


def _values(backend):
    return [secret.bind(backend).reveal() for secret in SECRETS]


def test_what_is_missing_can_be_planned_with_and_is_then_kept(place):
    mine = place.backend()
    assert mine.missing(SECRETS) == SECRETS
    assert mine.names() == ()
    planned = _values(mine)
    assert place.backend().missing(SECRETS) == SECRETS, "a plan must keep nothing"
    mine.store(SECRETS)
    assert _values(mine) == _values(place.backend()) == planned
    assert place.backend().missing(SECRETS) == ()
    assert [len(base64.b64decode(value)) for value in planned] == [64, 32]
    assert all("\n" not in value for value in planned)


def test_whoever_copies_a_backend_shares_what_it_read_and_generated(place):
    mine = place.backend()
    other = copy.copy(mine)  # as pyinfra does whenever group_data is read
    planned = _values(mine)
    other.store(SECRETS)
    assert _values(mine) == _values(other) == planned


def test_what_is_there_is_never_overwritten(place):
    place.backend().store(SECRETS[:1])
    first = SECRETS[0].bind(place.backend()).reveal()
    place.backend().store(SECRETS)
    assert SECRETS[0].bind(place.backend()).reveal() == first


def test_whoever_loses_a_race_goes_on_with_the_winners_values(place):
    winner, loser = place.backend(), place.backend()
    pending = _values(loser)
    winner.store(SECRETS)
    loser.store(SECRETS)
    assert _values(loser) == _values(winner) != pending


def _race(place, script, arguments):
    """Run `script` in several processes that begin at the same moment, and return what each printed."""
    begin = f"import sys\n{place.source}print('ready', flush=True); sys.stdin.readline()\n"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", begin + script, str(one)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for one in arguments
    ]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=60)[0].split() for process in running]
    assert [process.returncode for process in running] == [0 for _ in running]
    return printed


INIT = """
import hashlib
from deploys.secret import Secret
start = int(sys.argv[1])
secrets = tuple(Secret(f"key{number}", 32) for number in range(start, start + 6))
backend.missing(secrets)
backend.store(secrets)
print(*(hashlib.sha256(secret.bind(backend).reveal().encode()).hexdigest() for secret in secrets))
"""


def _kept(place, names):
    entries = place.backend().entries(names)
    return {name: hashlib.sha256(entry.current.value.encode()).hexdigest() for name, entry in entries.items()}


def test_two_processes_that_store_at_once_end_with_one_set(place):
    printed = _race(place, INIT, (0, 0))
    kept = _kept(place, [f"key{number}" for number in range(6)])
    assert printed == [list(kept.values())] * 2


def test_three_processes_that_overlap_by_half_end_with_one_set(place):
    printed = _race(place, INIT, (0, 3, 6))
    assert set(place.backend().names()) == {f"key{number}" for number in range(12)}
    kept = _kept(place, [f"key{number}" for number in range(12)])
    for start, seen in zip((0, 3, 6), printed, strict=True):
        assert seen == [kept[f"key{number}"] for number in range(start, start + 6)]


CHANGE = """
from dataclasses import replace
from healthv1.secrets.entry import KeptVersion
for number in range(2):
    def add(found):
        new = KeptVersion(found.newest.number + 1, f"{sys.argv[1]}-{number}", None)
        return replace(found, versions=(*found.versions, new))
    backend.change("counted", add)
"""


def test_no_change_that_others_make_at_the_same_time_is_lost(place):
    place.backend().change("counted", lambda _: Entry.first("first"))
    _race(place, CHANGE, "abc")
    found = place.backend().entry("counted")
    assert [kept.number for kept in found.versions] == list(range(1, 8))
    assert {kept.value for kept in found.versions[1:]} == {f"{one}-{number}" for one in "abc" for number in range(2)}


def test_a_change_is_made_of_what_is_kept_at_that_moment(place):
    mine, other = place.backend(), place.backend()
    mine.store(SECRETS[:1])
    assert mine.entry("jwt") == other.entry("jwt")
    other.change("jwt", lambda found: found.staged("the second"))
    with pytest.raises(ValueError, match="staged"):
        mine.change("jwt", lambda found: found.staged("another second"))
    assert place.backend().entry("jwt").newest.value == "the second"


def test_each_name_is_read_once_per_run(place):
    place.backend().store(SECRETS)
    backend, asked = place.backend(), []
    fetch = backend._fetch
    backend._fetch = lambda name: asked.append(name) or fetch(name)
    for _ in range(3):
        _values(backend)
        backend.missing(SECRETS)
    assert sorted(asked) == ["jwt", "master_key"]
    backend.forget()
    _values(backend)
    assert len(asked) == 4


def test_the_names_that_are_kept_are_listed(place):
    assert place.backend().names() == ()
    for name in ("b_key", "a-key", "c.key"):
        place.backend().change(name, lambda _: Entry.first("value"))
    assert place.backend().names() == ("a-key", "b_key", "c.key")


@pytest.mark.parametrize(
    "value", [PRINTABLE, f"{PRINTABLE}\n\t{UNICODE}\n", "x" * 20_000], ids=["ascii", "any", "long"]
)
def test_a_value_comes_back_as_it_was(place, value):
    place.backend().change("odd", lambda _: Entry.first(value))
    assert Secret("odd").bind(place.backend()).reveal() == value


def test_an_entry_survives_each_step_of_its_life(place):
    def step(transition):
        made = place.backend().change("jwt", transition)
        assert place.backend().entry("jwt") == made
        return tuple(version.value for version in Secret("jwt").bind(place.backend()).versions())

    assert step(lambda _: Entry.first("one")) == ("one",)
    assert step(lambda found: found.escrowed("digest", {1})) == ("one",)
    assert step(lambda found: found.staged("two")) == ("one", "two")
    assert step(lambda found: found.promoted()) == ("two", "one")
    assert step(lambda found: found.retired(keep=True)) == ("two",)
    assert step(lambda found: found.settled()) == ("two",)
    assert [kept.number for kept in place.backend().entry("jwt").versions] == [1, 2]
    assert step(lambda found: found.replaced("three", keep=True)) == ("three",)
    assert step(lambda found: found.settled()) == ("three",)
    assert step(lambda found: found.staged("four")) == ("three", "four")
    assert step(lambda found: found.promoted()) == ("four", "three")
    assert step(lambda found: found.retired(keep=False)) == ("four",)
    assert [kept.number for kept in place.backend().entry("jwt").versions] == [4]


def test_what_only_a_person_can_supply_is_asked_for_by_name(place, refusal):
    smtp = Secret("smtp_password")
    [fault] = refusal(smtp.bind(place.backend()).reveal)
    assert fault.where == f"{place.backend()}#smtp_password"
    assert "healthv1 secrets set" in fault.hint
    assert place.backend().missing((smtp,)) == ()


def test_what_a_person_put_there_by_hand_is_taken(place):
    place.write("smtp_password", {"value": "by hand"})
    assert Secret("smtp_password").bind(place.backend()).reveal() == "by hand"
    place.backend().change("smtp_password", lambda found: found.replaced("by command"))
    assert Secret("smtp_password").bind(place.backend()).reveal() == "by command"


MALFORMED = (
    {},
    {"value": ""},
    {"value": {"a": "precious-value"}},
    {"jwt": "precious-value"},
    {"versions": {}, "active": 1},
)


@pytest.mark.parametrize("number", range(len(MALFORMED)))
def test_what_is_malformed_is_refused_and_not_replaced(place, refusal, number):
    place.write("jwt", MALFORMED[number])
    for work in (lambda: place.backend().missing(SECRETS), lambda: place.backend().store(SECRETS)):
        [fault] = refusal(work)
        assert fault.where == f"{place.backend()}#jwt"
        assert "precious" not in str(fault)


def test_all_that_is_wrong_is_said_at_once(place, refusal):
    place.write("jwt", {})
    place.write("master_key", {"value": ""})
    faults = refusal(lambda: place.backend().missing((*SECRETS, Secret("another", 32))))
    assert {fault.where.partition("#")[2] for fault in faults} == {"jwt", "master_key"}


def test_every_value_that_passes_is_known_to_the_redactor(place):
    mine = place.backend()
    mine.change("odd", lambda _: Entry.first("a value of a person"))
    for value in [*_values(mine), "a value of a person"]:
        assert value not in redactor.redact(f"<{value}>")


def test_a_backend_and_its_references_name_the_place(place):
    backend = place.backend()
    assert repr(SECRETS[0].bind(backend)) == f"Secret({backend}#jwt)"
    assert repr(backend) == f"{place.kind.__name__}({backend})"
    assert str(backend).split(":")[0] in ("vault", "aws", "file")


def test_no_error_shows_a_value(place):
    place.backend().change("jwt", lambda _: Entry.first("precious-value"))
    backend = place.backend()
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - whatever it says, it shows no value
        backend.change("jwt", lambda found: found.promoted())
    shown = json.dumps([str(refused.value), repr(backend), repr(backend.entry("jwt"))])
    assert "precious-value" not in shown
