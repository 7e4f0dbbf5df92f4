"""The NumPy engine: every score in float64, sorted. The other engines are right when they equal it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chunky.indexes.exact import (
    Found,
    Vectors,
    best_of,
    blocks_of,
    check_queries,
    exact_scores,
    none_found,
    on_grid,
)  # fmt: skip

if TYPE_CHECKING:
    from chunky.indexes.exact import F32

__all__ = ["NumpyIndex"]

_ROWS: Final = 4096  # 12 MiB of float64 at 384 dimensions


class NumpyIndex:
    """Exact search by brute force; memory beside the vectors: q × (k + 4,096) scores and a block in float64."""

    engine = "numpy"

    def __init__(self, vectors: Vectors, shape: tuple[int, int]) -> None:
        self.count, self.width = shape
        self._vectors = vectors

    def search(self, queries: F32, k: int) -> Found:
        """The k nearest of each query; see `chunky.indexes.Index`."""
        asked = check_queries(queries, self.width, k)
        found, start = none_found(len(asked)), 0
        for block in blocks_of(self._vectors, _ROWS):
            found = best_of(found, start, exact_scores(asked, on_grid(block)), k)
            start += len(block)
        return found
