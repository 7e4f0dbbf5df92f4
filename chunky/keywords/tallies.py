"""What counting keeps: a sketch that bounds every phrase's rows from above, and tallies that are exact."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from chunky.keywords.grams import ROW_BITS, Block, Grams

if TYPE_CHECKING:
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    U32 = npt.NDArray[np.uint32]
    U64 = npt.NDArray[np.uint64]

# 2^28 counters of one byte: with 130 million distinct n-grams (a million rows) half the buckets hold none.
_SKETCH_BITS: Final = 28
_FULL: Final = 255
# Entries of 20 bytes that wait before they are merged, or as many as are merged already: each is sorted log2 times.
_PENDING: Final = 2_000_000
_ROW_MASK: Final = np.uint64((1 << ROW_BITS) - 1)


class Sketch:
    """One saturating counter per hash bucket: never less than min(rows, `min_rows`) of any phrase in the bucket."""

    def __init__(self, min_rows: int) -> None:
        self._counters = np.zeros(1 << _SKETCH_BITS, np.uint8)
        self._shift = np.uint64(64 - _SKETCH_BITS)
        self._enough = min(min_rows, _FULL)

    def add(self, hashes: U64, rows: U64) -> None:
        """Count the distinct (hash, row) pairs of one block, taking the upper 52 bits of a hash for the whole.

        Two phrases that share those bits share the bucket too, so the bound stays a bound, and plain values sort twice
        as fast as an order. What has enough already is left out: three quarters of the n-grams of a real mix.
        """
        open_ones = ~self.passes(hashes)
        keys = np.sort((hashes[open_ones] & ~_ROW_MASK) | rows[open_ones])
        buckets = keys[fresh(keys)] >> self._shift
        starts = np.flatnonzero(fresh(buckets))
        counts = np.diff(np.append(starts, len(buckets)))
        touched = buckets[starts]
        self._counters[touched] = np.minimum(self._counters[touched] + counts, _FULL)

    def admit(self, hashes: U64) -> None:
        """Let these hashes pass whatever the bound."""
        self._counters[hashes >> self._shift] = _FULL

    def passes(self, hashes: U64) -> Bools:
        """False where the hash occurs in fewer than `min_rows` rows for certain."""
        passed: Bools = self._counters[hashes >> self._shift] >= self._enough
        return passed


def fresh(values: npt.NDArray[Any]) -> Bools:
    """True where a sorted array's value differs from the one before."""
    fresh = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=fresh[1:])
    return fresh


class Tally(NamedTuple):
    """Phrases in ascending order of hash (uint64), their rows (uint32) and one place each, the earliest (uint64).

    A place is row in the stream << 32 | token index in the row << 4 | side << 3 | n; zero where nobody asks.
    """

    hashes: U64
    rows: U32
    places: U64

    def take(self, which: npt.NDArray[Any]) -> Tally:
        """The entries chosen by a mask or by indices."""
        return Tally(self.hashes[which], self.rows[which], self.places[which])


def merge(tallies: list[Tally]) -> Tally:
    """Add up tallies, hash by hash; the inputs need not be in order."""
    if not tallies:
        return Tally(np.zeros(0, np.uint64), np.zeros(0, np.uint32), np.zeros(0, np.uint64))
    hashes = np.concatenate([tally.hashes for tally in tallies])
    order = np.argsort(hashes)
    hashes = hashes[order]
    starts = np.flatnonzero(fresh(hashes))
    if not len(starts):
        return Tally(hashes, np.zeros(0, np.uint32), np.zeros(0, np.uint64))
    rows = np.add.reduceat(np.concatenate([tally.rows for tally in tallies])[order], starts)
    places = np.minimum.reduceat(np.concatenate([tally.places for tally in tallies])[order], starts)
    return Tally(hashes[starts], rows, places)


@dataclass
class Pile:
    """Tallies of one chunk and position, merged whenever enough are waiting."""

    tallies: list[Tally] = field(default_factory=list)
    waiting: int = 0

    def add(self, tally: Tally) -> None:
        """Put one more tally on the pile."""
        self.tallies.append(tally)
        self.waiting += len(tally.hashes)
        if self.waiting > max(_PENDING, len(self.tallies[0].hashes)):
            self.merged()

    def forget_places(self) -> None:
        """Drop the places once the phrases are spelled: two fifths of a tally."""
        self.tallies = [Tally(tally.hashes, tally.rows, tally.places[:0].copy()) for tally in self.tallies]

    def merged(self) -> Tally:
        """All that was added, as one tally."""
        if len(self.tallies) != 1 or self.waiting:
            self.tallies, self.waiting = [merge(self.tallies)], 0
        return self.tallies[0]


def tally_block(block: Block, found: Grams, keep: Bools) -> Tally:
    """Distinct rows of each kept n-gram of a block."""
    hashes, rows, origins = found.hashes[keep], found.rows[keep], found.origins[keep]
    keys = (hashes & ~_ROW_MASK) | rows
    order = np.argsort(keys)
    keys, hashes = keys[order], hashes[order]
    repeated, same = ~fresh(keys), ~fresh(hashes)
    if np.any(repeated & ~same):
        # Two phrases of one row agree in 52 bits (some 1e-4 in a whole mix) and may alternate: order by all 64.
        order = np.lexsort((found.rows[keep], found.hashes[keep]))
        keys, hashes = (found.rows[keep])[order], (found.hashes[keep])[order]
        repeated, same = ~fresh(keys), ~fresh(hashes)
    once = ~(repeated & same)
    order, hashes = order[once], hashes[once]
    starts = np.flatnonzero(fresh(hashes))
    counts = np.diff(np.append(starts, len(hashes))).astype(np.uint32)
    first = order[starts]
    places = (rows[first] + np.uint64(block.first_row)) << np.uint64(32) | origins[first]
    return Tally(hashes[starts], counts, places)


def once_each(hashes: U64) -> Tally:
    """A tally of hashes that stand for one row each; repeats are added up when it is merged."""
    return Tally(hashes, np.ones(len(hashes), np.uint32), np.zeros(len(hashes), np.uint64))
