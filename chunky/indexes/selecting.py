"""Cheap products that select candidates, each with a proven bound on how far it can be from the exact score.

`Bytes` keeps 8 bits a number and is bound by memory, which it reads four times less of than float32: for few queries.
`Wide` multiplies what is stored, in 16 bits where the device is faster at that, else in 32: for many queries.

With q̂ and x̂ the numbers that are multiplied in place of q and x, and fl the sum as computed,
|q·x − fl(q̂·x̂)| ≤ |q||x − x̂| + |q − q̂||x̂| + |q̂·x̂ − fl(q̂·x̂)|.
The first two lengths are measured or follow from the format; the last is `dot_error`.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from chunky.indexes.exact import GRID, dot_error

if TYPE_CHECKING:
    from torch import Tensor

    from chunky.devices import Device

__all__ = ["Bytes", "Prepared", "Rough", "Wide", "exact_rows", "has_bytes", "tensor_of"]

_LONG: Final = 1.06  # longer than any row or query admitted, also after rounding
# Tensor cores truncate where other units round, and align products before adding: two bits are given away for that.
_UNITS: Final = {"cpu": 2.0**-24, "cuda": 2.0**-22}
_ROWS: Final = 1024  # converted at once: larger temporaries cost more page faults than arithmetic
_STEPS: Final = 63  # a query is written with digits from −63 to 63, so that pairs of products fit the 16 bits of AVX2


class Rough(NamedTuple):
    """Rough scores float32 (q, b), and how far off each may be: float32 (q, 1)."""

    scores: Tensor
    error: Tensor


class Prepared(Protocol):
    """A block of vectors made ready for rough products; `rows` of them."""

    rows: int

    def rough(self, queries: Tensor) -> Rough:
        """Rough scores of queries (q, d): float32 on the grid, or float16, which always is."""
        ...


def tensor_of(block: Any, device: Device) -> Tensor:
    """A stored block as a tensor of float16, bfloat16 or float32 on the device; on the CPU it shares the memory."""
    import numpy as np
    import torch

    if isinstance(block, torch.Tensor):
        return block.to(device.name)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # it is only read
        if block.dtype == np.uint16:
            return torch.from_numpy(np.ascontiguousarray(block).view(np.int16)).view(torch.bfloat16).to(device.name)
        return torch.from_numpy(np.ascontiguousarray(block)).to(device.name)


def exact_rows(stored: Tensor) -> Tensor:
    """Stored rows on the grid, float64."""
    import torch

    # By way of float32 on a CPU, where float16 to float64 is slow; on a GPU it would cost another pass over memory.
    rows = stored.double() if stored.device.type == "cuda" else stored.float().double()
    return rows if stored.dtype == torch.float16 else rows.mul_(GRID).round_().div_(GRID)


class Wide:
    """Products of the stored numbers: float32, or 16 bits with float32 sums where the device is faster at those."""

    def __init__(self, stored: Tensor, device: Device) -> None:
        import torch

        self.rows, self._width = stored.shape
        self._device = device
        self._kind = torch.float32 if device.half is None else torch.bfloat16
        if device.kind == "cuda" and device.half and stored.dtype != torch.bfloat16:
            self._kind = torch.float16  # as fast there, and three bits finer
        self._vectors = stored.to(self._kind)
        self._off = _rounding(stored, self._vectors)

    def rough(self, queries: Tensor) -> Rough:
        """See Prepared."""
        import torch

        if self._kind == torch.float32:
            queries = queries.float()
            error = _LONG * self._off + dot_error(self._width, _UNITS[self._device.kind])
            return Rough(_float_product(queries, self._vectors), queries.new_full((len(queries), 1), error))
        asked = queries.to(self._kind)
        if asked.dtype == queries.dtype:
            off = queries.new_zeros((len(queries), 1), dtype=torch.float32)
        else:
            off = (queries.double() - asked.double()).norm(dim=1, keepdim=True)
        error = _LONG * self._off + off * _LONG + dot_error(self._width, _UNITS[self._device.kind])
        if self._device.kind == "cuda":
            scores: Tensor = torch.mm(asked, self._vectors.T, out_dtype=torch.float32)
            return Rough(scores, error.float())
        # On the CPU the sums are float32 but handed out as bfloat16, rounded by 2⁻⁹ of their size.
        return Rough((asked @ self._vectors.T).float(), (error + 2.0**-9 * _LONG**2).float())


def _float_product(queries: Tensor, vectors: Tensor) -> Tensor:
    import torch

    if vectors.device.type == "cpu" and len(queries) >= 48:
        # NumPy's OpenBLAS did 54 GFLOP/s on one core of an AMD EPYC (Zen 3) where torch's MKL did 43.
        return torch.from_numpy(queries.numpy() @ vectors.numpy().T)
    # With few queries the product with the vectors first is 2 to 3 times as fast (MKL, measured at 3 and 16).
    return (vectors @ queries.T).T.contiguous() if 1 < len(queries) < 48 else queries @ vectors.T


def _rounding(stored: Tensor, used: Tensor) -> float:
    """Length of what the numbers used leave out of a vector on the grid, at most."""
    import torch

    grid = 0.0 if stored.dtype == torch.float16 else 2.0**-25 * stored.shape[1] ** 0.5
    if stored.dtype == used.dtype or used.dtype == torch.float32 or not len(stored):
        return grid
    # Measured: half of what the format allows. Close numbers are subtracted without rounding; 1.001 is for the norm.
    return grid + 1.001 * float((stored.float() - used.float()).norm(dim=1).amax())


class Bytes:
    """Products of signed bytes, one scale a vector; queries as two digits base 126, so that they lose next to nothing.

    FBGEMM multiplies; it chooses a query's scale and zero itself from the least and largest number, so two columns
    that hold −63 and 64 (and meet zeros) make it choose scale 1 and zero 63: then sums are exact integers.
    """

    def __init__(self, stored: Tensor) -> None:
        import torch

        self.rows, width = stored.shape
        digits = torch.zeros((self.rows, width + 2), dtype=torch.int8)
        scales = torch.empty(self.rows)
        self._off = 0.0
        for start in range(0, self.rows, _ROWS):
            vectors = exact_rows(stored[start : start + _ROWS]).float()
            scale = (vectors.abs().amax(1, keepdim=True) / 127).clamp_min_(2.0**-40)
            rounded = torch.round(vectors / scale)
            digits[start : start + _ROWS, :width] = rounded
            scales[start : start + _ROWS] = scale[:, 0]
            # What float32 loses here is covered by the constant term of the error.
            self._off = max(self._off, float(vectors.sub_(rounded.mul_(scale)).norm(dim=1).amax()))
        self._packed = _pack(digits, scales)

    def rough(self, queries: Tensor) -> Rough:
        """See Prepared."""
        import torch

        count = len(queries)
        exact = queries.double()
        scale = (exact.abs().amax(1, keepdim=True) / _STEPS).clamp_min_(2.0**-40)
        high = torch.round(exact / scale)
        low = torch.round((exact - high * scale) / (scale / (2 * _STEPS)))
        off = (exact - (high + low / (2 * _STEPS)) * scale).norm(dim=1, keepdim=True)
        digits = torch.empty((2 * count, queries.shape[1] + 2), dtype=torch.float32)
        digits[:count, :-2], digits[count:, :-2] = high, low
        digits[:, -2], digits[:, -1] = -_STEPS, _STEPS + 1
        products = _multiply(digits, self._packed)
        factor = scale.float()
        scores = products[:count].mul_(factor).add_(products[count:].mul_(factor / (2 * _STEPS)))
        error = _LONG * self._off + off * (_LONG + self._off) + 16 * 2.0**-24
        return Rough(scores, error.float())


def _pack(digits: Tensor, scales: Tensor) -> Any:
    import torch

    with warnings.catch_warnings():
        # Deprecated in torch 2.13 without a replacement as fast: `onednn.qlinear_pointwise` took twice the CPU time.
        warnings.filterwarnings("ignore", message=".*quantized tensor creation")
        zeros = torch.zeros(len(digits), dtype=torch.int64)
        weights = torch._make_per_channel_quantized_tensor(digits, scales.double(), zeros, 0)
        return torch.ops.quantized.linear_prepack(weights, None)


def _multiply(digits: Tensor, packed: Any) -> Tensor:
    import torch

    product: Tensor = torch.ops.quantized.linear_dynamic(digits, packed, True)  # True: seven bits of a query's number
    return product


@functools.cache
def has_bytes() -> bool:
    """Whether this torch multiplies bytes as `Bytes` needs it: tried once on a small product, sums at their largest."""
    import torch

    if torch.backends.quantized.engine not in ("x86", "fbgemm"):
        return False
    digits = torch.full((3, 66), _STEPS + 1.0)
    digits[1], digits[:, -2] = -_STEPS, -_STEPS
    weights = torch.tensor([[127], [-127], [1]], dtype=torch.int8).repeat(1, 66)
    weights[:, -2:] = 0
    try:
        found = _multiply(digits, _pack(weights, torch.ones(3)))
    except (RuntimeError, AttributeError, NotImplementedError):
        return False
    return bool(torch.equal(found.double(), digits.double() @ weights.double().T))
