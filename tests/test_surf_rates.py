"""Violation rates: counted by hand, intervals against all resamples written out, and what is unknown stays unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from math import comb
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.surf.bootstrap import DRAWS, Interval, interval, resamples
from chunky.surf.rates import COLUMNS, rate_interval, violation_rates
from chunky.tables import TABLES

FAILURES = {
    "seed": pl.Int32, "failure_id": pl.Int64, "query_group": pl.Int64, "query": pl.String,
    "violation_score": pl.Float64,
}  # fmt: skip
FRESH = {"failure_id": pl.Int64, "sample": pl.Int32, "response": pl.String, "violation_score": pl.Float64}


def failures(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FAILURES, orient="row")


def fresh(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FRESH, orient="row")


def rates(kept: pl.DataFrame, again: pl.DataFrame, *thresholds: float) -> list[dict[str, Any]]:
    return violation_rates(kept, again, thresholds or (70,)).to_dicts()


# all resamples, one by one ------------------------------------------------------------------------------------------


def middle(values: Sequence[float]) -> tuple[float, float]:
    """The least values that 2.5 % and 97.5 % of all do not exceed."""
    ordered = sorted(values)
    return tuple(next(v for n, v in enumerate(ordered, 1) if n * 1000 >= p * len(ordered)) for p in (25, 975))  # type: ignore[return-value]


def written_out(parts: Sequence[float], wholes: Sequence[float]) -> tuple[float, float]:
    """The interval from every ordered resample of the runs: n to the power of n of them."""
    runs = range(len(parts))
    return middle(
        [sum(parts[i] for i in each) / sum(wholes[i] for i in each) for each in product(runs, repeat=len(parts))]
    )


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=2, max_size=5))
def test_the_interval_is_that_of_all_resamples_written_out(runs: list[tuple[int, int]]) -> None:
    counted = [(min(part, whole), whole) for part, whole in runs]
    frame = pl.DataFrame(counted, schema={"part": pl.Int64, "whole": pl.Int64}, orient="row")
    low, high = rate_interval(frame)
    assert (low, high) == pytest.approx(written_out(*zip(*counted, strict=True)))
    shares = [part / whole for part, whole in counted]
    assert min(shares) - 1e-12 <= (low or 0) <= (high or 0) <= max(shares) + 1e-12


@pytest.mark.parametrize("units", [1, 2, 3, 4, 5])
def test_exact_resamples_stand_for_every_draw(units: int) -> None:
    counts, weights = resamples(units)
    wanted = Counter(tuple(each.count(i) for i in range(units)) for each in product(range(units), repeat=units))
    assert dict(zip(map(tuple, counts.tolist()), weights.tolist(), strict=True)) == dict(wanted)


@pytest.mark.parametrize(("units", "number"), [(6, 462), (8, 6_435), (9, DRAWS), (75, DRAWS)])
def test_resamples_are_exact_where_that_is_cheap(units: int, number: int) -> None:
    counts, weights = resamples(units)
    assert len(counts) == len(weights) == number
    assert number == min(comb(2 * units - 1, units), DRAWS)
    assert (counts.sum(axis=1) == units).all()
    assert weights.sum() == (units**units if number < DRAWS else DRAWS)


def test_draws_follow_the_seed_and_come_near_to_what_is_exact() -> None:
    again = resamples.__wrapped__(9, 0)
    assert (resamples(9, 0).counts == again.counts).all()
    assert (resamples(9, 1).counts != again.counts).any()
    part = np.array([0, 1, 2, 3, 5, 4, 1, 0, 5], np.float64)
    exact = interval(*((r := resamples(9, draws=comb(17, 9))).counts @ part / 45, r.weights))
    drawn = interval(again.counts @ part / 45, again.weights)
    assert drawn == pytest.approx(exact, abs=0.03)


def test_no_value_has_no_interval() -> None:
    nothing = np.array([np.nan, np.nan])
    assert interval(nothing, np.ones(2, np.int64)) == Interval(None, None)
    assert interval(np.array([np.nan, 3.0]), np.ones(2, np.int64)) == Interval(3.0, 3.0)


# the table ------------------------------------------------------------------------------------------------------------


def test_the_columns_are_the_catalogs() -> None:
    own = [name for name in TABLES["surf.violation_rates"].column_names if name not in ("audit", "rubric", "target")]
    assert list(COLUMNS) == own == violation_rates(failures(), fresh(), (70,)).columns


def test_counted_by_hand() -> None:
    kept = failures(
        (0, 1, 10, "a", 90.0), (0, 2, 10, "b", 71.0), (0, 3, 30, "c", 70.0), (0, 4, 40, "d", 10.0),
        (4, 1, 10, "a", 90.0), (4, 5, 50, "e", 55.0),
    )  # fmt: skip
    again = fresh(
        (1, 0, "r", 80.0),
        (1, 1, "r", 60.0),
        (1, 2, None, None),
        (2, 0, "r", 80.0),
        (4, 0, "r", 20.0),
        (5, 0, None, None),
    )
    strict, loose = rates(kept, again, 70, 50, 70)
    assert strict == {
        "threshold": 70.0, "outputs": 6, "violations": 3, "violation_rate": 0.5,
        # of four draws of two runs: (0, 0) 2/4, (0, 4) and (4, 0) 3/6, (4, 4) 1/2
        "violation_low": 0.5, "violation_high": 0.5, "distinct_failures": 1,
        # queries of run 0: a 1/2, b 1, d 0; of run 4: a 1/2
        "fresh_samples": 4, "fresh_violations": 2, "fresh_rate": 0.5, "fresh_low": 0.5, "fresh_high": 0.5,
    }  # fmt: skip
    assert (loose["threshold"], loose["violations"], loose["distinct_failures"]) == (50.0, 5, 3)
    assert loose["violation_rate"] == pytest.approx(5 / 6)
    assert (loose["violation_low"], loose["violation_high"]) == (0.75, 1.0)
    assert (loose["fresh_violations"], loose["fresh_rate"]) == (3, 0.75)


def test_what_is_unknown_is_null_and_not_zero() -> None:
    (nothing,) = rates(failures(), fresh())
    assert [name for name, value in nothing.items() if value is not None] == [
        "threshold", "outputs", "violations", "distinct_failures", "fresh_samples", "fresh_violations",
    ]  # fmt: skip
    assert (nothing["outputs"], nothing["violations"], nothing["fresh_samples"]) == (0, 0, 0)
    (unasked,) = rates(failures((0, 1, 1, "a", 10.0), (1, 2, 2, "b", 20.0)), fresh((1, 0, None, None)))
    assert (unasked["violation_rate"], unasked["violation_low"], unasked["violation_high"]) == (0.0, 0.0, 0.0)
    assert (unasked["fresh_rate"], unasked["fresh_low"], unasked["fresh_samples"]) == (None, None, 0)


def test_one_run_has_a_rate_and_no_interval() -> None:
    (one,) = rates(failures((7, 1, 1, "a", 90.0), (7, 2, 2, "b", 20.0)), fresh((1, 0, "r", 90.0)))
    assert (one["violation_rate"], one["violation_low"], one["violation_high"]) == (0.5, None, None)
    assert (one["fresh_rate"], one["fresh_low"], one["fresh_high"]) == (1.0, None, None)


def test_failures_of_one_query_share_its_responses() -> None:
    kept = failures((0, 1, 1, "same", 90.0), (0, 2, 1, "same", 80.0))
    shared = [(1, 0, "r0", 90.0), (1, 1, "r1", 10.0), (2, 0, "r0", 90.0), (2, 1, "another", 30.0)]
    (told,) = rates(kept, fresh(*shared))
    assert (told["outputs"], told["fresh_samples"], told["fresh_violations"]) == (2, 3, 1)
    assert told["fresh_rate"] == pytest.approx(1 / 3)


runs = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(1, 9), st.integers(1, 3), st.sampled_from("abcd"),
        st.sampled_from([0.0, 50.0, 60.0, 70.0, 80.0, 100.0]),
    ),
    max_size=14,
)  # fmt: skip
responses = st.lists(
    st.tuples(
        st.integers(1, 9), st.integers(0, 3), st.sampled_from(["x", "y"]), st.sampled_from([None, 40.0, 65.0, 95.0])
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=80)
@given(runs, responses, st.randoms())
def test_rates_keep_their_order_and_bounds_whatever_the_rows(kept: list[Any], again: list[Any], shuffler: Any) -> None:
    kept = list({row[1]: row for row in kept}.values())  # an id has one query
    one, other = rates(failures(*kept), fresh(*again), 70, 50)
    shuffler.shuffle(kept)
    assert rates(failures(*kept), fresh(*again), 70, 50) == [one, other]
    assert one["outputs"] == other["outputs"] == len(kept)
    for name in ("violations", "violation_rate", "distinct_failures", "fresh_violations", "fresh_rate"):
        assert (one[name] or 0) <= (other[name] or 0), "a lower threshold holds no less"
    for row in (one, other):
        assert 0 <= row["distinct_failures"] <= row["violations"] <= row["outputs"]
        assert row["fresh_violations"] <= row["fresh_samples"]
        assert (row["violation_rate"] is None) == (row["outputs"] == 0)
        assert (row["fresh_rate"] is None) == (row["fresh_samples"] == 0)
        for kind in ("violation", "fresh"):
            low, high = row[f"{kind}_low"], row[f"{kind}_high"]
            assert (low is None) == (high is None)
            assert low is None or 0 <= low <= high <= 1
