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
        places = [self._pool.places[attribute] for attribute, weight in weights.items() if weight > 0]
        mass = np.array([weight for weight in weights.values() if weight > 0], np.float64)
        mass = mass / mass.sum() if len(mass) else mass
        return [self._one(np.array(places, np.int64), mass, rng) for _ in range(count)]

    def _one(self, places: npt.NDArray[np.int64], mass: F64, rng: np.random.Generator) -> tuple[str, ...]:
        number, how = self._number(rng), self._how
        chosen: dict[int, None] = {}
        explored = int(rng.binomial(number, how.exploration)) if len(places) else number
        if wanted := min(number - explored, len(places)):
            chosen |= dict.fromkeys(int(place) for place in rng.choice(places, wanted, replace=False, p=mass))
        while len(chosen) < min(wanted + explored, len(self._pool)):
            chosen.setdefault(int(rng.integers(len(self._pool))), None)
        sampled = [self._pool.attributes[place] for place in chosen]
        return tuple(dict.fromkeys([*sampled, *self._of_a_row(number, rng)]))

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
