"""Triggers that rest on the same rows are told once."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from chunky.turf import told_once

Hits = dict[int, list[set[int]]]  # failure → rows of each of its triggers, best first


def frames(hits: Hits) -> tuple[pl.DataFrame, pl.DataFrame]:
    triggers = [(failure, rank) for failure, own in hits.items() for rank, _ in enumerate(own, 1)]
    evidence = [
        (failure, rank, place, row)
        for failure, own in hits.items()
        for rank, rows in enumerate(own, 1)
        for place, row in enumerate(sorted(rows), 1)
    ]
    schema = {"failure_id": pl.Int64, "trigger_rank": pl.Int32}
    more = {"evidence_rank": pl.Int32, "row_id": pl.Int64}
    named = pl.DataFrame(triggers, schema, orient="row").with_columns(name=pl.int_range(pl.len()))
    return named, pl.DataFrame(evidence, schema | more, orient="row")


def slowly(hits: Hits, share: float, most: int) -> list[tuple[int, int, set[int]]]:
    """failure, rank and rows of every trigger that is told, by sets and loops."""
    found = []
    for failure, own in hits.items():
        told: list[set[int]] = []
        for rows in own:
            if not any(len(rows & better) >= share * len(rows) for better in told) and len(told) < most:
                told.append(rows)
        found += [(failure, rank, rows) for rank, rows in enumerate(told, 1)]
    return found


def test_a_fragment_is_told_by_the_whole_and_another_cause_is_not() -> None:
    whole, fragment, other = set(range(20)), set(range(12)), set(range(15, 40))
    triggers, evidence = told_once(*frames({7: [whole, fragment, other], -7: [fragment, whole]}), share=0.5, most=5)
    assert triggers.rows() == [(7, 1, 0), (7, 2, 2), (-7, 1, 3)]
    assert evidence.filter(failure_id=7, trigger_rank=2)["row_id"].to_list() == sorted(other)


def test_nothing_is_told_of_nothing() -> None:
    triggers, evidence = told_once(*frames({}), share=0.5, most=5)
    assert (triggers.height, evidence.height) == (0, 0)


@given(
    st.dictionaries(st.integers(-3, 3), st.lists(st.sets(st.integers(0, 12), min_size=1), max_size=8), max_size=3),
    st.sampled_from([0.25, 0.5, 2 / 3, 1.0]),
    st.integers(1, 4),
)
def test_folding_is_the_slow_folding(hits: Hits, share: float, most: int) -> None:
    triggers, evidence = told_once(*frames(hits), share=share, most=most)
    wanted = slowly(hits, share, most)
    assert triggers.select("failure_id", "trigger_rank").rows() == [each[:2] for each in wanted]
    for failure, rank, rows in wanted:
        assert set(evidence.filter(failure_id=failure, trigger_rank=rank)["row_id"]) == rows
    assert evidence.height == sum(len(rows) for _, _, rows in wanted)
