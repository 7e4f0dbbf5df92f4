"""How far raters agree: Krippendorff's alpha, exact with missing ratings, and its bootstrap interval.

alpha = 1 - D_o / D_e. D_o is the mean squared difference (interval data) or the share of unequal pairs (nominal data)
between ratings of one unit, D_e the same between ratings of any units: 1 is agreement, 0 as by chance, less is worse.
Own; the paper does not say how far its judge agrees with itself or with people. After Krippendorff, Content Analysis,
chapter 11: a unit of m ratings counts by m - 1 in D_o, and units of a single rating do not count at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky.errors import InputError
from chunky.surf.bootstrap import DRAWS, interval, resamples

__all__ = ["COLUMNS", "LEVELS", "Agreement", "agreement", "agreements", "alpha"]

LEVELS = ("interval", "nominal")
COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "comparison_rank": pl.Int32, "raters": pl.List(pl.String), "units": pl.Int64, "ratings": pl.Int64,
    "alpha": pl.Float64, "alpha_low": pl.Float64, "alpha_high": pl.Float64, "violation_alpha": pl.Float64,
    "violation_alpha_low": pl.Float64, "violation_alpha_high": pl.Float64,
}  # fmt: skip
"""Columns of `surf.agreement` but audit."""

_LEAST_SPREAD = 1e-12  # of the squares that it is a difference of: below it, ratings do not vary

F64 = npt.NDArray[np.float64]


class Agreement(NamedTuple):
    """How far some raters agree: units that two of them rated, the ratings of these, alpha and its 95 % interval.

    None where it cannot be told: without two ratings of any unit, or where no two ratings differ, as raters who always
    say the same have shown no agreement about anything.
    """

    units: int
    ratings: int
    alpha: float | None
    low: float | None
    high: float | None


def alpha(scores: F64, level: str = "interval") -> float | None:
    """Krippendorff's alpha of `scores`, float64 (units, raters), NaN where a rater did not rate; None as above.

    InputError for a `level` of measurement that is not one of `LEVELS`.
    """
    parts = _parts(_pairable(scores), level)
    ones = np.ones((1, len(parts.sizes)), np.int64)
    value = float(_alphas(parts, ones)[0])
    return None if np.isnan(value) else value


def agreement(scores: F64, level: str = "interval", seed: int = 0, draws: int = DRAWS) -> Agreement:
    """Alpha with its interval: a bootstrap over the units, exact for eight or fewer.

    Resamples in which no two ratings differ have no alpha and do not count. Arguments and errors as in `alpha`.
    """
    kept = _pairable(scores)
    parts, units = _parts(kept, level), len(kept)
    if not units:
        return Agreement(0, 0, None, None, None)
    drawn = resamples(units, seed, draws)
    ends = interval(_alphas(parts, drawn.counts), drawn.weights) if units > 1 else (None, None)
    return Agreement(units, int(parts.sizes.sum()), alpha(kept, level), *ends)


def agreements(
    ratings: pl.DataFrame, violation: float, groups: Sequence[Sequence[str]] = (), seed: int = 0
) -> pl.DataFrame:
    """How far the raters of an audit agree: all of them, each two of them, and the `groups`.

    Args:
        ratings: failure_id, rater, violation_score (null where there is none); one row per failure and rater.
        violation: scores above it are violations; `violation_alpha` is of that yes or no, nominal data.
        groups: names of raters who are compared with each other too.
        seed: of the bootstraps, where they draw.

    Returns:
        One row per set of raters in `COLUMNS`, all raters first, then groups, then pairs in order of name; none for
        fewer than two raters.

    """
    known = ratings.filter(pl.col("violation_score").is_not_null())
    raters = known["rater"].unique().sort().to_list()
    scores = _table(known, raters)
    wanted = [tuple(sorted(set(group) & set(raters))) for group in (raters, *groups, *combinations(raters, 2))]
    rows = []
    for rank, names in enumerate(dict.fromkeys(each for each in wanted if len(each) > 1), 1):
        mine = scores[:, [raters.index(name) for name in names]]
        judged = agreement(mine, seed=seed)
        is_violation = np.where(np.isnan(mine), np.nan, mine > violation)
        rows.append((rank, list(names), *judged, *agreement(is_violation, "nominal", seed)[2:]))
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _table(known: pl.DataFrame, raters: Sequence[str]) -> F64:
    """Scores float64 (failures, raters) in order of failure_id, NaN where there is none."""
    units = known["failure_id"].unique().sort().to_list()
    place, column = ({each: number for number, each in enumerate(names)} for names in (units, raters))
    scores = np.full((len(units), len(raters)), np.nan)
    for unit, rater, score in known.select("failure_id", "rater", "violation_score").iter_rows():
        scores[place[unit], column[rater]] = score
    return scores


# alpha by sums over units, so that resamples are products of matrices -----------------------------------------------


class _Parts(NamedTuple):
    """Of each unit: its ratings, what it adds to D_o, and what D_e is made of.

    `observed` is the sum over its ordered pairs of ratings, of their difference, over (ratings - 1). `sums` is
    float64 (units, values): interval data Σx and Σx² of centered ratings, nominal data how often each value occurs.
    """

    level: str
    sizes: npt.NDArray[np.int64]
    observed: F64
    sums: F64


def _pairable(scores: F64) -> F64:
    """The units with two ratings or more."""
    kept: F64 = scores[(~np.isnan(scores)).sum(axis=1) >= 2]
    return kept


def _parts(scores: F64, level: str) -> _Parts:
    if level not in LEVELS:
        raise InputError(f"there is no level of measurement {level!r}", f"use one of: {', '.join(LEVELS)}")
    is_there = ~np.isnan(scores)
    sizes = is_there.sum(axis=1)
    if level == "interval":
        # a whole number as center: whole scores stay whole, and their sums exact
        centered = np.where(is_there, scores - (np.round(np.nanmean(scores)) if len(scores) else 0.0), 0.0)
        own = centered.sum(axis=1) / np.maximum(sizes, 1)
        within = np.where(is_there, (centered - own[:, None]) ** 2, 0.0).sum(axis=1)
        sums = np.stack([centered.sum(axis=1), (centered**2).sum(axis=1)], axis=1)
        return _Parts(level, sizes, 2 * sizes * within / np.maximum(sizes - 1, 1), sums)
    values = np.unique(scores[is_there])
    sums = (scores[:, :, None] == values).sum(axis=1).astype(np.float64)
    unequal = sizes**2 - (sums**2).sum(axis=1)
    return _Parts(level, sizes, unequal / np.maximum(sizes - 1, 1), sums)


def _alphas(parts: _Parts, counts: npt.NDArray[np.int64]) -> F64:
    """Alpha of each resample, float64 (resamples,), NaN where none differ; `counts` int64 (resamples, units)."""
    drawn = counts.astype(np.float64)
    total = drawn @ parts.sizes.astype(np.float64)
    observed = drawn @ parts.observed
    sums = drawn @ parts.sums
    if parts.level == "interval":
        squares = total * sums[:, 1]
        expected = 2 * (squares - sums[:, 0] ** 2)
    else:
        squares = total**2
        expected = squares - (sums**2).sum(axis=1)
    varies = expected > _LEAST_SPREAD * np.maximum(squares, 1e-300)
    # D_o / D_e = (observed / n) / (expected / (n (n - 1)))
    ratio = np.divide(observed * (total - 1), expected, out=np.full(len(counts), np.nan), where=varies)
    found: F64 = 1 - ratio
    return found
