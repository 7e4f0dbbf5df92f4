"""What torch has no operation for, as Triton kernels; imported on CUDA devices only."""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

__all__ = ["dot_pairs"]

_NUMBERS = 1024  # of a vector at once


@triton.jit  # type: ignore[untyped-decorator]
def dot_pairs_kernel(  # type: ignore[no-untyped-def]  # Triton reads annotations as its own
    stored, rows, vectors, places, found, width, numbers: tl.constexpr
):  # fmt: skip
    pair = tl.program_id(0).to(tl.int64)
    left = stored + tl.load(rows + pair) * width
    right = vectors + tl.load(places + pair) * width
    sums = tl.zeros([numbers], dtype=tl.float64)
    for start in range(0, width, numbers):
        at = start + tl.arange(0, numbers)
        a = tl.load(left + at, mask=at < width, other=0.0).to(tl.float64)
        b = tl.load(right + at, mask=at < width, other=0.0).to(tl.float64)
        sums += a * b
    tl.store(found + pair, tl.sum(sums, axis=0))


def dot_pairs(stored: Any, rows: Any, vectors: Any, places: Any, found: Any) -> None:
    """Write float64 dot products of stored[rows] (float16) and vectors[places] (float32) to `found`; all on one device.

    Reads each pair once, 6 bytes a number: gathering and multiplying with torch moves 58. Products of numbers on the
    grid and their sums are exact in float64, so the order in which a kernel adds does not matter.
    """
    if len(rows):
        dot_pairs_kernel[(len(rows),)](stored, rows, vectors, places, found, stored.shape[1], numbers=_NUMBERS)
