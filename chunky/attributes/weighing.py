"""How informative an attribute is: what it tells about the other side of the row.

Rarity alone ranks badly: a rare word that goes with nothing explains nothing. The weight of attribute a is the most
that it tells about one attribute b of the other side, in nats a row, taken with caution:

    gain(a, b) = p ln(p / q) + (1 − p) ln((1 − p) / (1 − q))    where p > q, else 0

with p the lower 95 % Wilson bound of P(b | a) and q = (rows with b, without a, + 0.5) / (rows without a + 1), over
distinct contents. An attribute that nearly every row has tells nothing (p ≈ q); so does one of which five rows are all
there is (p is low). The gain stops counting at `CAP`: beyond that a pair is a quotation of a quotation, and the more
general attribute is the better name, so that ties go to the attribute with more rows.

Left out as b: attributes that share a word with a (an echo is content, not behavior), the same shape on both sides, and
topics where a is a topic. Chunks are never looked at: a weight must not know where a row comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chunky.tokens import mix64

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

CAP = 3.0
_Z = 1.96
_BLOCK = 256  # attributes at a time: 256 × 8,000 others × 8 bytes, a handful of such arrays
_HASHES = 16
_BANDS = 8
SYNONYM_SIMILARITY = 0.85


def gain(both: F64, own: F64, other: F64, total: int) -> F64:
    """The gain of the module's formula for counts of distinct contents with both, a, and b; shapes broadcast."""
    rate = both / own
    middle = (rate + _Z**2 / (2 * own)) / (1 + _Z**2 / own)
    spread = _Z / (1 + _Z**2 / own) * np.sqrt(rate * (1 - rate) / own + _Z**2 / (4 * own**2))
    p = np.clip(middle - spread, 0, 1 - 1e-9)
    q = np.clip((other - both + 0.5) / (total - own + 1), 1e-9, 1 - 1e-9)
    told = p * np.log(np.maximum(p, 1e-9) / q) + (1 - p) * np.log((1 - p) / (1 - q))
    return np.where(p > q, told, 0.0)


def strongest(
    left: csr_array, right: csr_array, *, words: tuple[csr_array, csr_array], themes: tuple[Bools, Bools]
) -> F64:
    """The largest gain of every attribute of `left` about one of `right`, float64 (left attributes,).

    `left`, `right`: distinct contents × attributes, ones. `words`: attributes × words of their texts, of either side;
    `themes`: which attributes are topics.
    """
    total = left.shape[0]
    counts = np.asarray(left.sum(axis=0)).ravel().astype(np.float64)
    others = np.asarray(right.sum(axis=0)).ravel().astype(np.float64)
    columns = left.T.tocsr()
    found = np.zeros(left.shape[1])
    for start in range(0, left.shape[1], _BLOCK):
        stop = min(start + _BLOCK, left.shape[1])
        both = (columns[start:stop] @ right).toarray().astype(np.float64)
        told = gain(both, np.maximum(counts[start:stop, None], 1), others, total)
        told[(words[0][start:stop] @ words[1].T).toarray() > 0] = 0
        told[np.ix_(themes[0][start:stop], themes[1])] = 0
        found[start:stop] = told.max(axis=1, initial=0)
    return np.where(counts > 0, found, 0)


def order(gains: F64, rows: I64, ids: I64) -> I64:
    """Attributes from most to least informative, int64: gain up to the cap, then more rows, then lower id."""
    return np.lexsort((ids, -rows, -np.minimum(gains, CAP)))


def synonyms(matrix: csr_array, ranking: I64) -> I64:
    """For each attribute the better-ranked one that stands for it, else itself, int64 (attributes,).

    Two attributes are synonyms when the Jaccard similarity of their rows is 0.85 or more, exactly; candidates share
    two of sixteen minimum hashes (missed with a probability of 4·10⁻⁵ at 0.85).
    """
    columns: csc_array = matrix.tocsc()
    minima = _minima(columns)
    place = np.empty(len(ranking), np.int64)
    place[ranking] = np.arange(len(ranking))
    leaders = np.arange(len(ranking))
    buckets: dict[tuple[int, int], list[int]] = {}
    for number in ranking.tolist():
        keys = [(band, int(minima[band, number])) for band in range(_BANDS)]
        near = sorted({other for key in keys for other in buckets.get(key, ())}, key=lambda other: place[other])
        same = next((other for other in near if _jaccard(columns, number, other) >= SYNONYM_SIMILARITY), None)
        if same is not None:
            leaders[number] = same
            continue
        if columns.indptr[number] < columns.indptr[number + 1]:
            for key in keys:
                buckets.setdefault(key, []).append(number)
    return leaders


def _minima(columns: csc_array) -> U64:
    """Band hashes, uint64 (bands, attributes): two minimum hashes each of the rows that an attribute has."""
    rows = columns.indices.astype(np.uint64)
    held = np.flatnonzero(np.diff(columns.indptr))
    found = np.zeros((_HASHES, columns.shape[1]), np.uint64)
    for seed in range(_HASHES if len(held) else 0):
        hashed = mix64(mix64(rows + np.uint64(1)) + np.uint64(seed))
        found[seed, held] = np.minimum.reduceat(hashed, columns.indptr[held])
    return mix64(found[::2]) + found[1::2]


def _jaccard(columns: csc_array, left: int, right: int) -> float:
    a = columns.indices[columns.indptr[left] : columns.indptr[left + 1]]
    b = columns.indices[columns.indptr[right] : columns.indptr[right + 1]]
    if not SYNONYM_SIMILARITY * max(len(a), len(b)) <= min(len(a), len(b)):
        return 0.0
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / (len(a) + len(b) - both)
