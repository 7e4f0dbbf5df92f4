"""One seeded search: propose candidates, take what came of them, reweight, stop (paper: sections 3.1.3 to 3.1.6).

Nothing here asks a model. A search is a function of its pool, its rules, its seed and the candidates that it took, so
that a run which was cut off goes on from the candidates that were kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from chunky.errors import InputError
from chunky.surf.buffer import Candidate, candidate_id, merged
from chunky.surf.pool import Pool
from chunky.surf.sampling import Draw, Drawer, attribute_weights

__all__ = ["Rules", "Search"]


@dataclass(frozen=True)
class Rules:
    """The rules of a search.

    Args:
        candidates: new ones of an iteration, N (paper: 360).
        iterations: at most, T (paper: 20).
        buffer: slots of the replay buffer, n.
        per_group: slots that like queries may take, 0 = any number (paper).
        patience: iterations in which the mean score of the buffer gains less than `least_gain` before the search ends;
            0 = never.
        least_gain: points of the violation score.
        draw: how attributes are drawn.

    """

    candidates: int = 360
    iterations: int = 20
    buffer: int = 20
    per_group: int = 0
    patience: int = 3
    least_gain: float = 1.0
    draw: Draw = field(default_factory=Draw)


class Search:
    """The state of one seed's search.

    Args:
        pool: attributes that candidates are composed of.
        rules: the rules.
        seed: what is drawn.
        rows: attributes of rows of the mix (see `Drawer`).
        taken: candidates of earlier iterations, whole iterations in their order: the search goes on after them.

    """

    def __init__(
        self,
        pool: Pool,
        rules: Rules,
        seed: int,
        rows: Sequence[Sequence[str]] = (),
        taken: Iterable[Sequence[Candidate]] = (),
    ) -> None:
        self.seed, self.rules = seed, rules
        self.iteration = 0
        self.buffer: list[Candidate] = []
        self.means: list[float] = []
        self._drawer = Drawer(pool, rules.draw, rows)
        for candidates in taken:
            self.take(candidates)

    def propose(self) -> list[Candidate]:
        """The candidates of this iteration: their attributes, nothing else yet. The same however often it is asked."""
        rng = np.random.default_rng((self.seed, self.iteration))
        drawn = self._drawer.draw(attribute_weights(self.buffer), self.rules.candidates, rng)
        return [
            Candidate(candidate_id(self.seed, self.iteration, number), self.iteration, number, attributes)
            for number, attributes in enumerate(drawn, 1)
        ]

    def take(self, candidates: Sequence[Candidate]) -> None:
        """Merge what came of the candidates of this iteration into the buffer; the next iteration begins.

        InputError for candidates of another iteration.
        """
        strange = [each.iteration for each in candidates if each.iteration != self.iteration]
        if strange:
            raise InputError(
                f"candidates of iteration {strange[0]} came in iteration {self.iteration}", "take each iteration once"
            )
        self.buffer = merged(self.buffer, candidates, self.rules.buffer, self.rules.per_group)
        scores = [each.violation_score or 0.0 for each in self.buffer]
        self.means.append(sum(scores) / len(scores) if scores else 0.0)
        self.iteration += 1

    @property
    def stop(self) -> str:
        """Why the search is over: `converged`, `iterations`, or empty while it is not."""
        patience = self.rules.patience
        if patience and len(self.means) > patience and len(self.buffer) == self.rules.buffer:
            # a buffer of zeros has found nothing yet: it has not converged, it has not begun
            gained = self.means[-1] - self.means[-1 - patience]
            if self.means[-1] > 0 and gained < self.rules.least_gain:
                return "converged"
        return "iterations" if self.iteration >= self.rules.iterations else ""
