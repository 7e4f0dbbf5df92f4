"""Exact scores of given pairs of vectors, with torch."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Final

from chunky.indexes.selecting import exact_rows

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["pair_scores"]

_ROWS: Final = 512  # scored at once: 1.5 MiB of float64 at 384 dimensions stay in the cache
_ROWS_ON_GPU: Final = 1 << 13  # a launch costs as much as a small product there


def pair_scores(stored: Tensor, rows: Tensor, vectors: Tensor, places: Tensor) -> Tensor:
    """Exact score of each pair stored[rows], vectors[places]: float32 (p,), no minus zero.

    `stored`: (n, d) as stored; `vectors`: (m, d) on the grid, float32 or float64; `rows`, `places`: int64 (p,).
    """
    import torch

    if stored.is_cuda and stored.dtype == torch.float16 and importlib.util.find_spec("triton") is not None:
        from chunky.indexes.kernels import dot_pairs

        found = torch.empty(len(rows), dtype=torch.float64, device=stored.device)
        dot_pairs(stored.contiguous(), rows.contiguous(), vectors.float().contiguous(), places.contiguous(), found)
        return found.float() + 0.0
    size = _ROWS_ON_GPU if stored.is_cuda else _ROWS
    parts = [
        (exact_rows(stored[row]) * vectors[place].double()).sum(1).float()
        for row, place in zip(torch.split(rows, size), torch.split(places, size), strict=True)
    ]
    return torch.cat(parts) + 0.0 if parts else torch.empty(0, device=stored.device)
