"""Where k-means starts: seeds far apart, in a few passes over the vectors however many are wanted.

k-means++ (Arthur and Vassilvitskii 2007) draws one seed after the other, each with probability proportional to its
weight times its squared distance to the nearest seed so far: K passes. k-means∥ (Bahmani et al. 2012) draws many at
once and passes a few times. Here rounds grow: each draws three times as many as there are, up to a fixed share of K, so
that the first seeds are spread where that matters most and the products cost no more than one assignment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from chunky.clusters.assigning import assign
from chunky.indexes.exact import Vectors, take

if TYPE_CHECKING:
    import numpy.typing as npt

    from chunky.devices import Device

    F32 = npt.NDArray[np.float32]
    F64 = npt.NDArray[np.float64]
    I64 = npt.NDArray[np.int64]

__all__ = ["choose_seeds"]

_LARGEST_SHARE: Final = 16  # a round draws at most K/16 seeds


def choose_seeds(vectors: Vectors, weights: I64, k: int, *, seed: int, engine: str, device: Device) -> I64:
    """Positions of k different vectors, int64, in the order in which they were drawn; k ≤ n.

    Where fewer than k vectors differ from all seeds, the rest is filled up by position.
    """
    chosen = np.zeros(0, np.int64)
    loss = np.ones(len(weights))  # 1 − score of the nearest seed: half the squared distance
    number = 0
    while len(chosen) < k:
        wanted = min(max(3 * len(chosen), 1), max(k // _LARGEST_SHARE, 1), k - len(chosen))
        drawn = _draw(weights * loss, wanted, np.random.default_rng([seed, number]))
        if not len(drawn):
            others = np.setdiff1d(np.arange(len(weights)), chosen)[: k - len(chosen)]
            return np.concatenate([chosen, others])
        chosen, number = np.concatenate([chosen, drawn]), number + 1
        if len(chosen) < k:
            found = assign(vectors, take(vectors, drawn), engine=engine, device=device, is_checked=True)
            np.minimum(loss, np.maximum(1 - found.similarities.astype(np.float64), 0), out=loss)
            loss[loss < 1e-6] = 0  # a copy of a seed, but for rounding
            loss[chosen] = 0
    return chosen


def _draw(odds: F64, wanted: int, rng: np.random.Generator) -> I64:
    """At most `wanted` different positions, drawn without replacement in proportion to the odds.

    The smallest of exponential variables with these rates (Efraimidis and Spirakis 2006), earliest first.
    """
    possible = np.flatnonzero(odds > 0)
    keys = rng.exponential(size=len(odds))[possible] / odds[possible]
    if wanted < len(keys):
        kept = np.argpartition(keys, wanted)[:wanted]
        possible, keys = possible[kept], keys[kept]
    return possible[np.lexsort((possible, keys))]
