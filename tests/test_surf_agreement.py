"""Krippendorff's alpha: textbook figures, a slow reading of the definition, and intervals from all resamples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.errors import InputError
from chunky.surf.agreement import COLUMNS, LEVELS, agreement, agreements, alpha
from chunky.tables import TABLES
from tests.test_surf_rates import middle

F64 = npt.NDArray[np.float64]
NO = float("nan")

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): sections A, B and C
BINARY = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
TWO = [[1, 1, 2, 2, 4, 3, 3, 3, 5, 4, 4, 1], [2, 1, 2, 2, 2, 3, 3, 3, 5, 4, 4, 4]]
FOUR = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NO, NO, NO],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NO, 3],
    [NO, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NO],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NO],
]


def table(by_rater: Sequence[Sequence[float]]) -> F64:
    return np.array(by_rater, np.float64).T


def slow(scores: Sequence[Sequence[float]], level: str) -> float | None:
    """The definition, pair by pair. `scores` has a row a unit."""
    units = [[x for x in row if not np.isnan(x)] for row in scores]
    units = [row for row in units if len(row) > 1]
    values = [x for row in units for x in row]

    def difference(one: float, other: float) -> float:
        return (one - other) ** 2 if level == "interval" else float(one != other)

    n = len(values)
    observed = sum(difference(*pair) / (len(row) - 1) for row in units for pair in permutations(row, 2)) / max(n, 1)
    expected = sum(difference(*pair) for pair in permutations(values, 2)) / max(n * (n - 1), 1)
    return None if expected == 0 else 1 - observed / expected


@pytest.mark.parametrize(
    ("scores", "level", "wanted"),
    [
        (BINARY, "nominal", 0.095),
        (BINARY, "interval", 0.095),
        (TWO, "nominal", 0.692),
        (FOUR, "nominal", 0.743),
        (FOUR, "interval", 0.849),
    ],
)
def test_textbook_figures(scores: list[list[float]], level: str, wanted: float) -> None:
    assert round(alpha(table(scores), level) or 0, 3) == wanted
    assert round(slow(table(scores).tolist(), level) or 0, 3) == wanted


def test_by_hand() -> None:
    # two units, rated 0 and 10, 20 and 20: D_o = (100 + 100) / 4 = 50; D_e = 2 (100 + 400 + 400 + 100 + 100) / 12
    assert alpha(table([[0, 20], [10, 20]])) == pytest.approx(1 - 50 / (2200 / 12))


@pytest.mark.parametrize("level", LEVELS)
def test_what_cannot_be_told_is_none(level: str) -> None:
    nothing: list[list[list[float]]] = [[[], []], [[1, NO], [NO, 1]], [[70, 70], [70, 70]], [[33.3, 33.3, NO]] * 3]
    for scores in nothing:
        assert alpha(table(scores), level) is None
        told = agreement(table(scores), level)
        assert (told.alpha, told.low, told.high) == (None, None, None)
    assert agreement(table([[1, NO], [NO, 1]]), level)[:2] == (0, 0)
    one = agreement(table([[1, 2], [2, NO]]), level)
    assert one[:2] == (1, 2)
    assert (one.alpha, one.low) == (0.0, None)


def test_an_unknown_level_is_an_error() -> None:
    with pytest.raises(InputError, match="ordinal"):
        alpha(table(BINARY), "ordinal")


score = st.sampled_from([NO, NO, 0.0, 12.25, 50.0, 70.0, 99.9, 100.0])
tables = st.integers(2, 4).flatmap(
    lambda raters: st.lists(st.lists(score, min_size=raters, max_size=raters), min_size=1, max_size=9)
)


@settings(deadline=None, max_examples=200)
@given(tables, st.sampled_from(LEVELS))
def test_alpha_is_the_definition(scores: list[list[float]], level: str) -> None:
    found = alpha(np.array(scores, np.float64), level)
    wanted = slow(scores, level)
    assert found == (None if wanted is None else pytest.approx(wanted, abs=1e-9))


@settings(deadline=None, max_examples=60)
@given(tables, st.sampled_from(LEVELS), st.floats(-50, 50), st.sampled_from([0.5, 2.0, -3.0]))
def test_alpha_knows_neither_order_nor_origin_nor_scale(
    scores: list[list[float]], level: str, shift: float, scale: float
) -> None:
    given_scores = np.array(scores, np.float64)
    found = alpha(given_scores, level)
    for other in (given_scores[::-1], given_scores[:, ::-1], given_scores * scale + round(shift)):
        assert alpha(other, level) == (None if found is None else pytest.approx(found, abs=1e-9))


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.lists(st.sampled_from([0.0, 30.0, 100.0]), min_size=2, max_size=2), min_size=2, max_size=4),
    st.sampled_from(LEVELS),
)
def test_the_interval_is_that_of_all_resamples_of_the_units(scores: list[list[float]], level: str) -> None:
    drawn = [slow([scores[i] for i in each], level) for each in product(range(len(scores)), repeat=len(scores))]
    known = [value for value in drawn if value is not None]
    told = agreement(np.array(scores), level)
    if known:
        assert (told.low, told.high) == pytest.approx(middle(known))
    else:
        assert (told.alpha, told.low, told.high) == (None, None, None)


# the table ------------------------------------------------------------------------------------------------------------


def ratings(**by_rater: Sequence[float | None]) -> pl.DataFrame:
    rows = [(unit, rater, score) for rater, scores in by_rater.items() for unit, score in enumerate(scores)]
    return pl.DataFrame(rows, {"failure_id": pl.Int64, "rater": pl.String, "violation_score": pl.Float64}, orient="row")


def test_all_groups_and_pairs() -> None:
    given_ratings = ratings(b=[90, 80, 10, 75], a=[80, 90, 20, None], c=[80, 60, 10, 75], silent=[None] * 4)
    found = agreements(given_ratings, 70, [["a", "c"], ["b", "c", "nobody"], ["a"]])
    assert found.columns == list(COLUMNS)
    assert list(COLUMNS) == [name for name in TABLES["surf.agreement"].column_names if name != "audit"]
    assert found["raters"].to_list() == [["a", "b", "c"], ["a", "c"], ["b", "c"], ["a", "b"]]
    assert found["units"].to_list() == [4, 3, 4, 3]
    assert found["ratings"].to_list() == [11, 6, 8, 6]
    pair = found.row(by_predicate=pl.col("raters") == ["a", "b"], named=True)
    assert pair["alpha"] == pytest.approx(slow([[80, 90], [90, 80], [20, 10]], "interval"))
    assert pair["violation_alpha"] == pair["violation_alpha_low"] == pair["violation_alpha_high"] == 1.0
    mixed = found.row(by_predicate=pl.col("raters") == ["b", "c"], named=True)
    assert mixed["violation_alpha"] == pytest.approx(slow([[1, 1], [1, 0], [0, 0], [1, 1]], "nominal"))


def test_one_rater_agrees_with_nobody() -> None:
    assert agreements(ratings(a=[1, 2, 3]), 70).is_empty()
    assert agreements(ratings(), 70).is_empty()


def test_raters_without_a_failure_in_common_have_no_alpha() -> None:
    (row,) = agreements(ratings(a=[1, None], b=[None, 2]), 70).to_dicts()
    assert (row["units"], row["ratings"], row["alpha"], row["violation_alpha"]) == (0, 0, None, None)
