"""Tokens of a whole column of texts at once, on arrays of code points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np

from chunky.tokens.alphabet import DIGIT, DOT, JOINER, NUMBER, SOLO, SPACE, WORD, alphabet

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    U8 = npt.NDArray[np.uint8]
    U32 = npt.NDArray[np.uint32]
    U64 = npt.NDArray[np.uint64]
    I64 = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]
    Texts = Any  # pl.Series, pa.Array or pa.ChunkedArray of strings; pyarrow's stubs lag behind it


def mix64(values: U64) -> U64:
    """A bijection of 64-bit integers in which every input bit moves every output bit (the finalizer of SplitMix64).

    Two different inputs never collide here; sums and chains of mixed values collide as random 64-bit numbers do:
    among 32 million distinct phrases some pair does with probability 3e-5, among 130 million with 5e-4.
    """
    mixed = values ^ (values >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


_NUMBER_HASH: Final = mix64(np.array([0x6E], np.uint64))[0]


class _Text(NamedTuple):
    """All characters of a column in one array: code points (uint32) and where each row begins (int64, rows + 1)."""

    codes: U32
    row_offsets: I64


def _code_points(texts: Texts) -> _Text:
    """UTF-8 to code points; nulls become empty texts."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.compute as pc

    array: Any = texts.to_arrow() if isinstance(texts, pl.Series) else texts
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    array = array.cast(pa.large_string())
    if array.null_count:
        array = pc.fill_null(array, "")
    _, ends, chars = array.buffers()
    if ends is None or chars is None or not len(array):
        return _Text(np.zeros(0, np.uint32), np.zeros(len(array) + 1, np.int64))
    offsets = np.frombuffer(memoryview(ends), np.int64)[array.offset : array.offset + len(array) + 1]
    raw = np.frombuffer(memoryview(chars), np.uint8)[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    codes = np.frombuffer(raw.tobytes().decode("utf-8").encode("utf-32-le"), np.uint32)
    if len(codes) != len(raw):
        # a byte that is no continuation byte opens a code point
        opened = np.zeros(len(raw) + 1, np.int64)
        np.cumsum((raw & 0xC0) != 0x80, out=opened[1:])
        offsets = opened[offsets]
    return _Text(codes, offsets)


@dataclass(frozen=True)
class Tokens:
    """The tokens of a column of texts, row after row.

    `hashes` uint64 (T,): hash of the token's folded characters, the same for every number; `space_before` bool (T,);
    `row_offsets` int64 (rows + 1,): tokens `row_offsets[r]` to `row_offsets[r + 1]` are row r's; null has none.
    `codes` uint32 (C,) is the normalized text of all rows end to end (folded, one space for white space, numbers
    masked), in which token t is `codes[starts[t]:ends[t]]` (int64, code points).
    """

    hashes: U64
    space_before: Bools
    row_offsets: I64
    codes: U32
    starts: I64
    ends: I64

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def rows(self) -> I64:
        """Row of each token, int64 (T,)."""
        return np.repeat(np.arange(len(self.row_offsets) - 1), np.diff(self.row_offsets))

    def phrases(self, first: I64, lengths: I64) -> pa.LargeStringArray:
        """The phrases of `lengths[i]` tokens from token `first[i]` on, as text; they must not cross a row's end."""
        return _decode(self.codes, self.starts[first], self.ends[first + lengths - 1])


def tokenize(texts: Texts, *, mask_numbers: bool = True, with_text: bool = True) -> Tokens:
    """Tokens of each text (a column of strings, nulls allowed), by the rules of this package.

    Needs some 60 bytes a character while it runs: hand over a few thousand rows at a time. With `mask_numbers` off,
    numbers keep their digits and their own hash. Without `with_text` (two fifths faster) `codes`, `starts` and `ends`
    stay empty, and `phrases` cannot be asked for.
    """
    codes, row_offsets = _code_points(texts)
    if not len(codes):
        none = np.zeros(0, np.int64)
        return Tokens(np.zeros(0, np.uint64), np.zeros(0, np.bool_), np.zeros_like(row_offsets), codes, none, none)
    tables = alphabet()
    classes, folded = tables.classes[codes], tables.folds[codes]
    cut = _cut(classes, folded, row_offsets)
    is_number = np.zeros(len(cut.starts), np.bool_)
    if mask_numbers:
        is_number = ~np.logical_or.reduceat(cut.no_number, cut.starts) if len(cut.starts) else is_number
    hashes = _token_hashes(folded, cut, is_number)
    none = np.zeros(0, np.int64)
    layout = _lay_out(folded, cut, is_number) if with_text else _Layout(codes[:0], none, none)
    token_offsets = np.searchsorted(cut.starts, row_offsets)
    return Tokens(hashes, cut.space_before, token_offsets, *layout)


class _Cut(NamedTuple):
    """Where tokens begin (int64) and end, what stood before, and which characters cannot be part of a number."""

    starts: I64
    ends: I64
    space_before: Bools
    no_number: Bools
    is_space: Bools


def _cut(classes: U8, folded: U32, row_offsets: I64) -> _Cut:
    """Token borders from each character, the one before and the one after; rows do not see each other."""
    size = len(classes)
    row_starts = row_offsets[:-1][np.diff(row_offsets) > 0]
    before, after = np.empty(size, np.uint8), np.empty(size, np.uint8)
    before[1:], after[:-1] = classes[:-1], classes[1:]
    before[row_starts] = SPACE
    after[row_starts - 1] = SPACE  # index -1 for the first row: the last character, which has no successor either
    inner_dot = (classes == DOT) & (before == DIGIT) & (after == DIGIT)
    inner = ((classes == JOINER) & ((before & WORD) != 0) & ((after & WORD) != 0)) | inner_dot
    in_word = ((classes & WORD) != 0) | inner
    is_space = classes == SPACE
    goes_on = np.zeros(size, np.bool_)
    goes_on[1:] = (in_word[1:] & in_word[:-1]) | (
        ~in_word[1:] & ~in_word[:-1] & (classes[1:] != SOLO) & (folded[1:] == folded[:-1])
    )
    goes_on[row_starts] = False
    starts = np.flatnonzero(~goes_on & ~is_space)
    # A token ends where the next begins, or at the space or row's end before that; spaces follow a token in one block.
    borders = np.append(starts, size)[1:]
    spaces = np.zeros(size + 1, np.int64)
    np.cumsum(is_space, out=spaces[1:])
    ends = borders - (spaces[borders] - spaces[starts])
    space_before = before[starts] == SPACE
    return _Cut(starts, ends, space_before, ~((classes == DIGIT) | inner_dot | is_space), is_space)


def _token_hashes(folded: U32, cut: _Cut, is_number: Bools) -> U64:
    """Sum over a token's characters of mix(character, place in the token), mixed again: tabulation hashing."""
    if not len(cut.starts):
        return np.zeros(0, np.uint64)
    places = np.arange(len(folded), dtype=np.uint64)
    first = cut.starts[0]
    places[first:] -= np.repeat(cut.starts.astype(np.uint64), np.diff(np.append(cut.starts, len(folded))))
    places <<= np.uint64(32)
    places |= folded
    parts = mix64(places)
    parts[cut.is_space] = 0
    hashes = mix64(np.add.reduceat(parts, cut.starts))
    hashes[is_number] = _NUMBER_HASH
    return hashes


class _Layout(NamedTuple):
    codes: U32
    starts: I64
    ends: I64


def _lay_out(folded: U32, cut: _Cut, is_number: Bools) -> _Layout:
    """The normalized text: of each run of white space one space stays, of each number its mask."""
    widths = np.ones(len(folded), np.int64)
    widths[1:][cut.is_space[1:] & cut.is_space[:-1]] = 0
    is_digit_of_number = np.zeros(len(folded) + 1, np.int8)
    is_digit_of_number[cut.starts[is_number]] += 1
    is_digit_of_number[cut.ends[is_number]] -= 1
    widths[np.cumsum(is_digit_of_number[:-1], dtype=np.int8) > 0] = 0
    widths[cut.starts[is_number]] = len(NUMBER)
    offsets = np.zeros(len(folded) + 1, np.int64)
    np.cumsum(widths, out=offsets[1:])
    codes = np.repeat(np.where(cut.is_space, np.uint32(32), folded), widths)
    for place, char in enumerate(NUMBER):
        codes[offsets[cut.starts[is_number]] + place] = ord(char)
    return _Layout(codes, offsets[cut.starts], offsets[cut.ends])


def _decode(codes: U32, starts: I64, ends: I64) -> pa.LargeStringArray:
    """Arrow strings of the slices `codes[starts[i]:ends[i]]`."""
    import pyarrow as pa

    lengths = ends - starts
    if not len(lengths):
        return pa.array([], pa.large_string())
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    chars = codes[np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])]
    widths = 1 + (chars >= 0x80) + (chars >= 0x800) + (chars >= 0x10000).astype(np.int64)
    byte_offsets = np.zeros(len(chars) + 1, np.int64)
    np.cumsum(widths, out=byte_offsets[1:])
    raw = chars.tobytes().decode("utf-32-le").encode("utf-8")
    buffers = [None, pa.py_buffer(byte_offsets[offsets].tobytes()), pa.py_buffer(raw)]
    return cast("pa.LargeStringArray", pa.Array.from_buffers(pa.large_string(), len(lengths), buffers))
