"""To which centroid a vector belongs: three engines, one answer.

A vector belongs to the centroid of the highest score as `chunky.indexes.exact` defines it; of equal scores the lowest
number wins. Rough products leave the few centroids that can be the best, given the bound on their error; where that is
more than one, exact scores decide. So labels do not depend on engine, device, threads or block size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from chunky.devices import Device, pick
from chunky.errors import InputError
from chunky.indexes import choose_engine
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
_EXACT_ROWS_ON_GPU: Final = 1 << 13  # a launch costs as much as a small product there

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
        near.append(similarities(block, centroids, labels[-1]))
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


def similarities(block: Array, centroids: F32, labels: I32) -> F32:
    """Exact score of each vector and its own centroid, float32 (b,)."""
    if is_tensor(block):
        return _similarities_on_device(block, centroids, labels)
    found = np.empty(len(block), np.float32)
    exact = to_float32(centroids)
    for start in range(0, len(block), _EXACT_ROWS):
        rows = slice(start, start + _EXACT_ROWS)
        found[rows] = np.einsum("ij,ij->i", on_grid(block[rows]), exact[labels[rows]].astype(np.float64))
    return found + np.float32(0)


def _similarities_on_device(block: Tensor, centroids: F32, labels: I32) -> F32:
    import torch

    from chunky.indexes.selecting import exact_rows

    exact = torch.from_numpy(to_float32(centroids)).to(block.device)
    places = torch.from_numpy(labels).to(block.device).long()
    rows = _EXACT_ROWS if block.device.type == "cpu" else _EXACT_ROWS_ON_GPU
    found = [
        (exact_rows(stored) * exact[place].double()).sum(1).float()
        for stored, place in zip(torch.split(block, rows), torch.split(places, rows), strict=True)
    ]
    near: F32 = (torch.cat(found) + 0.0).cpu().numpy()
    return near


def labeler(centroids: F32, engine: str, device: Device) -> Labeler:
    """What gives blocks their labels, by the engine named (`auto` chooses as for indexes)."""
    chosen = engine_of(engine, centroids.size, device)
    made: dict[str, Callable[[F32, Device], Labeler]] = {"numpy": _numpy, "faiss": _faiss, "torch": _torch}
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


def _torch(centroids: F32, device: Device) -> Labeler:
    from chunky.indexes.selecting import Wide, exact_rows, tensor_of

    ready = Wide(tensor_of(to_float32(centroids), device), device)
    exact = exact_rows(tensor_of(to_float32(centroids), device))
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

    from chunky.indexes.selecting import exact_rows

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
    size = _EXACT_ROWS if on_cpu else _EXACT_ROWS_ON_GPU
    parts = [
        (exact_rows(block[unclear[r]]) * exact[p]).sum(1)
        for r, p in zip(torch.split(row, size), torch.split(place, size), strict=True)
    ]
    decided = torch.cat(parts).float()
    best = torch.full((len(unclear),), -torch.inf, device=block.device).scatter_reduce(0, row, decided, "amax")
    winner = decided == best[row]
    lowest = torch.full_like(unclear, len(exact)).scatter_reduce(0, row[winner], place[winner], "amin")
    labels[unclear] = lowest
    return labels
