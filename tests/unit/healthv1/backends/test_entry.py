"""What is kept under one name goes through a rotation in order, and survives being written down."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthv1.secrets.entry import Entry

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
MOVES = {
    "staged": (lambda entry, value, _: entry.staged(value), "settled"),
    "promoted": (lambda entry, _, __: entry.promoted(), "staged"),
    "retired": (lambda entry, _, keep: entry.retired(keep=keep), "promoted"),
    "settled": (lambda entry, _, __: entry.settled(), "retired"),
    "replaced": (lambda entry, value, keep: entry.replaced(value, keep=keep), "settled"),
}


@given(TEXT, st.lists(st.tuples(st.sampled_from([*MOVES, "escrowed"]), TEXT, st.booleans()), max_size=12))
def test_every_life_keeps_its_order_and_survives_being_written_down(first, moves):
    entry = Entry.first(first)
    for move, value, keep in moves:
        if move == "escrowed":
            entry = entry.escrowed("digest", {entry.active})
            assert entry.current.escrowed
            continue
        make, expected = MOVES[move]
        if entry.step == expected:
            entry = make(entry, value, keep)
        else:
            with pytest.raises(ValueError, match=f"that is {entry.step} cannot become") as refused:
                make(entry, value, keep)
            assert first not in str(refused.value) or len(first) < 10
        numbers = [kept.number for kept in entry.versions]
        assert numbers == sorted(set(numbers))
        assert entry.accepted[0] == entry.current
        assert len(entry.accepted) == (2 if entry.step in ("staged", "promoted") else 1)
        assert Entry.from_document(json.loads(json.dumps(entry.as_document()))) == entry


def test_a_number_is_never_used_again():
    entry = Entry.first("one").staged("two").promoted().retired(keep=False).settled().replaced("three")
    assert [kept.number for kept in entry.versions] == [3]


def test_what_is_new_is_not_in_escrow_yet():
    entry = Entry.first("one").escrowed("digest", {1, 2}).staged("two")
    assert [bool(kept.escrowed) for kept in entry.versions] == [True, False]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["versions", "active", "step", "1", "value"]), inner)
        ),
    )
)
def test_anything_else_is_refused_as_such_or_is_an_entry(document):
    try:
        entry = Entry.from_document(document)
    except ValueError as error:
        assert str(error) == "it is not an entry of ours"  # noqa: PT017 - most are refused, some are not
    else:
        assert entry.current.value
