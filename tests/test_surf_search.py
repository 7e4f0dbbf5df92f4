"""A search is a function of its pool, its rules, its seed and what it took."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from chunky.errors import InputError
from chunky.surf import Candidate, Draw, Groups, Rules, Search, pool_of

POOL = pool_of([f"attribute {number}" for number in range(200)], 5)
RULES = Rules(candidates=30, iterations=6, buffer=5, patience=0)


def played(candidates: list[Candidate], bad: str = "attribute 7") -> list[Candidate]:
    """Scores: 90 with the bad attribute, else 0 to 9 by the number of attributes."""
    return [
        replace(
            each, query=" and ".join(each.attributes), response="r",
            violation_score=90.0 if bad in each.attributes else float(len(each.attributes)),
        )
        for each in candidates
    ]  # fmt: skip


def run(search: Search) -> list[list[Candidate]]:
    taken = []
    while not search.stop:
        taken.append(played(search.propose()))
        search.take(taken[-1])
    return taken


def test_the_same_seed_gives_the_same_run_and_another_another() -> None:
    assert run(Search(POOL, RULES, 3)) == run(Search(POOL, RULES, 3))
    assert run(Search(POOL, RULES, 3)) != run(Search(POOL, RULES, 4))


@pytest.mark.parametrize("cut", range(6))
def test_a_search_goes_on_from_what_was_taken(cut: int) -> None:
    whole = run(Search(POOL, RULES, 3))
    again = Search(POOL, RULES, 3, taken=whole[:cut])
    assert whole[:cut] + run(again) == whole
    assert again.iteration == 6


def test_what_violates_is_drawn_more_often() -> None:
    search = Search(POOL, replace(RULES, candidates=100, buffer=3), 0)
    taken = run(search)
    shares = [np.mean(["attribute 7" in each.attributes for each in candidates]) for candidates in taken]
    assert shares[0] < 0.1  # 3 of 200 attributes
    assert shares[-1] > 0.3
    assert {each.violation_score for each in search.buffer} == {90.0}


def test_a_proposal_is_the_same_however_often_it_is_asked_for() -> None:
    search = Search(POOL, RULES, 1)
    assert search.propose() == search.propose()
    assert [each.number for each in search.propose()] == list(range(1, 31))


def test_it_converges_when_the_buffer_gains_too_little() -> None:
    rules = replace(RULES, iterations=50, patience=3, least_gain=1.0)
    search = Search(POOL, replace(rules, candidates=100), 0)
    run(search)
    assert search.stop == "converged"
    gains = [later - before for before, later in zip(search.means, search.means[3:], strict=False)]
    assert gains[-1] < 1
    assert all(gain >= 1 for gain in gains[:-1])
    assert len(gains) > 1


def test_a_buffer_of_zeros_has_not_converged() -> None:
    search = Search(POOL, replace(RULES, patience=1), 0)
    while not search.stop:
        search.take([replace(each, query=str(each), response="r", violation_score=0.0) for each in search.propose()])
    assert (search.stop, search.iteration) == ("iterations", 6)


def test_failed_candidates_leave_the_buffer_as_it_is() -> None:
    search = Search(POOL, RULES, 0)
    search.take([replace(each, error="target: timeout") for each in search.propose()])
    assert (search.buffer, search.means) == ([], [0.0])


def test_an_iteration_is_taken_once() -> None:
    search = Search(POOL, RULES, 0)
    first = played(search.propose())
    search.take(first)
    with pytest.raises(InputError, match="candidates of iteration 0 came in iteration 1"):
        search.take(first)


def test_like_queries_follow_the_best_of_them() -> None:
    groups = Groups(0.9)
    east, north = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    near = np.array([0.96, 0.28], np.float32)
    assert groups.assign([11, 12, 13], np.stack([east, near, north])) == [11, 11, 13]
    assert groups.assign([14], near[None]) == [11]
    later = Groups(0.9)
    later.lead([11, 13], np.stack([east, north]))
    assert later.assign([15, 16], np.stack([near, north])) == [11, 13]


def test_draws_of_an_iteration_do_not_depend_on_the_rules_of_the_end() -> None:
    """So that a search of more iterations keeps those it has."""
    assert Search(POOL, RULES, 1).propose() == Search(POOL, replace(RULES, iterations=99, patience=7), 1).propose()
    other = Search(POOL, replace(RULES, draw=Draw(most=2)), 1)
    assert other.propose() != Search(POOL, RULES, 1).propose()
