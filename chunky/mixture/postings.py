"""Postings: which prompts have which sign, as sorted arrays of a few bytes an entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chunky.errors import InputError
from chunky.mixture.signs import ONCE_BIT, WORD_BIT, Signs

if TYPE_CHECKING:
    from scipy.sparse import csr_array

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
F32 = npt.NDArray[np.float32]

__all__ = ["Collector", "Postings"]

# One number holds a sign and a row while they are sorted: of a hash 40 bits, so that among 30 million signs 400 pairs
# are taken for one, and rows up to 16.7 million.
_ROW_BITS = 24
_ROW_MASK = np.uint64(2**_ROW_BITS - 1)
_BUCKET_BITS = 4  # signs are sorted in sixteen parts: a sixteenth of the entries is held twice, not all of them
_FIRST_WORD = WORD_BIT >> np.uint64(_ROW_BITS)


@dataclass(frozen=True)
class Postings:
    """Signs that prompts have: `keys` uint64 (signs,) ascending, and the prompts that have each.

    Sign s is of prompts `prompts[offsets[s]:offsets[s + 1]]` (int32, ascending); `size` is the number of prompts.
    """

    keys: U64
    offsets: I64
    prompts: I32
    size: int

    @property
    def counts(self) -> I64:
        """Prompts with each sign, int64."""
        return np.diff(self.offsets)

    @property
    def bytes(self) -> int:
        """Memory of the arrays."""
        return self.keys.nbytes + self.offsets.nbytes + self.prompts.nbytes

    @property
    def is_once(self) -> npt.NDArray[np.bool_]:
        """Which signs a text shows once, bool: ends and forms, which no other sign overlaps."""
        return (self.keys & (ONCE_BIT >> np.uint64(_ROW_BITS))) > 0

    def matrix(self) -> csr_array:
        """Signs × prompts, ones in float32."""
        from scipy.sparse import csr_array

        data = np.ones(len(self.prompts), np.float32)
        narrow = self.offsets if self.offsets[-1] > 2**31 - 1 else self.offsets.astype(np.int32)
        return csr_array((data, self.prompts, narrow), shape=(len(self.keys), self.size))

    def only(self, kept: npt.NDArray[np.bool_]) -> Postings:
        """The postings of some signs."""
        counts = self.counts
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[kept])])
        return Postings(self.keys[kept], offsets, self.prompts[np.repeat(kept, counts)], self.size)

    def known(self, signs: Signs) -> tuple[I64, I64]:
        """(text, sign number) of the signs that are here, int64 each, in order of text and sign."""
        keys = signs.hashes >> np.uint64(_ROW_BITS)
        places = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        held = self.keys[places] == keys if len(self.keys) else np.zeros(len(keys), np.bool_)
        pairs = np.unique(signs.rows[held] << 32 | places[held])
        return pairs >> 32, pairs & 0xFFFFFFFF

    def sums(self, values: F32) -> F32:
        """Sum over the signs of each prompt of the signs' values, float32 (prompts,)."""
        total = np.zeros(self.size)
        counts = self.counts
        step = max(1, len(self.keys) // 64)
        for start in range(0, len(self.keys), step):
            part = slice(self.offsets[start], self.offsets[min(start + step, len(self.keys))])
            weights = np.repeat(values[start : start + step], counts[start : start + step])
            total += np.bincount(self.prompts[part], weights, minlength=self.size)
        return total.astype(np.float32)


class Collector:
    """Takes signs of rows, batch after batch, and makes postings of them."""

    def __init__(self) -> None:
        self._parts: list[list[U64]] = [[] for _ in range(1 << _BUCKET_BITS)]

    def add(self, signs: Signs, first_row: int) -> None:
        """The signs of the rows `first_row`, `first_row` + 1, …; InputError for more rows than fit."""
        if first_row + int(signs.rows.max(initial=0)) > int(_ROW_MASK):
            raise InputError("the mix has more than 16.7 million rows", "sample it first")
        rows = signs.rows.astype(np.uint64) + np.uint64(first_row)
        packed = (signs.hashes >> np.uint64(_ROW_BITS)) << np.uint64(_ROW_BITS) | rows
        buckets = packed >> np.uint64(64 - _BUCKET_BITS)
        order = np.argsort(buckets, kind="stable")
        borders = np.searchsorted(buckets[order], np.arange(len(self._parts) + 1).astype(np.uint64))
        for number, part in enumerate(self._parts):
            part.append(packed[order[borders[number] : borders[number + 1]]])

    def postings(self, renumbered: I64, size: int, *, least: int, most: float, keeps_words: bool = False) -> Postings:
        """The postings; `renumbered` int64 (rows,): prompt of each row, -1 for a row that is left out.

        Signs of fewer than `least` prompts are dropped, but with `keeps_words` no word for that, and those of more than
        the share `most` of `size`. The collector is empty then.
        """
        keys, counts, prompts = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
        limit = max(most * size, 1)
        for part in self._parts:
            packed = np.concatenate([np.zeros(0, np.uint64), *part])
            part.clear()
            numbers = renumbered[(packed & _ROW_MASK).astype(np.int64)] if len(packed) else np.zeros(0, np.int64)
            packed = ((packed & ~_ROW_MASK) | numbers.astype(np.uint64) & _ROW_MASK)[numbers >= 0]
            packed.sort()
            signs = packed >> np.uint64(_ROW_BITS)
            starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(signs)), np.bool_), signs[1:] != signs[:-1]]))
            lengths = np.diff(np.append(starts, len(signs)))
            few = np.where(signs[starts] >= _FIRST_WORD, 1, least) if keeps_words else least
            kept = (lengths >= few) & (lengths <= limit)
            keys.append(signs[starts[kept]])
            counts.append(lengths[kept])
            prompts.append((packed[np.repeat(kept, lengths)] & _ROW_MASK).astype(np.int32))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(counts))])
        return Postings(np.concatenate(keys), offsets, np.concatenate(prompts), size)
