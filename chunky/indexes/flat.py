"""The faiss engine: `IndexFlatIP` on CPU or GPU gives candidates, float64 their scores, a bound the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chunky.errors import PrerequisiteError
from chunky.indexes.exact import (
    Found,
    Vectors,
    blocks_of,
    check_queries,
    dot_error,
    exact_scores,
    to_float32,
)  # fmt: skip
from chunky.indexes.oracle import NumpyIndex

if TYPE_CHECKING:
    from chunky.devices import Device
    from chunky.indexes.exact import F32, F64

__all__ = ["FaissIndex", "flat_index", "import_faiss"]

_ROWS: Final = 1 << 16
_SPARE: Final = 32  # candidates beyond k, so that the proof succeeds at the first attempt unless many scores are close
_MOST_ON_GPU: Final = 2048  # faiss GPU searches give no more


def import_faiss() -> Any:
    """The module faiss. Raises PrerequisiteError where it is not installed."""
    try:
        import faiss
    except ImportError as error:
        raise PrerequisiteError(
            "the engine faiss is not installed", "pip install faiss-cpu or faiss-gpu, never both, or use engine torch"
        ) from error
    return faiss


def flat_index(width: int, device: Device) -> Any:
    """An empty IndexFlatIP: on the GPU where the device is one and this faiss has one, else on the CPU."""
    faiss = import_faiss()
    index = faiss.IndexFlatIP(width)
    if device.kind != "cuda":
        return index
    if not hasattr(faiss, "get_num_gpus") or faiss.get_num_gpus() == 0:
        raise PrerequisiteError("this faiss sees no GPU", "pip install faiss-gpu, or use engine torch or device cpu")
    number = int(device.name.partition(":")[2] or 0)
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), number, index)


class FaissIndex:
    """Exact search with faiss; it holds all vectors as float32, 4 bytes a number, whatever they were before.

    faiss ranks by scores that may be off by `dot_error`. Every candidate is scored exactly, and the answer is proven
    when the k-th exact score is above the last candidate's approximate one plus that error; else twice as many
    candidates are asked for. Where faiss can give no more (2,048 on a GPU), the oracle answers.
    """

    engine = "faiss"

    def __init__(self, vectors: Vectors, shape: tuple[int, int], device: Device) -> None:
        self.count, self.width = shape
        self._index = flat_index(self.width, device)
        self._most = _MOST_ON_GPU if device.kind == "cuda" else self.count
        self._vectors = vectors
        for block in blocks_of(vectors, _ROWS):
            self._index.add(np.ascontiguousarray(to_float32(block)))

    def search(self, queries: F32, k: int) -> Found:
        """The k nearest of each query; see `chunky.indexes.Index`."""
        asked = check_queries(queries, self.width, k)
        columns = min(k, self.count)
        positions = np.zeros((len(asked), columns), np.int64)
        scores = np.zeros((len(asked), columns), np.float32)
        open_rows, candidates = np.arange(len(asked)), k + _SPARE
        while len(open_rows) and columns:
            candidates = min(candidates, self.count, self._most)
            if candidates < columns:
                break
            rough, places = self._index.search(asked[open_rows].astype(np.float32), candidates)
            proven = np.zeros(len(open_rows), np.bool_)
            for row, query in enumerate(open_rows):
                found = self._rescore(asked[query], places[row], columns)
                positions[query], scores[query] = found.positions[0], found.scores[0]
                limit = np.float32(rough[row, -1] + dot_error(self.width))
                proven[row] = candidates == self.count or found.scores[0, -1] > limit
            open_rows = open_rows[~proven]
            if candidates == self._most:
                break
            candidates *= 2
        if len(open_rows) and columns:
            positions[open_rows], scores[open_rows] = NumpyIndex(self._vectors, (self.count, self.width)).search(
                queries[open_rows], k
            )
        return Found(positions, scores)

    def _rescore(self, query: F64, places: Any, k: int) -> Found:
        vectors = self._index.reconstruct_batch(places).astype(np.float64)
        scores = exact_scores(query[np.newaxis], vectors)
        order = np.lexsort((places, -scores[0]))[:k]
        return Found(places[np.newaxis, order], scores[:, order])
