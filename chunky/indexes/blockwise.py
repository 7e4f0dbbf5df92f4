"""The torch engine: rough products block by block select candidates, exact ones rank them; CPU and CUDA alike.

Of every run of up to 32 neighboring vectors the best rough score is taken, less its error: the k-th best of these is a
lower bound of the k-th best exact score, because k different vectors reach it. A vector whose rough score plus error
lies below that bound cannot be among the k. What remains is scored exactly in float64. Where the error is large or many
scores are close, more candidates remain; the answer is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from chunky.indexes.exact import Found, Vectors, blocks_of, check_queries, is_tensor, is_whole, none_found
from chunky.indexes.selecting import Bytes, Prepared, Wide, exact_rows, has_bytes, tensor_of

if TYPE_CHECKING:
    from torch import Tensor

    from chunky.devices import Device
    from chunky.indexes.exact import F32, F64, I64

__all__ = ["TorchIndex"]

# Rows that are packed as bytes together, and rows of one wide product: 256 queries × 32,768 scores are 32 MiB.
_PACKED_ROWS: Final = 1 << 17
_WIDE_ROWS: Final = 1 << 15
_ON_GPU: Final = 8  # times as many there: a launch costs as much as a small product
_QUERIES: Final = 256
# Bytes are bound by memory until the two digits of 48 queries keep the multipliers busy (0.7× the time of float32
# products at 16 queries, 1.4× at 128).
_FEW: Final = 48
_EXACT_ROWS: Final = 512  # scored at once: 1.5 MiB of float64 at 384 dimensions stay in the cache
_RUN: Final = 32
_SLACK: Final = 2.0**-21  # two scores may round to one float32, and bounds are float32 themselves
FREE_SHARE: Final = 0.6  # of the device's free memory may be taken by vectors that stay there


class _Part(NamedTuple):
    """Vectors that are on the device together: the first one's position, as stored, and made ready."""

    start: int
    stored: Tensor
    packed: list[Bytes]


class _Hits(NamedTuple):
    """Candidates: query, position, and the most its exact score can be; one row each."""

    query: Tensor
    position: Tensor
    most: Tensor


class TorchIndex:
    """Exact search with torch on CPU or CUDA.

    An array is kept (on a CPU also as bytes, where torch can multiply those); blocks, and arrays that do not fit the
    device, are read again at every search. Memory beside the vectors: 64 MiB, and 300 bytes for each k × q.
    """

    engine = "torch"

    def __init__(self, vectors: Vectors, shape: tuple[int, int], device: Device) -> None:
        self.count, self.width = shape
        self._device, self._vectors = device, vectors
        self._wide_rows = _WIDE_ROWS * (_ON_GPU if device.kind == "cuda" else 1)
        self._kept: _Part | None = None
        if is_whole(vectors) and (
            device.kind == "cpu" or is_tensor(vectors) or vectors.nbytes < FREE_SHARE * device.memory_bytes
        ):
            self._kept = self._part(0, tensor_of(vectors, device), packs=device.kind == "cpu" and has_bytes())

    def search(self, queries: F32, k: int) -> Found:
        """The k nearest of each query; see `chunky.indexes.Index`."""
        asked = check_queries(queries, self.width, k)
        if not self.count:
            return none_found(len(asked))
        groups = [self._search(asked[start : start + _QUERIES], k) for start in range(0, len(asked), _QUERIES)]
        if not groups:
            return Found(np.zeros((0, min(k, self.count)), np.int64), np.zeros((0, min(k, self.count)), np.float32))
        return Found(np.concatenate([g.positions for g in groups]), np.concatenate([g.scores for g in groups]))

    def _search(self, asked: F64, k: int) -> Found:
        import torch

        exact = torch.from_numpy(asked).to(self._device.name)
        bounds = _Bounds(len(asked), k, self._device)
        best = _Best(len(asked), k)
        for part in self._parts():
            hits = [
                bounds.admit(prepared, exact.float(), part.start + offset)
                for offset, prepared in self._prepared(part, len(asked))
            ]
            best.add(*_rescored(part, exact, bounds.still_possible(hits)))
        return best.found()

    def _parts(self) -> Iterator[_Part]:
        if self._kept is not None:
            yield self._kept
            return
        start = 0
        for block in blocks_of(self._vectors, self._wide_rows):
            yield self._part(start, tensor_of(block, self._device), packs=False)
            start += len(block)

    def _part(self, start: int, stored: Tensor, packs: bool) -> _Part:
        import torch

        return _Part(start, stored, [Bytes(rows) for rows in torch.split(stored, _PACKED_ROWS)] if packs else [])

    def _prepared(self, part: _Part, queries: int) -> Iterator[tuple[int, Prepared]]:
        """The part's blocks with their offsets, ready for so many queries."""
        import torch

        if part.packed and queries <= _FEW:
            yield from ((place * _PACKED_ROWS, packed) for place, packed in enumerate(part.packed))
            return
        for place, rows in enumerate(torch.split(part.stored, self._wide_rows)):
            yield place * self._wide_rows, Wide(rows, self._device)


class _Bounds:
    """For each query, up to k lower bounds of exact scores of different vectors, the largest seen."""

    def __init__(self, queries: int, k: int, device: Device) -> None:
        import torch

        self._k = k
        self._tops = torch.empty((queries, 0), dtype=torch.float32, device=device.name)

    def _least(self) -> Tensor:
        """What an exact score must reach to be among the k; float32 (q, 1)."""
        import torch

        if self._tops.shape[1] < self._k:
            return torch.full((len(self._tops), 1), -torch.inf, device=self._tops.device)
        return self._tops.amin(1, keepdim=True) - _SLACK

    def admit(self, prepared: Prepared, queries: Tensor, start: int) -> _Hits:
        """Raise the bounds by a block's rough scores and name its candidates."""
        import torch

        scores, error = prepared.rough(queries)
        run = _run_length(prepared.rows, self._k)
        spare = -prepared.rows % run
        if spare:
            scores = torch.nn.functional.pad(scores, (0, spare), value=-torch.inf)
        runs = scores.view(len(scores), -1, run)
        tops = runs.amax(2) if run > 1 else scores
        known = torch.cat([self._tops, (tops - error).topk(min(self._k, tops.shape[1]), sorted=False).values], 1)
        self._tops = known.topk(min(self._k, known.shape[1]), sorted=False).values
        least = self._least()
        query, place = (tops + error >= least).nonzero(as_tuple=True)
        most = runs[query, place] + error[query]
        row, column = ((most >= least[query]) & (most > -torch.inf)).nonzero(as_tuple=True)
        return _Hits(query[row], start + place[row] * run + column, most[row, column])

    def still_possible(self, hits: list[_Hits]) -> _Hits:
        """All candidates that the bounds as they are now leave over, ordered by query."""
        import torch

        query, position, most = (torch.cat(parts) for parts in zip(*hits, strict=True))
        kept = (most >= self._least()[query, 0]).nonzero()[:, 0]
        kept = kept[query[kept].argsort(stable=True)]
        return _Hits(query[kept], position[kept], most[kept])


def _run_length(rows: int, k: int) -> int:
    """Longest power of two up to 32 that leaves at least 4k runs, so that the k best rarely share one; else 1."""
    run = _RUN
    while run > 1 and rows < 4 * k * run:
        run //= 2
    return run


def _rescored(part: _Part, queries: Tensor, hits: _Hits) -> tuple[I64, I64, F32]:
    """Query, position and exact score of each candidate."""
    import torch

    counts = torch.bincount(hits.query, minlength=len(queries)).tolist()
    scores = [
        exact_rows(part.stored[rows]) @ queries[number]
        for number, places in enumerate(torch.split(hits.position - part.start, counts))
        for rows in torch.split(places, _EXACT_ROWS)
    ]
    exact = torch.cat(scores).float() + 0.0  # no minus zero
    return hits.query.cpu().numpy(), hits.position.cpu().numpy(), exact.cpu().numpy()


class _Best:
    """The best k of each query among all candidates scored so far."""

    def __init__(self, queries: int, k: int) -> None:
        self._queries, self._k = queries, k
        self._query = np.zeros(0, np.int64)
        self._position = np.zeros(0, np.int64)
        self._score = np.zeros(0, np.float32)

    def add(self, query: I64, position: I64, score: F32) -> None:
        query, position = np.concatenate([self._query, query]), np.concatenate([self._position, position])
        score = np.concatenate([self._score, score])
        order = np.lexsort((position, -score, query))
        firsts = np.searchsorted(query[order], np.arange(self._queries))
        order = order[np.arange(len(order)) - firsts[query[order]] < self._k]
        self._query, self._position, self._score = query[order], position[order], score[order]

    def found(self) -> Found:
        shape = (self._queries, -1)
        return Found(self._position.reshape(shape), self._score.reshape(shape))
