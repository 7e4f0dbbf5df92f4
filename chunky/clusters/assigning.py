"""To which centroid a vector belongs: three engines, one answer.

A vector belongs to the centroid of the highest score as `chunky.indexes.exact` defines it; of equal scores the lowest
number wins. Rough products leave the few centroids that can be the best, given the bound on their error; where that is
more than one, exact scores decide. So labels do not depend on engine, device, threads or block size.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from chunky.devices import Device, pick
from chunky.errors import InputError
from chunky.indexes import choose_engine
from chunky.indexes.blockwise import FREE_SHARE
from chunky.indexes.exact import (
    Array,
    Vectors,
    blocks_of,
    check_norms,
    dot_error,
    exact_scores,
    is_tensor,
    on_grid,
    to_float32,
)  # fmt: skip
from chunky.indexes.pairs import pair_scores
from chunky.indexes.selecting import Wide, exact_rows, tensor_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    F32 = npt.NDArray[np.float32]
    F64 = npt.NDArray[np.float64]
    I32 = npt.NDArray[np.int32]

__all__ = ["BLOCK_ROWS", "Assigned", "Labeler", "assign", "engine_of", "labeler", "similarities"]

BLOCK_ROWS: Final = 1 << 15  # vectors read at once
# Scores made at once: 4 MiB stay in the cache for the passes over them.
_CELLS: Final = 1 << 20
_CELLS_ON_GPU: Final = 1 << 30
_EXACT_ROWS: Final = 512
_ALONE: Final = 1 << 15  # numbers that torch converts without calling its threads: they would wait for each other

Labeler = Callable[[Array], "I32"]
"""Labels int32 (b,) of a stored block (b, d)."""


class Assigned(NamedTuple):
    """Of each vector: its cluster, int32 (n,), and its score against that centroid, float32 (n,)."""

    labels: I32
    similarities: F32


def assign(
    vectors: Vectors, centroids: F32, *, engine: str = "auto", device: Device | None = None, is_checked: bool = False
) -> Assigned:
    """The cluster of each vector, also of vectors that the centroids were not made from.

    `vectors`: as `chunky.indexes.open_index` takes them; `centroids`: float32 (k, d), unit or zero.
    `is_checked`: the vectors are known to be finite and of unit length. Raises InputError
    for other arrays and for no centroids, and what `open_index` raises for engines.
    """
    _check(centroids)
    device = device or pick()
    label = labeler(centroids, engine, device)
    own: Array = centroids
    if device.kind != "cpu" and engine_of(engine, centroids.size, device) == "torch":
        vectors, own = on_device(vectors, device), tensor_of(to_float32(centroids), device)
    labels: list[I32] = [np.zeros(0, np.int32)]
    near: list[F32] = [np.zeros(0, np.float32)]
    for block in blocks_of(vectors, BLOCK_ROWS):
        if not is_checked:
            check_norms(block, "vectors")
        if block.shape[1] != centroids.shape[1]:
            raise InputError(
                f"vectors of width {block.shape[1]} for centroids of width {centroids.shape[1]}",
                "use the embedder that the clusters were made with",
            )
        labels.append(label(block))
        near.append(similarities(block, own, labels[-1]))
    return Assigned(np.concatenate(labels), np.concatenate(near))


def _check(centroids: F32) -> None:
    if (
        not isinstance(centroids, np.ndarray)
        or centroids.dtype != np.float32
        or centroids.ndim != 2
        or not len(centroids)
    ):
        raise InputError("centroids are no (k, d) array of float32 with k ≥ 1", "give those of a Clustering")
    check_norms(centroids, "centroids")


def similarities(block: Array, centroids: Array, labels: I32) -> F32:
    """Exact score of each vector and its own centroid, float32 (b,); a tensor of centroids is where the block is."""
    if is_tensor(centroids):
        import torch

        places = torch.from_numpy(labels).to(block.device).long()
        rows = torch.arange(len(block), device=block.device)
        near: F32 = pair_scores(block, rows, centroids, places).cpu().numpy()
        return near
    found = np.empty(len(block), np.float32)
    exact = to_float32(centroids)
    rows_at_once = max(_ALONE // max(block.shape[1], 1), 1)
    # Torch widens float16 in a sixth of NumPy's time, to the same numbers; it is not imported for that.
    stored = tensor_of(block, pick("cpu")) if "torch" in sys.modules else block
    for start in range(0, len(block), rows_at_once):
        rows_ = slice(start, start + rows_at_once)
        values = exact_rows(stored[rows_]).numpy() if is_tensor(stored) else on_grid(stored[rows_])
        found[rows_] = np.einsum("ij,ij->i", values, exact[labels[rows_]].astype(np.float64))
    return found + np.float32(0)


class _Travelling:
    """Vectors that are copied to the device block by block at every pass."""

    def __init__(self, vectors: Vectors, device: Device) -> None:
        self._vectors, self._device = vectors, device

    def __iter__(self) -> Iterator[Array]:
        return (tensor_of(block, self._device) for block in blocks_of(self._vectors, BLOCK_ROWS))


def on_device(vectors: Vectors, device: Device, shape: tuple[int, int] | None = None) -> Vectors:
    """Vectors as tensors of a CUDA device: as one, where their shape is told and fits, else block by block.

    On a CPU the vectors as they are: they need not travel.
    """
    if device.kind == "cpu" or is_tensor(vectors):
        return vectors
    travelling = _Travelling(vectors, device)
    if shape is None:
        return travelling
    kept: Tensor | None = None
    start = 0
    for block in travelling:
        if kept is None:
            if shape[0] * shape[1] * block.element_size() > FREE_SHARE * device.memory_bytes:
                return travelling
            kept = block.new_empty(shape)
        kept[start : start + len(block)] = block
        start += len(block)
    return vectors if kept is None else kept


def labeler(centroids: Array, engine: str, device: Device) -> Labeler:
    """What gives blocks their labels, by the engine named (`auto` chooses as for indexes)."""
    chosen = engine_of(engine, centroids.shape[0] * centroids.shape[1], device)
    made: dict[str, Callable[[Array, Device], Labeler]] = {"numpy": _numpy, "faiss": _faiss, "torch": _torch}
    return made[chosen](centroids, device)


def engine_of(wanted: str, numbers: int, device: Device) -> str:
    """The engine that assigns to centroids of so many numbers: torch is worth its import earlier than in a search."""
    return choose_engine(wanted, numbers * BLOCK_ROWS, device).engine


def _numpy(centroids: F32, device: Device) -> Labeler:
    exact = on_grid(centroids)

    def label(block: Array) -> I32:
        parts = [
            exact_scores(on_grid(block[start : start + _EXACT_ROWS]), exact).argmax(1)
            for start in range(0, len(block), _EXACT_ROWS)
        ]
        return np.concatenate(parts).astype(np.int32)

    return label


def _faiss(centroids: F32, device: Device) -> Labeler:
    from chunky.indexes.flat import flat_index

    index = flat_index(centroids.shape[1], device)
    index.add(to_float32(centroids))
    certain = 2 * dot_error(centroids.shape[1])
    by_oracle = _numpy(centroids, device)

    def label(block: Array) -> I32:
        if len(centroids) == 1:
            return np.zeros(len(block), np.int32)
        scores, places = index.search(np.ascontiguousarray(to_float32(block)), 2)
        labels: I32 = places[:, 0].astype(np.int32)
        open_rows = np.flatnonzero(scores[:, 0] - scores[:, 1] <= certain)
        if len(open_rows):
            labels[open_rows] = by_oracle(block[open_rows])
        return labels

    return label


def _torch(centroids: Array, device: Device) -> Labeler:
    exact = exact_rows(tensor_of(centroids, device))
    on_grid_ = exact.float()
    ready = Wide(on_grid_, device)
    exact = exact if device.kind == "cpu" else on_grid_
    cells = _CELLS_ON_GPU if device.kind == "cuda" else _CELLS
    rows = max(cells // len(centroids), 16)

    def label(block: Array) -> I32:
        import torch

        parts = [_best(part, ready, exact) for part in torch.split(tensor_of(block, device), rows)]
        labels: I32 = torch.cat(parts).to(torch.int32).cpu().numpy()
        return labels

    return label


def _best(block: Tensor, ready: Any, exact: Tensor) -> Tensor:
    """Labels int64 (b,): where the second-best rough score is within twice the error of the best, exact ones decide."""
    import torch

    scores, error = ready.rough(block if block.dtype == torch.float16 else exact_rows(block).float())
    # NumPy finds maxima with their places four times as fast as torch does on a CPU.
    on_cpu = scores.device.type == "cpu"
    labels = torch.from_numpy(scores.numpy().argmax(1)) if on_cpu else scores.argmax(1)
    tops = scores.gather(1, labels[:, None])
    scores.scatter_(1, labels[:, None], -torch.inf)
    least = tops - 2 * error - 2.0**-21
    unclear = (scores.amax(1, keepdim=True) >= least).nonzero()[:, 0]
    if not len(unclear):
        return labels
    scores.scatter_(1, labels[:, None], tops)
    row, place = (scores[unclear] >= least[unclear]).nonzero(as_tuple=True)
    decided = pair_scores(block, unclear[row], exact, place)
    best = torch.full((len(unclear),), -torch.inf, device=block.device).scatter_reduce(0, row, decided, "amax")
    winner = decided == best[row]
    lowest = torch.full_like(unclear, len(exact)).scatter_reduce(0, row[winner], place[winner], "amin")
    labels[unclear] = lowest
    return labels
