"""Drawing: which of the prompts near to a query lends its answer, the same for the same request everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

__all__ = ["SHARPNESS", "chosen", "probabilities", "uniforms"]

SHARPNESS = 20.0
"""Scores run from 0 to 1: at temperature 1 a prompt that is nearer by 0.05 is e times as likely."""


def probabilities(scores: F32, rows: I64, temperature: float) -> F64:
    """Probability of each prompt, float64 (k,), of `scores` (descending) and numbers of `rows` that have the prompt.

    In proportion to rows · exp(SHARPNESS · score / temperature), so that of equally near prompts the data's own
    frequencies remain; at temperature 0 all goes to the first.
    """
    if temperature <= 0:
        first: F64 = np.zeros(len(scores))
        first[:1] = 1
        return first
    lead = SHARPNESS * (scores.astype(np.float64) - float(scores.max(initial=0))) / temperature
    weights = rows.astype(np.float64) * np.exp(lead)
    shares: F64 = weights / weights.sum()
    return shares


def uniforms(query: str, sample: int, seed: int) -> tuple[float, float]:
    """Two numbers from 0 to below 1 that query, sample and seed decide alone."""
    text = f"{seed} {sample} {query}".encode("utf-8", "surrogatepass")
    drawn = int.from_bytes(blake2b(text, digest_size=16).digest(), "little")
    return (drawn >> 64) / 2**64, (drawn & (2**64 - 1)) / 2**64


def chosen(shares: F64, rows: Sequence[int] | I64, draw: tuple[float, float]) -> tuple[int, int]:
    """(place of the prompt, place among its rows) for a draw of `uniforms`."""
    edges = np.cumsum(shares)
    place = min(int(np.searchsorted(edges, draw[0] * edges[-1], side="right")), len(shares) - 1)
    return place, min(int(draw[1] * rows[place]), int(rows[place]) - 1)
