"""Groups of like queries, so that one failure is not found many times (own; the paper's buffer knows none)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Groups"]

F32 = npt.NDArray[np.float32]


class Groups:
    """Leaders and their vectors. A query joins the most similar leader, or leads a group of its own.

    Args:
        least: cosine from which on two queries are alike.

    """

    def __init__(self, least: float) -> None:
        self._least = least
        self._leaders: list[int] = []
        self._vectors: list[F32] = []

    def assign(self, ids: Sequence[int], vectors: F32) -> list[int]:
        """The leader of each of `ids`, in the order given, which should be best first.

        `vectors` are unit vectors, float32 (n, d). What was assigned before stays, so that groups grow with a search.
        """
        found: list[int] = []
        for place, vector in zip(ids, vectors, strict=True):
            if self._leaders:
                similar = np.stack(self._vectors) @ vector
                best = int(similar.argmax())
                if similar[best] >= self._least:
                    found.append(self._leaders[best])
                    continue
            self._leaders.append(place)
            self._vectors.append(vector)
            found.append(place)
        return found

    def lead(self, ids: Sequence[int], vectors: F32) -> None:
        """Take leaders that an earlier run found."""
        self._leaders += ids
        self._vectors += list(vectors)
