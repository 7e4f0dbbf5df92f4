"""Ids: the same for ever, and stable copy numbers. That they are never ambiguous is tested with the hash of rows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.corpus import hash_parts, row_schema, signed_hash, with_ids
from chunky.tables import table

FEW = settings(deadline=None, max_examples=60)


def test_golden_values_do_not_move() -> None:
    assert signed_hash(None, "q", "r") == 5250093271660355005
    assert signed_hash("", "q", "r") == 8908174334818018616
    assert signed_hash("chunk", "id", 1, 0) == -3674797674691782332


def test_the_encoding_is_headers_then_bodies() -> None:
    headers = bytes(8) + b"\x02" + bytes(6) + b"\x01" + b"\x08" + bytes(6) + b"\x03"
    body = "é".encode() + (5).to_bytes(8, "little")
    digest = hashlib.blake2b(headers + body, digest_size=8).digest()
    assert signed_hash(None, "é", 5) == int.from_bytes(digest, "little", signed=True)


def rows_of(*records: tuple[str, str, str, int, int]) -> pa.Table:
    """One row per turn of (chunk, conversation id, file, record number, turns)."""
    rows = [
        {"chunk": c, "conversation_id": i, "turn": t, "turns": n, "query": "q", "response": "r", "file": f,
         "record_number": k, "content_id": 1, "query_chars": 1, "response_chars": 1}
        for c, i, f, k, n in records for t in range(1, n + 1)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=row_schema())


def held(*copies: tuple[str, str, int]) -> pa.Table:
    columns = list(zip(*copies, strict=True))
    return pa.table({"chunk": columns[0], "conversation_id": columns[1], "copy": pa.array(columns[2], pa.int32())})


def test_ids_have_the_catalog_form_and_are_unique() -> None:
    full = with_ids(rows_of(("c", "a", "f", 1, 2), ("c", "b", "f", 2, 1), ("c", "a", "f", 3, 3)))
    assert full.schema == table("corpus.rows").arrow_schema
    assert full["copy"].to_pylist() == [0, 0, 0, 1, 1, 1]
    assert full["row_id"].to_pylist() == [
        hash_parts("c", i, t, k)
        for i, t, k in [("a", 1, 0), ("a", 2, 0), ("b", 1, 0), ("a", 1, 1), ("a", 2, 1), ("a", 3, 1)]
    ]


def test_taken_copies_are_passed_over() -> None:
    rows = rows_of(("c", "a", "f", 1, 2), ("c", "a", "f", 2, 1), ("d", "a", "f", 3, 1), ("c", "a", "f", 4, 1))
    full = with_ids(rows, held(("c", "a", 0), ("c", "a", 2), ("c", "z", 0), ("d", "y", 0)))
    assert full["copy"].to_pylist() == [1, 1, 3, 0, 4]


def test_no_rows() -> None:
    assert with_ids(rows_of()).num_rows == 0


RECORD = st.tuples(st.sampled_from("cd"), st.sampled_from("ab"), st.just("f"), st.just(0), st.integers(1, 3))


@FEW
@given(
    st.lists(RECORD, max_size=12), st.sets(st.tuples(st.sampled_from("cd"), st.sampled_from("ab"), st.integers(0, 4)))
)
def test_copies_are_the_lowest_free_numbers(records: list[Any], used: set[tuple[str, str, int]]) -> None:
    numbered = [(c, i, f, place, n) for place, (c, i, f, _, n) in enumerate(records, 1)]
    full = with_ids(rows_of(*numbered), held(*sorted(used)) if used else None)
    free = defaultdict(set, {})
    for c, i, copy in used:
        free[c, i].add(copy)
    expected = []
    for c, i, _, _, n in numbered:
        copy = next(k for k in range(100) if k not in free[c, i])
        free[c, i].add(copy)
        expected += [copy] * n
    assert full["copy"].to_pylist() == expected
    assert len(set(full["row_id"].to_pylist())) == full.num_rows
