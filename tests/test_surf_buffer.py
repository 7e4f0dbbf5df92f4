"""The replay buffer keeps the best candidates (paper: equation 2)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunky.surf import Candidate, candidate_id, merged, ordered


def made(number: int, score: float | None, query: str = "", group: int | None = None) -> Candidate:
    return Candidate(number, 0, number, ("a",), query or f"q{number}", "r", score, group=group)


def ids(candidates: list[Candidate]) -> list[int]:
    return [each.candidate_id for each in candidates]


def test_the_best_of_both_are_kept_best_first() -> None:
    """By hand: of 90, 40, 10 and 70, 40, 95 the three best are 95, 90, 70."""
    old, new = [made(1, 90), made(2, 40), made(3, 10)], [made(4, 70), made(5, 40), made(6, 95)]
    assert ids(merged(old, new, 3)) == [6, 1, 4]


def test_ties_go_to_the_smaller_id() -> None:
    assert ids(merged([made(7, 50)], [made(3, 50), made(5, 50)], 2)) == [3, 5]


def test_fewer_candidates_than_slots_are_all_kept() -> None:
    assert ids(merged([], [made(1, 0), made(2, 0)], 5)) == [1, 2]


def test_a_candidate_without_a_score_never_enters() -> None:
    """An unknown score is not a score of zero."""
    assert ids(merged([], [made(1, None), made(2, 0)], 5)) == [2]


def test_the_same_exchange_counts_once_as_its_best() -> None:
    assert ids(merged([], [made(1, 80, "same"), made(2, 90, "same"), made(3, 10)], 5)) == [2, 3]


def test_a_group_has_no_more_slots_than_it_may() -> None:
    told = [made(1, 90, group=1), made(2, 80, group=1), made(3, 70, group=3), made(4, 60)]
    assert ids(merged([], told, 3, per_group=1)) == [1, 3, 4]
    assert ids(merged([], told, 3)) == [1, 2, 3]


def test_ids_are_of_the_place_in_the_run() -> None:
    assert candidate_id(0, 1, 2) == candidate_id(0, 1, 2)
    assert len({candidate_id(seed, t, n) for seed in range(5) for t in range(5) for n in range(5)}) == 125


def grouped(number: int, score: float | None, query: str) -> Candidate:
    """The same query is always in the same group."""
    return made(number, score, query, {"": number % 3 or None, "same": 1, "other": None}[query])


CANDIDATES = st.lists(
    st.builds(
        grouped,
        st.integers(1, 40),
        st.one_of(st.none(), st.sampled_from([0.0, 10.0, 50.0, 71.5, 100.0])),
        st.sampled_from(["", "same", "other"]),
    ),
    unique_by=lambda each: each.candidate_id,
    max_size=30,
)


@given(CANDIDATES, st.integers(1, 6), st.integers(0, 2))
def test_merging_piecewise_is_merging_at_once(found: list[Candidate], size: int, per_group: int) -> None:
    """TopK(TopK(A) ∪ B) = TopK(A ∪ B), whatever the order."""
    cut = len(found) // 2
    at_once = merged([], found, size, per_group)
    assert merged(merged([], found[:cut], size, per_group), found[cut:], size, per_group) == at_once
    assert merged([], found[::-1], size, per_group) == at_once


@given(CANDIDATES, st.integers(1, 6))
def test_what_is_left_out_is_no_better(found: list[Candidate], size: int) -> None:
    kept = merged([], found, size)
    assert [each.key for each in kept] == sorted(each.key for each in kept)
    left = [each for each in ordered(found) if each not in kept]
    assert all(each.key > kept[-1].key for each in left)
    assert len(kept) == min(
        size, len({(each.query, each.response) for each in found if each.violation_score is not None})
    )


def test_order_is_of_score_alone() -> None:
    """What a candidate says does not move it."""
    first = made(1, 50)
    assert ordered([first, replace(made(2, 50), query="zzz")])[0] == first
    with pytest.raises(AttributeError):
        first.violation_score = 0  # type: ignore[misc]
