"""Which attributes a candidate is given: weights from the buffer, and the draw (paper: sections 3.1.3, 3.1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chunky.surf.buffer import Candidate
from chunky.surf.pool import Pool

__all__ = ["Draw", "Drawer", "attribute_weights"]

F64 = npt.NDArray[np.float64]
_TRIES = 20  # draws for one new attribute: a pool of two misses its second one in 1e-6 of all cases


@dataclass(frozen=True)
class Draw:
    """How attributes are drawn.

    Args:
        most: attributes of a candidate, at most (paper: k ≤ 5).
        numbers: `uniform`: k is 1 … most alike; `binomial`: k is Binomial(most, ½), and 0 where a row gives some.
        exploration: share of the draws that are uniform over the pool, whatever the buffer says (paper: 0).
        row_attributes: attributes of one random row of the mix beside them, at most (paper: 0).
        row_drop: by k, the probability that the row's attributes are left out.

    """

    most: int = 5
    numbers: str = "uniform"
    exploration: float = 0.0
    row_attributes: int = 0
    row_drop: tuple[float, ...] = ()


def attribute_weights(buffer: Iterable[Candidate]) -> dict[str, float]:
    """Attribute → w(a), the sum of the violation scores of the buffer's candidates that have it (paper: equation 1).

    Candidates without a score, which no buffer holds, weigh nothing.
    """
    found: dict[str, float] = {}
    for candidate in buffer:
        for attribute in candidate.attributes:
            found[attribute] = found.get(attribute, 0.0) + (candidate.violation_score or 0.0)
    return found


class Drawer:
    """Draws attribute sets from a pool.

    Args:
        pool: the attributes.
        how: the rules of the draw.
        rows: attributes of rows of the mix, one list a row, of which `how.row_attributes` are taken; none otherwise.

    """

    def __init__(self, pool: Pool, how: Draw, rows: Sequence[Sequence[str]] = ()) -> None:
        self._pool, self._how, self._rows = pool, how, rows

    def draw(self, weights: dict[str, float], count: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
        """`count` sets of distinct attributes. P(a) ∝ w(a); uniform over the pool where all weights are 0 (t = 0)."""
        mass = np.array(list(weights.values()), np.float64)
        mass = mass / mass.sum() if mass.sum() > 0 else mass
        names = [attribute for attribute, share in zip(weights, mass, strict=True) if share > 0]
        return [self._one(names, mass[mass > 0], rng) for _ in range(count)]

    def _one(self, names: Sequence[str], mass: F64, rng: np.random.Generator) -> tuple[str, ...]:
        number, how, pool = self._number(rng), self._how, self._pool.attributes
        chosen: dict[str, None] = {}
        explored = int(rng.binomial(number, how.exploration)) if names else number
        if wanted := min(number - explored, len(names)):
            chosen |= dict.fromkeys(names[place] for place in rng.choice(len(names), wanted, replace=False, p=mass))
        # a pool smaller than what is wanted would never fill it
        for _ in range(_TRIES * explored):
            if len(chosen) == wanted + explored:
                break
            chosen.setdefault(pool[int(rng.integers(len(pool)))], None)
        return tuple(dict.fromkeys([*chosen, *self._of_a_row(number, rng)]))

    def _number(self, rng: np.random.Generator) -> int:
        how = self._how
        if how.numbers == "binomial":
            found = int(rng.binomial(how.most, 0.5))
            return found if how.row_attributes and self._rows else max(found, 1)
        return int(rng.integers(1, how.most + 1))

    def _of_a_row(self, number: int, rng: np.random.Generator) -> list[str]:
        how = self._how
        if not how.row_attributes or not self._rows:
            return []
        row = self._rows[int(rng.integers(len(self._rows)))]
        drop = how.row_drop[min(number, len(how.row_drop) - 1)] if how.row_drop else 0.0
        if rng.random() < drop:
            return []
        kept = rng.permutation(len(row))[: how.row_attributes]
        return [row[place] for place in kept]
