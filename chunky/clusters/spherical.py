"""Spherical k-means over distinct unit vectors, weighted by how often each occurs (Dhillon and Modha 2001).

Lloyd's iterations: each vector to the centroid of the highest score, each centroid to the direction of its weighted
sum. Both halves are exact (`chunky.indexes.exact`): labels do not depend on the engine, and the sums add multiples of a
power of two that fit in 53 bits, so they do not depend on the order. The same seed gives the same clusters bit for bit,
whatever the engine, the device, the threads, the blocks, and whether the run was cut off in between.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from chunky.clusters.assigning import BLOCK_ROWS, Labeler, assign, engine_of, labeler, on_device, similarities
from chunky.clusters.bounds import Bounds, groups_for
from chunky.clusters.seeding import choose_seeds
from chunky.clusters.sums import Sums, to_unit
from chunky.clusters.threads import crew
from chunky.devices import Device, pick
from chunky.errors import InputError
from chunky.indexes.exact import Array, Vectors, blocks_of, checked_shape, is_tensor, take
from chunky.indexes.selecting import tensor_of

if TYPE_CHECKING:
    import numpy.typing as npt

    F32 = npt.NDArray[np.float32]
    F64 = npt.NDArray[np.float64]
    I32 = npt.NDArray[np.int32]
    I64 = npt.NDArray[np.int64]

__all__ = ["Checkpoint", "Clustering", "State", "kmeans"]


class State(NamedTuple):
    """Where a run stands: centroids float32 (k, d) after so many iterations, the inertia then, and of which problem."""

    problem: str
    iteration: int
    centroids: F32
    inertia: float
    is_done: bool


class Checkpoint(Protocol):
    """Keeps the last state; saving must be all or nothing."""

    def load(self) -> State | None:
        """The state saved last, or None."""
        ...

    def save(self, state: State) -> None:
        """Replace the state."""
        ...


class Clustering(NamedTuple):
    """Clusters of n vectors.

    `centroids` float32 (k, d), unit (zero for a cluster that holds zero vectors alone); `labels` int32 (n,);
    `similarities` float32 (n,), each vector's score against its centroid; `inertia`: weighted sum of 2 − 2 similarity,
    the squared distance of unit vectors; `iterations` done; `is_converged`: another one would change nothing, or less
    than the tolerance.
    """

    centroids: F32
    labels: I32
    similarities: F32
    inertia: float
    iterations: int
    is_converged: bool


def kmeans(
    vectors: Vectors,
    weights: I64,
    k: int,
    *,
    seed: int,
    iterations: int = 20,
    tolerance: float = 1e-4,
    engine: str = "auto",
    device: Device | None = None,
    checkpoint: Checkpoint | None = None,
) -> Clustering:
    """K clusters of the vectors (array or blocks, as `chunky.indexes.open_index` takes them).

    `weights`: positive int64 (n,). With k ≥ n every vector is its own cluster, numbered as it stands, and no work is
    done. Otherwise k seeds are drawn (`chunky.clusters.seeding`), and at most `iterations` follow, fewer where one
    lowers the inertia by less than `tolerance` times itself. A cluster that lost all its vectors starts anew at one of
    the worst-served vectors. With a checkpoint the state is saved after the seeding and after every iteration, and a
    saved state of the same problem is taken up.

    Memory beside the vectors: 12 k·d bytes, 16 n, a block in float64; on a CPU also up to 256 MiB of bounds, 8 n and 50
    MiB for each thread of torch, which uses one thread a product meanwhile. Raises InputError for weights, k or
    iterations out of range; what `open_index` raises for vectors and engines.
    """
    device = device or pick()
    count, width = checked_shape(vectors)
    _check(weights, count, k, iterations)
    if k >= count:
        return _identity(vectors, weights)
    by_torch = engine_of(engine, k * width, device) == "torch"
    if by_torch:
        vectors = on_device(vectors, device, (count, width))
    problem = f"{count} {width} {k} {seed} {iterations} {tolerance} {zlib.crc32(weights.tobytes())}"
    state = checkpoint.load() if checkpoint is not None else None
    if state is None or state.problem != problem:
        seeds = to_unit(take(vectors, choose_seeds(vectors, weights, k, seed=seed, engine=engine, device=device)))
        state = _saved(State(problem, 0, seeds, np.inf, False), checkpoint)
    sums = Sums(k, width, int(weights.sum()), device if by_torch else None)
    labels: I32 = np.full(count, -1, np.int32)
    if by_torch and device.kind != "cpu":
        state = state._replace(centroids=tensor_of(state.centroids, device))
    keeps = groups_for(count, k) if by_torch and device.kind == "cpu" and device.half is None else 0
    with crew() if keeps else nullcontext() as threads:
        bounds = Bounds(count, state.centroids, keeps, threads) if threads else None
        while not state.is_done and state.iteration < iterations:
            label = _stepping(labeler(state.centroids, engine, device), bounds, state.centroids)
            state = _saved(_iterate(state, vectors, weights, label, labels, sums, tolerance), checkpoint)
    centroids = on_host(state.centroids)
    found = assign(vectors, centroids, engine=engine, device=device, is_checked=True)
    return Clustering(centroids, *found, _inertia(found.similarities, weights), state.iteration, state.is_done)


def _check(weights: I64, count: int, k: int, iterations: int) -> None:
    if not isinstance(weights, np.ndarray) or weights.shape != (count,) or weights.dtype != np.int64:
        raise InputError(f"weights are no int64 array of length {count}", "give the count of each distinct vector")
    if count and weights.min() < 1:
        raise InputError(f"a weight of {weights.min()}", "leave out vectors that nothing has")
    if k < 1 or iterations < 1:
        raise InputError(f"k = {k}, iterations = {iterations}", "both are at least 1")


def _identity(vectors: Vectors, weights: I64) -> Clustering:
    centroids = to_unit(take(vectors, np.arange(len(weights))))
    labels = np.arange(len(weights), dtype=np.int32)
    near = _own(vectors, centroids, labels)
    return Clustering(centroids, labels, near, _inertia(near, weights), 0, True)


def _own(vectors: Vectors, centroids: Array, labels: I32) -> F32:
    """Score of each vector and the centroid of its label."""
    found, start = [np.zeros(0, np.float32)], 0
    for block in blocks_of(vectors, BLOCK_ROWS):
        found.append(similarities(block, centroids, labels[start : start + len(block)]))
        start += len(block)
    return np.concatenate(found)


def _inertia(near: F32, weights: I64) -> float:
    return float(2 * np.sum(weights * (1 - near.astype(np.float64))))


def _saved(state: State, checkpoint: Checkpoint | None) -> State:
    if checkpoint is not None:
        checkpoint.save(state._replace(centroids=on_host(state.centroids)))
    return state


def on_host(values: Array) -> F32:
    """An array, or a tensor copied to one."""
    copied: F32 = values.cpu().numpy() if is_tensor(values) else values
    return copied


def _iterate(
    state: State, vectors: Vectors, weights: I64, label: Step, labels: I32, sums: Sums, tolerance: float
) -> State:
    """One iteration: labels, sums, centroids. The inertia is that of the new centroids under these labels.

    `labels` are those that the vectors are in `sums` under, −1 where they are not yet; they are replaced.
    """
    k = len(state.centroids)
    start = 0
    for block in blocks_of(vectors, BLOCK_ROWS):
        rows = slice(start, start + len(block))
        found = label(block, start, labels[rows])
        if labels[start] < 0:
            sums.add(block, weights[rows], found)
        else:
            sums.move(block, weights[rows], labels[rows], found)
        labels[rows] = found
        start += len(block)
    new, lengths = sums.directions(state.centroids)
    empty = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
    moved = _restart(new, empty, vectors, weights, labels, state.centroids) if len(empty) else 0
    inertia = 2 * (float(weights.sum()) - float(lengths.sum()))
    is_same = bool((new == state.centroids).all())
    is_still = not moved and state.inertia - inertia <= tolerance * state.inertia < np.inf
    return State(state.problem, state.iteration + 1, new, inertia, is_same or is_still)


Step = Callable[[Array, int, "I32"], "I32"]
"""Labels of a block, given the number of its first vector and the labels of the iteration before."""


def _stepping(label: Labeler, bounds: Bounds | None, centroids: F32) -> Step:
    """What labels the blocks of an iteration: with bounds where they hold."""
    if bounds is not None and bounds.begin(centroids, label):
        return bounds.label
    return lambda block, start, before: label(block)


def _restart(new: Array, empty: I64, vectors: Vectors, weights: I64, labels: I32, old: Array) -> int:
    """Put empty clusters on the worst-served vectors, by weight × (1 − similarity), ties by position; how many."""
    near = _own(vectors, old, labels).astype(np.float64)
    loss = weights * np.maximum(1 - near, 0)
    # A vector that is its own centroid, but for rounding, gains nothing by a cluster of its own.
    order = np.argsort(-loss, kind="stable")
    order = order[1 - near[order] > 1e-6][: len(empty)]
    seeds = to_unit(take(vectors, order))
    new[empty[: len(order)]] = new.new_tensor(seeds) if is_tensor(new) else seeds
    return len(order)
