"""Weighted sums of vectors by cluster, without rounding, so that no order of adding matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from chunky.indexes.exact import GRID, Array, is_tensor, on_grid, to_float32

if TYPE_CHECKING:
    import numpy.typing as npt

    from chunky.devices import Device

    F64 = npt.NDArray[np.float64]
    I32 = npt.NDArray[np.int32]
    I64 = npt.NDArray[np.int64]

__all__ = ["Sums", "to_unit", "tree_lengths"]

_MANTISSA: Final = 53
_ROWS: Final = 1024  # in float64 at once: larger temporaries cost more page faults than arithmetic
_ROWS_ON_GPU: Final = 1 << 15


class Sums:
    """Sums float64 (k, d), with torch on a device or, without a device, with NumPy.

    A number on the grid is a multiple of 2⁻²⁴, so are its multiples by integers, and float64 adds them without rounding
    while the weights sum to less than 2²⁸. Beyond that the grid is made coarser, bit by bit. So taking a vector out
    leaves the sum that would be without it, and from one iteration to the next only those that changed are moved.
    """

    def __init__(self, k: int, width: int, weight: int, device: Device | None = None) -> None:
        bits = _MANTISSA - 1 - weight.bit_length()
        self._grid = 2.0**bits if 2.0**bits < GRID else None
        self._device = device
        self._totals: Any = np.zeros((k, width))
        if device is not None:
            import torch

            self._totals = torch.zeros((k, width), dtype=torch.float64, device=device.name)

    def add(self, block: Array, weights: I64, labels: I32) -> None:
        """Add stored vectors (b, d), times their weights, to the sums of their labels."""
        if self._device is None:
            self._add(block, weights, labels)
        else:
            self._add_with_torch(block, weights, labels, self._device)

    def move(self, block: Array, weights: I64, before: I32, after: I32) -> None:
        """Take vectors that were added before out of the sums they are in, and add them to others."""
        moved = np.flatnonzero(before != after)
        if len(moved):
            stored = block[moved]
            self.add(stored, -weights[moved], before[moved])
            self.add(stored, weights[moved], after[moved])

    def totals(self) -> F64:
        """The sums so far."""
        found: F64 = self._totals if self._device is None else self._totals.cpu().numpy()
        return found

    def directions(self, old: Array) -> tuple[Array, F64]:
        """The sums made unit, float32 (k, d), where they are (a tensor where `old` is one), and their lengths (k,).

        Vectors that cancel out leave their centroid where it was, in `old`.
        """
        if is_tensor(old):
            new = to_unit(self._totals)
            lengths = tree_lengths(self._totals)
            new[(lengths == 0)[:, 0]] = old[(lengths == 0)[:, 0]]
            return new, lengths[:, 0].cpu().numpy()
        totals = self.totals()
        lengths = tree_lengths(totals)
        return np.where(lengths > 0, to_unit(totals), old), lengths[:, 0]

    def _add(self, block: Array, weights: I64, labels: I32) -> None:
        order = np.argsort(labels, kind="stable")
        for start in range(0, len(order), _ROWS):
            rows = order[start : start + _ROWS]
            values = on_grid(block[rows])
            if self._grid is not None:
                values = np.rint(values * self._grid) / self._grid
            values *= weights[rows, np.newaxis]
            firsts = np.flatnonzero(np.diff(labels[rows], prepend=-1))
            self._totals[labels[rows[firsts]]] += np.add.reduceat(values, firsts, axis=0)

    def _add_with_torch(self, block: Array, weights: I64, labels: I32, device: Device) -> None:
        import torch

        from chunky.indexes.selecting import exact_rows, tensor_of

        places = tensor_of(labels, device).long()
        factors = tensor_of(weights, device).double()
        rows = _ROWS if device.kind == "cpu" else _ROWS_ON_GPU
        parts = (torch.split(whole, rows) for whole in (tensor_of(block, device), places, factors))
        for stored, place, factor in zip(*parts, strict=True):
            values = exact_rows(stored)
            if self._grid is not None:
                values = torch.round(values * self._grid) / self._grid
            self._totals.index_add_(0, place, values.mul_(factor[:, None]))


def to_unit(vectors: Array) -> Any:
    """Vectors of length 1 (zeros stay), on the grid, float32: the same bits from arrays and from tensors."""
    if is_tensor(vectors):
        exact = vectors.double()
        lengths = tree_lengths(exact)
        return ((exact / lengths.masked_fill(lengths == 0, 1)).float() * GRID).round() / GRID
    exact = vectors.astype(np.float64, copy=False)
    lengths = tree_lengths(exact)
    return to_float32((exact / np.where(lengths > 0, lengths, 1)).astype(np.float32))


def tree_lengths(exact: Any) -> Any:
    """Lengths of float64 rows, (k, 1), summed in one order everywhere: halves are added until one column is left.

    A library's own sum rounds in the order that suits its machine; single additions round alike on all.
    """
    squares = exact * exact
    while squares.shape[1] > 1:
        half = (squares.shape[1] + 1) // 2
        rest = squares[:, half:]
        squares[:, : rest.shape[1]] += rest
        squares = squares[:, :half]
    return squares.sqrt() if is_tensor(squares) else np.sqrt(squares)
