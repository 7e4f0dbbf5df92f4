"""What a score is, exactly, so that every engine can give the same one; and what vectors may look like.

A component is a multiple of 2⁻²⁴: a float16 number is one already, others are rounded to the nearest (half to even).
The **score** of a query and a vector is their dot product over those multiples, rounded once to float32. In float64 no
rounding happens on the way: each product is a multiple of 2⁻⁴⁸, and every partial sum is below |q||x| ≤ 2 in size, so
it fits in 53 bits. Hence the order of summation, the number of threads, fused operations and the device do not matter,
and an engine is right when it equals the oracle bit for bit. Rounding to 2⁻²⁴ moves a score by less than √d · 2⁻²⁴, far
less than storing vectors in 16 bits does. Best first; equal scores by ascending position.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

import numpy as np

from chunky.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    F32 = npt.NDArray[np.float32]
    F64 = npt.NDArray[np.float64]
    I64 = npt.NDArray[np.int64]

__all__ = [
    "GRID",
    "Array",
    "Found",
    "Vectors",
    "best_of",
    "blocks_of",
    "check_queries",
    "checked_shape",
    "dot_error",
    "exact_scores",
    "is_tensor",
    "is_whole",
    "none_found",
    "on_grid",
    "take",
    "to_float32",
]  # fmt: skip

Array = Any
"""(n, d) of float16, of float32, or of uint16 holding bfloat16; or a tensor of torch, bfloat16 then by its own name.

A tensor on a device stays there: what runs with torch on that device reads it in place.
"""
Vectors = Array | Iterable[Array]
"""An array in memory, or blocks (arrays of one width) that can be iterated again and again, always the same."""

GRID: Final = 2.0**24
# A unit vector in bfloat16 is up to 1.004 long; the proof above needs |q||x| < 32.
_LONGEST: Final = 1.05
_CHECKED_ROWS: Final = 1 << 12
_DTYPES: Final = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.uint16))
_TENSORS: Final = ("torch.float16", "torch.float32", "torch.bfloat16")


class Found(NamedTuple):
    """The nearest vectors of each query, best first: positions int64 and scores float32, both (q, min(k, n))."""

    positions: I64
    scores: F32


def none_found(queries: int) -> Found:
    """Found before anything was looked at: no columns."""
    return Found(np.zeros((queries, 0), np.int64), np.zeros((queries, 0), np.float32))


def blocks_of(vectors: Vectors, rows: int) -> Iterator[Array]:
    """The vectors as stored, in order, at most `rows` at a time; empty blocks are left out.

    Raises InputError for another type or width and for an iterator that can be read only once; numbers are not looked
    at (`checked_shape` does that once, at a fifth of the price of an assignment to 500 centroids).
    """
    _check_again(vectors)
    width = -1
    for block in (vectors,) if is_whole(vectors) else vectors:
        _check_shape(block, width)
        width = block.shape[1]
        for start in range(0, len(block), rows):
            yield block[start : start + rows]


def _check_again(vectors: Vectors) -> None:
    if not is_whole(vectors) and iter(vectors) is vectors:
        raise InputError("the vectors can be read only once", "give an array, or an object whose __iter__ starts anew")


def is_tensor(block: object) -> bool:
    """Whether this is a tensor of torch, which is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(block, torch.Tensor)


def is_whole(vectors: Vectors) -> TypeGuard[Any]:
    """Whether these are all vectors at once, an array or a tensor, not blocks."""
    return isinstance(vectors, np.ndarray) or is_tensor(vectors)


def _check_shape(block: Array, width: int) -> None:
    is_known = str(block.dtype) in _TENSORS if is_tensor(block) else getattr(block, "dtype", None) in _DTYPES
    if not is_whole(block) or not is_known or block.ndim != 2:
        what = f"{block.dtype} of shape {tuple(block.shape)}" if is_whole(block) else type(block).__name__
        raise InputError(f"vectors of {what}", "give (n, d) arrays of float16, float32, or uint16 holding bfloat16")
    if width not in (-1, block.shape[1]):
        raise InputError(f"a block of width {block.shape[1]} after one of {width}", "give vectors of one width")


def check_norms(block: Array, what: str) -> None:
    """Raise InputError unless every row is finite and at most as long as a unit vector."""
    if is_tensor(block):
        squares = block.float().square().sum(1).cpu().numpy()
    else:
        values = widened(block)
        squares = np.einsum("ij,ij->i", values, values)
    if not np.all(squares <= _LONGEST**2):  # false for NaN too
        row = int(np.flatnonzero(~(squares <= _LONGEST**2))[0])
        raise InputError(
            f"{what}: row {row} of a block has length {float(squares[row]) ** 0.5:.3g}", "give unit vectors or zeros"
        )


def widened(block: Array) -> F32:
    """The stored numbers as float32, without rounding."""
    if is_tensor(block):
        copied: F32 = block.float().cpu().numpy()
        return copied
    if block.dtype == np.uint16:
        bits: npt.NDArray[np.uint32] = block.astype(np.uint32) << np.uint32(16)
        return bits.view(np.float32)
    values: F32 = block.astype(np.float32, copy=False)
    return values


def to_float32(block: Array) -> F32:
    """Stored vectors on the grid, as float32: rounding to the grid takes bits away and adds none."""
    values = widened(block)
    return (
        values
        if str(block.dtype) in ("float16", "torch.float16")
        else np.rint(values * np.float32(GRID)) / np.float32(GRID)
    )


def on_grid(block: Array) -> F64:
    """Stored vectors on the grid, as float64."""
    return to_float32(block).astype(np.float64)


def checked_shape(vectors: Vectors) -> tuple[int, int]:
    """Number and width of the vectors, which are read through. Width 0 where there are no blocks at all.

    Raises InputError as `blocks_of` does, and for numbers that are not finite and rows longer than a unit vector.
    """
    count, width = 0, vectors.shape[1] if is_whole(vectors) and vectors.ndim == 2 else 0
    for block in blocks_of(vectors, _CHECKED_ROWS):
        check_norms(block, "vectors")
        count, width = count + len(block), block.shape[1]
    return count, width


def take(vectors: Vectors, positions: I64) -> F32:
    """Rows at `positions`, on the grid, float32; blocks are read through once."""
    if is_whole(vectors):
        return to_float32(vectors[positions])
    found, start = np.zeros((0, 0), np.float32), 0
    for block in blocks_of(vectors, 1 << 16):
        if not start:
            found = np.zeros((len(positions), block.shape[1]), np.float32)
        here = np.flatnonzero((positions >= start) & (positions < start + len(block)))
        found[here] = to_float32(block[positions[here] - start])
        start += len(block)
    return found


def check_queries(queries: F32, width: int, k: int) -> F64:
    """Queries on the grid, float64 (q, d). Raises InputError unless they are finite float32 unit vectors or zeros."""
    if not isinstance(queries, np.ndarray) or queries.dtype != np.float32 or queries.ndim != 2:
        raise InputError("queries are no (q, d) array of float32", "give one query a row: query[np.newaxis, :]")
    if width and queries.shape[1] != width:
        raise InputError(
            f"queries of width {queries.shape[1]} on vectors of width {width}", "use one embedder for both"
        )
    if k < 1:
        raise InputError(f"k = {k}", "ask for at least one neighbor")
    check_norms(queries, "queries")
    return on_grid(queries)


def exact_scores(queries: F64, vectors: F64) -> F32:
    """Scores float32 (q, n) of queries (q, d) and vectors (n, d), both on the grid; no minus zero."""
    return (queries @ vectors.T).astype(np.float32) + np.float32(0)


def best_of(found: Found, start: int, scores: F32, k: int) -> Found:
    """The best k of what was found and of a block's scores (q, b), whose first vector has position `start`.

    Positions of the block lie above all found before, so a stable sort breaks ties by position.
    """
    positions = np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
    both = Found(np.concatenate([found.positions, positions], axis=1), np.concatenate([found.scores, scores], axis=1))
    order = np.argsort(-both.scores, axis=1, kind="stable")[:, :k]
    return Found(np.take_along_axis(both.positions, order, 1), np.take_along_axis(both.scores, order, 1))


def dot_error(width: int, unit: float = 2.0**-24) -> float:
    """How far a dot product of unit vectors summed with roundoff `unit`, in any order, can be from the true one.

    γ_d = du/(1 − du) of Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.1, times the longest
    lengths, plus two roundings of the score itself.
    """
    return (width * unit / (1 - width * unit)) * _LONGEST**2 + 4 * 2.0**-24
