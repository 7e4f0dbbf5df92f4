"""Attributes are drawn by what the buffer's candidates share (paper: equation 1)."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunky.errors import InputError
from chunky.surf import Candidate, Draw, Drawer, attribute_weights, pool_of

POOL = pool_of([f"a{number}" for number in range(20)], 5)


def made(score: float | None, *attributes: str) -> Candidate:
    return Candidate(1, 0, 1, attributes, "q", "r", score)


def test_weights_add_up_scores() -> None:
    """By hand: w(a) = 90 + 40, w(b) = 90, w(c) = 40 + 10."""
    buffer = [made(90, "a", "b"), made(40, "a", "c"), made(10, "c")]
    assert attribute_weights(buffer) == {"a": 130, "b": 90, "c": 50}


def test_an_empty_buffer_weighs_nothing() -> None:
    assert attribute_weights([]) == {}


@given(st.lists(st.tuples(st.floats(0, 100), st.sets(st.sampled_from("abcdef"), max_size=4)), max_size=10))
def test_weights_are_equation_1(buffer: list[tuple[float, set[str]]]) -> None:
    told = attribute_weights([made(score, *sorted(attributes)) for score, attributes in buffer])
    for attribute in "abcdef":
        assert told.get(attribute, 0) == pytest.approx(sum(s for s, held in buffer if attribute in held))


def draws(
    weights: dict[str, float], how: Draw, count: int = 4000, rows: list[list[str]] | None = None
) -> list[tuple[str, ...]]:
    return Drawer(POOL, how, rows or []).draw(weights, count, np.random.default_rng(3))


def test_without_weights_the_whole_pool_is_drawn_from() -> None:
    """Also when all scores of the buffer are 0, which say nothing."""
    for weights in ({}, {"a1": 0.0, "a2": 0.0}):
        told = Counter(attribute for drawn in draws(weights, Draw()) for attribute in drawn)
        assert set(told) == set(POOL.attributes)
        assert max(told.values()) / min(told.values()) < 1.3  # 600 each; six sigma are 150


def test_with_weights_only_they_are_drawn() -> None:
    told = Counter(
        attribute for drawn in draws({"a1": 30.0, "a2": 10.0, "a3": 0.0}, Draw(most=1)) for attribute in drawn
    )
    assert set(told) == {"a1", "a2"}
    assert told["a1"] / told.total() == pytest.approx(0.75, abs=0.04)  # six sigma of 4,000 draws


def test_exploration_keeps_a_share_of_the_draws_uniform() -> None:
    told = Counter(attribute for drawn in draws({"a1": 1.0}, Draw(most=1, exploration=0.5)) for attribute in drawn)
    assert set(told) == set(POOL.attributes)
    assert told["a1"] / told.total() == pytest.approx(0.5 + 0.5 / 20, abs=0.05)


@given(
    st.dictionaries(st.sampled_from(POOL.attributes), st.floats(0, 100), max_size=8),
    st.integers(1, 5),
    st.sampled_from(["uniform", "binomial"]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(0, 2**32),
)
def test_attributes_are_distinct_and_not_too_many(
    weights: dict[str, float], most: int, numbers: str, exploration: float, seed: int
) -> None:
    drawer = Drawer(POOL, Draw(most, numbers, exploration))
    told = drawer.draw(weights, 5, np.random.default_rng(seed))
    assert told == drawer.draw(weights, 5, np.random.default_rng(seed))
    for drawn in told:
        assert 1 <= len(drawn) <= most
        assert len(set(drawn)) == len(drawn)
        assert set(drawn) <= set(POOL.attributes)


def test_numbers_of_attributes_are_uniform_or_binomial() -> None:
    told = Counter(len(drawn) for drawn in draws({}, Draw()))
    assert {number: round(count / 4000, 1) for number, count in told.items()} == dict.fromkeys(range(1, 6), 0.2)
    told = Counter(len(drawn) for drawn in draws({}, Draw(numbers="binomial")))
    assert told[2] / 4000 == pytest.approx(10 / 32, abs=0.05)
    assert told[1] / 4000 == pytest.approx(6 / 32, abs=0.05)  # none at all would compose nothing: it counts as one


def test_rows_lend_attributes_and_are_dropped_the_more_others_there_are() -> None:
    """The published tool: with k weighted attributes a row's are left out with the probability of that k."""
    how = Draw(numbers="binomial", row_attributes=5, row_drop=(0, 0, 0.2, 0.4, 0.6, 0.8))
    told = draws({}, how, 8000, (("r1", "r2"), ("r3",)))
    lent = Counter((sum(a.startswith("a") for a in drawn), any(a.startswith("r") for a in drawn)) for drawn in told)
    for number, drop in enumerate(how.row_drop):
        total = lent[number, True] + lent[number, False]
        assert lent[number, False] / total == pytest.approx(drop, abs=0.13)  # six sigma of the 250 of k = 0 and 5
    assert all(drawn for drawn in told)


def test_a_row_lends_no_more_than_it_may() -> None:
    rows = (tuple(f"r{number}" for number in range(9)),)
    told = draws({}, Draw(row_attributes=2), 200, rows)
    assert {sum(a.startswith("r") for a in drawn) for drawn in told} == {2}


def test_attributes_of_rows_can_be_favored_later() -> None:
    """They need not be in the pool."""
    assert draws({"r7": 5.0}, Draw(most=1), 3) == [("r7",)] * 3


def test_a_pool_is_distinct_and_large_enough() -> None:
    assert pool_of([" a ", "b", "a"], 2).attributes == ("a", "b")
    with pytest.raises(InputError, match="the pool has 3 attributes"):
        pool_of(["a", "b", "c"], 5)
    with pytest.raises(InputError, match="attribute 2 of the pool is empty"):
        pool_of(["a", " "], 1)
    assert len(pool_of(["a"], 1)) == 1
