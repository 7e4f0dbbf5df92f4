"""Ids of rows: a 64-bit hash of whole Arrow columns, the same on every machine and with every version of anything.

`hash_parts` is the definition, in Python's own integers; `hash_columns` gives the same numbers for columns, without a
call a row. A part is *absorbed* as its header (kind in the top byte, length in bytes below), then its body: the integer
itself, or the *fold* of a text. Folding cuts the bytes into little-endian words of 8, the last filled up with zeros
(the header tells them from real ones), and the words into blocks of 8. A block becomes one word, the sum of its words,
each scrambled and multiplied by the odd number of its place; those words are cut into blocks again until one is left.
So all blocks of a batch are hashed at the same time, and a text of a million characters takes seven rounds.

Absorbing and scrambling are bijections: multiply, fold the upper half down, as in the finishers of murmur and
splitmix64. It is no cryptographic hash: who wants two texts with one id can make them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chunky.corpus.arrow import arrow, compute

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Words = npt.NDArray[np.uint64]
    Int64s = npt.NDArray[np.int64]
    Column = Any  # pa.Array or pa.ChunkedArray; the stubs of pyarrow lag behind it and know fewer functions

__all__ = ["hash_columns", "hash_parts"]

_NULL, _TEXT, _BYTES, _INTEGER = 0, 1, 2, 3
_KIND_SHIFT = 56
_SEED = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # the multipliers of splitmix64
_HALF, _LESS = 32, 29
# One odd multiplier a place in a block: the first outputs of splitmix64 from 0, made odd.
_PLACES = (
    0xE220A8397B1DCDAF, 0x6E789E6AA1B965F5, 0x06C45D188009454F, 0xF88BB8A8724C81ED,
    0x1B39896A51A8749B, 0x53CB9F0C747EA2EB, 0x2C829ABE1F4532E1, 0xC584133AC916AB3D,
)  # fmt: skip
_BLOCK = len(_PLACES)
_MASK = 2**64 - 1
# Rows hashed at a time: 8,192 rows of the real mix hold 5 MB of text, and a few copies are made of it.
_SLICE_ROWS = 8_192


# ── the definition ────────────────────────────────────────────────────────────────────────────────────────────────


def hash_parts(*parts: str | bytes | int | None, onto: int = _SEED) -> int:
    """Signed 64-bit hash of a tuple of parts; null, "" and b"" all differ, as do 5 and "5". `onto` as below.

    Slow: a loop over words. Text must be encodable as UTF-8, integers must fit in 64 bits (OverflowError).
    """
    state = onto & _MASK
    for part in parts:
        if part is None:
            kind, size, body = _NULL, 0, 0
        elif isinstance(part, int):
            kind, size, body = _INTEGER, 8, int.from_bytes(part.to_bytes(8, "little", signed=True), "little")
        else:
            data = part.encode() if isinstance(part, str) else part
            kind, size, body = _TEXT if isinstance(part, str) else _BYTES, len(data), _fold(data)
        state = _absorb(_absorb(state, kind << _KIND_SHIFT | size), body)
    return state - 2**64 if state >= 2**63 else state


def _absorb(state: int, word: int) -> int:
    state = (state ^ word) * _FIRST & _MASK
    state = (state ^ state >> _HALF) * _SECOND & _MASK
    return state ^ state >> _LESS


def _fold(data: bytes) -> int:
    words = [int.from_bytes(data[start : start + 8], "little") for start in range(0, len(data), 8)]
    while words:
        words = [_block(words[start : start + _BLOCK]) for start in range(0, len(words), _BLOCK)]
        if len(words) == 1:
            return words[0]
    return 0


def _block(words: list[int]) -> int:
    scrambled = [word * _FIRST & _MASK for word in words]
    folded = [word ^ word >> _HALF for word in scrambled]
    return sum(word * place for word, place in zip(folded, _PLACES, strict=False)) & _MASK


# ── whole columns ─────────────────────────────────────────────────────────────────────────────────────────────────


def hash_columns(*columns: Column, onto: Int64s | None = None) -> Int64s:
    """`hash_parts` of every row of equally long Arrow columns (strings, binaries or integers); int64, shape (rows,).

    `onto` goes on from hashes of the parts before: `hash_columns(a, b)` is `hash_columns(b, onto=hash_columns(a))`.
    """
    import numpy as np

    rows = len(columns[0])
    states = np.full(rows, _SEED, dtype=np.uint64) if onto is None else np.array(onto, dtype=np.int64).view(np.uint64)
    for start in range(0, rows, _SLICE_ROWS):
        for column in columns:
            _absorb_column(states[start : start + _SLICE_ROWS], column.slice(start, _SLICE_ROWS))
    return states.view(np.int64)


def _absorb_column(states: Words, column: Column) -> None:
    """Absorb a part of every row into `states`, in place."""
    import numpy as np

    pa, pc = arrow(), compute()
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if array.null_count == len(array):
        headers, bodies = np.zeros((2, len(states)), dtype=np.uint64)
    elif pa.types.is_integer(array.type):
        numbers = pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        headers = np.full(len(states), _INTEGER << _KIND_SHIFT | 8, dtype=np.uint64)
        bodies = numbers.view(np.uint64)
    else:
        is_text = not (pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type))
        binary = pc.fill_null(array.cast(pa.large_binary()), b"")
        lengths = pc.binary_length(binary).to_numpy(zero_copy_only=False)
        headers = lengths.view(np.uint64) | np.uint64((_TEXT if is_text else _BYTES) << _KIND_SHIFT)
        bodies = _fold_texts(binary, lengths)
    if array.null_count:
        headers = np.where(array.is_valid().to_numpy(zero_copy_only=False), headers, np.uint64(0))
    _absorb_words(states, headers)
    _absorb_words(states, bodies)


def _absorb_words(states: Words, words: Words) -> None:
    import numpy as np

    states ^= words
    states *= np.uint64(_FIRST)
    states ^= states >> np.uint64(_HALF)
    states *= np.uint64(_SECOND)
    states ^= states >> np.uint64(_LESS)


def _fold_texts(binary: Column, lengths: Int64s) -> Words:
    """The fold of each value of a large_binary array without nulls."""
    import numpy as np

    pa, pc = arrow(), compute()
    # filled up to whole blocks each, so that the buffer can be taken as one matrix of blocks
    zeros = pa.array([bytes(count) for count in range(8 * _BLOCK)], pa.large_binary())
    fill = zeros.take(pa.array(-lengths & 8 * _BLOCK - 1))
    aligned = pc.binary_join_element_wise(binary, fill, pa.scalar(b"", pa.large_binary()))
    counts = (lengths + (8 * _BLOCK - 1)) // (8 * _BLOCK)
    folds = np.zeros(len(counts), dtype=np.uint64)
    if not counts.any():
        return folds
    words = np.frombuffer(aligned.buffers()[2], dtype="<u8", count=int(counts.sum()) * _BLOCK)
    places, level = np.flatnonzero(counts), _fold_blocks(words)
    counts = counts[places]
    while True:
        starts = np.cumsum(counts) - counts
        done = counts == 1
        folds[places[done]] = level[starts[done]]
        if done.all():
            return folds
        places, starts, counts = places[~done], starts[~done], counts[~done]
        level, counts = _next_level(level, starts, counts)


def _next_level(level: Words, starts: Int64s, counts: Int64s) -> tuple[Words, Int64s]:
    """The words level[start : start + count] of each value in blocks, and how many blocks each value has."""
    import numpy as np

    blocks = (counts + (_BLOCK - 1)) // _BLOCK
    inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    laid = np.zeros(int(blocks.sum()) * _BLOCK, dtype=np.uint64)
    laid[np.repeat((np.cumsum(blocks) - blocks) * _BLOCK, counts) + inside] = level[np.repeat(starts, counts) + inside]
    return _fold_blocks(laid), blocks


def _fold_blocks(words: Words) -> Words:
    """One word a block, shape (blocks * 8,) to (blocks,)."""
    import numpy as np

    scrambled = words * np.uint64(_FIRST)
    scrambled ^= scrambled >> np.uint64(_HALF)
    sums: Words = scrambled.reshape(-1, _BLOCK) @ np.array(_PLACES, dtype=np.uint64)
    return sums
