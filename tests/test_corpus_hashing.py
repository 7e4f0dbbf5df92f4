"""The hash of rows: columns against the definition, values that never move, how well it scatters; what ids share."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.corpus import hash_columns, hash_parts, hashing, signed_hash

FEW = settings(deadline=None, max_examples=60)
PART = st.none() | st.text(max_size=6) | st.binary(max_size=6) | st.integers(-(2**63), 2**63 - 1)
# around the edges: a word of 8 bytes, a block of 64, a level of 512 and 4,096
TEXT = st.text(max_size=5) | st.builds(
    lambda size, char: char * size,
    st.sampled_from([7, 8, 9, 63, 64, 65, 511, 512, 513, 4097]),
    st.sampled_from("aé你\0"),
)
ROWS = st.lists(st.tuples(st.none() | TEXT, TEXT, st.none() | st.integers(-9, 9)), max_size=9)


def test_golden_values_do_not_move() -> None:
    assert hash_parts() == -7046029254386353131
    assert hash_parts(None, "q", "r") == -4483814249665783512
    assert hash_parts("", "q", "r") == 3321669352831129914
    assert hash_parts("chunk", "id", 1, 0) == 3078179932984403851
    assert hash_parts("你好" * 1000) == -6843985767450449911


@FEW
@given(ROWS, st.integers(0, 3), st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]))
def test_columns_hash_like_rows(rows: list[tuple[Any, ...]], start: int, text: pa.DataType) -> None:
    types = [text, pa.large_string(), pa.int32()]
    columns = [pa.array([row[k] for row in rows], kind).slice(start) for k, kind in enumerate(types)]
    expected = [hash_parts(*row) for row in rows[start:]]
    assert hash_columns(*columns).tolist() == expected
    assert hash_columns(*columns[1:], onto=hash_columns(columns[0])).tolist() == expected
    assert hash_columns(*[pa.chunked_array([c.slice(0, 1), c.slice(1)]) for c in columns]).tolist() == expected


@FEW
@given(st.lists(st.none() | st.binary(max_size=70), max_size=5))
def test_bytes_and_nulls(values: list[bytes | None]) -> None:
    assert hash_columns(pa.array(values, pa.binary())).tolist() == [hash_parts(value) for value in values]
    nulls = pa.nulls(len(values))
    assert hash_columns(nulls).tolist() == [hash_parts(None)] * len(values)


def test_columns_longer_than_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_SLICE_ROWS", 100)
    texts = [str(number) * (number % 50) for number in range(1_050)]
    assert hash_columns(pa.array(texts)).tolist() == [hash_parts(text) for text in texts]


@pytest.mark.parametrize("of", [hash_parts, signed_hash])
@FEW
@given(one=st.lists(PART, max_size=4), other=st.lists(PART, max_size=4))
def test_different_parts_have_different_hashes(of: Callable[..., int], one: list[Any], other: list[Any]) -> None:
    typed = [[(type(part), part) for part in parts] for parts in (one, other)]
    assert (of(*one) == of(*other)) == (typed[0] == typed[1])
    assert -(2**63) <= of(*one) < 2**63


@pytest.mark.parametrize("of", [hash_parts, signed_hash])
def test_nothing_runs_together(of: Callable[..., int]) -> None:
    parts = [
        ("ab", "c"),
        ("a", "bc"),
        ("abc",),
        ("abc", ""),
        ("abc", None),
        (b"abc",),
        ("5",),
        (5,),
        ("",),
        (None,),
        (),
    ]
    parts += [("a\0",), ("a",), ("\0" * 8,), ("\0" * 64,), ("\0" * 65,), (b"",), (0,)]  # type: ignore[list-item]
    assert len({of(*p) for p in parts}) == len(parts)
    assert of(True) == of(1)
    with pytest.raises(OverflowError):
        of(2**63)
    with pytest.raises(UnicodeEncodeError):
        of("\ud800")


def bits(hashes: Any) -> Any:
    return np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1).astype(float)


@pytest.mark.parametrize("size", [3, 8, 40, 64, 200, 1_000])
def test_a_flipped_bit_flips_half_of_the_hash(size: int) -> None:
    random.seed(size)
    body = random.randbytes(size)
    places = range(0, size * 8, max(size // 8, 1))
    flipped = [bytes(b ^ (1 << place % 8) * (k == place // 8) for k, b in enumerate(body)) for place in places]
    changed = bits(hash_columns(pa.array([*flipped], pa.binary()))) != bits(hash_columns(pa.array([body], pa.binary())))
    shares = changed.mean(axis=0)
    assert abs(changed.mean() - 0.5) < 0.06
    assert shares.min() > 0.15
    assert shares.max() < 0.85


@pytest.mark.parametrize("make", [
    lambda n: f"id-{n}", lambda n: f"{n:064d}", lambda n: " " * (n % 300) + "x" * (n // 300),
    lambda n: f"{n}{'same words ' * 30}", lambda n: f"{'same words ' * 30}{n}",
    lambda n: "ab" * 256 if n == 0 else "".join("ab ba ca"[(n * k) % 7] for k in range(n % 60)) + str(n),
])  # fmt: skip
def test_texts_of_a_kind_fill_all_bits(make: Any) -> None:
    hashes = hash_columns(pa.array([make(n) for n in range(40_000)]))
    assert len(np.unique(hashes)) == 40_000
    for shift in (0, 12, 24, 36, 48):  # 4,096 buckets of 9.8: χ² of 4,095 degrees has a deviation of 90
        counts = np.bincount((hashes >> shift & 4095).astype(np.int64), minlength=4096)
        assert abs(((counts - 40_000 / 4096) ** 2 / (40_000 / 4096)).sum() - 4095) < 500


def test_words_that_change_places_change_the_hash() -> None:
    words = [f"word{n:04d}" for n in range(64)]  # 8 bytes each: whole words of the hash
    texts = {"".join(words)}
    for one in range(64):
        for other in range(one):
            swapped = list(words)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            texts.add("".join(swapped))
    assert len(set(hash_columns(pa.array(sorted(texts))).tolist())) == len(texts) == 1 + 64 * 63 // 2
