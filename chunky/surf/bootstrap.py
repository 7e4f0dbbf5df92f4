"""The bootstrap: how much a figure would move if other units (runs, failures) had been drawn.

Exact where that is cheap: of n units there are C(2n - 1, n) different resamples, 6,435 of eight, and each is weighed by
how many of the nⁿ orders give it. Of more units 10,000 resamples are drawn, by a seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import comb, factorial, prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["DRAWS", "Interval", "Resamples", "interval", "resamples"]

DRAWS = 10_000  # the ends of an interval then move by some 2 % of its width from seed to seed
_LOW, _HIGH, _OF = 25, 975, 1_000  # the middle 95 %

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


class Resamples(NamedTuple):
    """Resamples of n units.

    `counts` int64 (resamples, n): how often each unit is in each; every row sums to n. `weights` int64 (resamples,):
    how many draws a row stands for.
    """

    counts: I64
    weights: I64


class Interval(NamedTuple):
    """The middle 95 % of a figure over the resamples; None twice where it cannot be told."""

    low: float | None
    high: float | None


@lru_cache(maxsize=4)  # 10,000 resamples of 75 units are 6 MB
def resamples(units: int, seed: int = 0, draws: int = DRAWS) -> Resamples:
    """Resamples of `units` ≥ 1: all of them where there are at most `draws`, else so many, drawn by `seed`."""
    if comb(2 * units - 1, units) <= draws:
        counts = np.array(list(_compositions(units, units)), np.int64)
        orders = [factorial(units) // prod(map(factorial, row)) for row in counts.tolist()]
        found = Resamples(counts, np.array(orders, np.int64))
    else:
        rng = np.random.default_rng(seed)
        places = rng.integers(units, size=(draws, units)) + units * np.arange(draws)[:, None]
        counted = np.bincount(places.ravel(), minlength=draws * units).reshape(draws, units)
        found = Resamples(counted.astype(np.int64), np.ones(draws, np.int64))
    for array in found:
        array.setflags(write=False)  # kept for the next caller
    return found


def interval(values: F64, weights: I64) -> Interval:
    """The least values that 2.5 % and 97.5 % of the weight do not exceed; NaN is no value.

    Args:
        values: float64 (resamples,), the figure of each resample, NaN where it has none.
        weights: int64 (resamples,), ≥ 1.

    """
    known = ~np.isnan(values)
    if not known.any():
        return Interval(None, None)
    order = np.argsort(values[known], kind="stable")
    ordered, reached = values[known][order], np.cumsum(weights[known][order])
    low, high = (int(np.searchsorted(reached * _OF, share * reached[-1])) for share in (_LOW, _HIGH))  # whole numbers
    return Interval(float(ordered[low]), float(ordered[high]))


def _compositions(total: int, places: int) -> Iterator[tuple[int, ...]]:
    """All ways to share `total` among `places`."""
    if places == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for others in _compositions(total - first, places - 1):
            yield (first, *others)
