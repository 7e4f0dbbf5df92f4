"""What there is to recombine: which rows have which attributes, and what the attributes of a text are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

__all__ = ["Material"]


@dataclass(frozen=True)
class Material:
    """Prompts of a mix by the clusters of their attributes; rows and clusters are numbers from 0.

    `sentences`: an attribute as it is asked for → its cluster. Cluster c is held by the rows
    `rows[offsets[c]:offsets[c + 1]]` (int32, ascending); `chars` int32 (rows,) are lengths in characters. `texts` gives
    prompts of row numbers; `clusters_of` which of the given clusters each text holds; `is_known` whether each text
    stands in the mix as it is.
    """

    sentences: Mapping[str, int]
    offsets: I64
    rows: I32
    chars: I32
    texts: Callable[[Sequence[int]], list[str]]
    clusters_of: Callable[[Sequence[str], Collection[int]], list[frozenset[int]]]
    is_known: Callable[[Sequence[str]], list[bool]]

    def rows_of(self, cluster: int) -> I32:
        """Rows that hold a cluster, int32, ascending."""
        return self.rows[self.offsets[cluster] : self.offsets[cluster + 1]]

    def holds(self, cluster: int, rows: I32) -> npt.NDArray[np.bool_]:
        """Whether each of `rows` holds the cluster."""
        own = self.rows_of(cluster)
        places = np.minimum(np.searchsorted(own, rows), max(len(own) - 1, 0))
        return own[places] == rows if len(own) else np.zeros(len(rows), np.bool_)
