"""A whole run of draws has every pair of drifts together that can stand together."""

import random
from itertools import combinations

from tests.hosts.draws import DOWN, EXCLUSIVE, drawn, in_order
from tests.hosts.drifts import DRIFTS

NAMES = [str(drift) for drift in DRIFTS]
PAIRS = {frozenset(pair) for pair in combinations(NAMES, 2)}


def test_each_pair_is_covered_and_none_that_excludes_each_other():
    for seed in range(5):
        draws = [list(map(str, draw)) for draw in drawn(random.Random(seed))]
        covered = {frozenset(pair) for draw in draws for pair in combinations(draw, 2)}
        assert covered == PAIRS - {frozenset(pair) for pair in EXCLUSIVE}
        assert len(draws) <= 140


def test_a_seed_draws_the_same_again():
    assert drawn(random.Random(7)) == drawn(random.Random(7))
    assert drawn(random.Random(7)) != drawn(random.Random(8))


def test_what_is_listed_is_the_name_of_a_drift():
    assert len(set(NAMES)) == len(NAMES)
    assert {DOWN, *(name for pair in EXCLUSIVE for name in pair)} <= set(NAMES)


def test_what_another_drift_would_undo_comes_after_it():
    for draw in drawn(random.Random(0)):
        assert in_order(draw) == draw
    *_, down, first, second = in_order(DRIFTS)
    assert str(down) == DOWN
    assert "has not read" in first.name
    assert "has not read" in second.name
