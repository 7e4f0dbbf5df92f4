"""Run with `pytest tests/test_corpus_duplicates.py`: duplicate groups against comparing every pair."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from itertools import combinations
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.corpus.duplicates import SIMILARITY, find_duplicates
from chunky.corpus.hashing import hash_parts
from chunky.corpus.ids import signed_hash
from chunky.tables import TABLES
from chunky.tokens import NUMBER, tokenize_slow

Row = dict[str, Any]


def a_row(row_id: int, query: str, response: str, chunk: str = "x", system: str | None = None) -> Row:
    content = hash_parts(system, query, response)
    return {
        "row_id": row_id, "content_id": content, "chunk": chunk, "system": system, "query": query, "response": response,
    }  # fmt: skip


def as_batches(rows: list[Row], size: int = 40) -> Callable[[], Iterable[pa.Table]]:
    fields = ("row_id", "content_id", "chunk", "system?", "query", "response")
    schema = TABLES["corpus.rows"].arrow_schema
    table = pa.Table.from_pylist(rows, pa.schema([schema.field(name.rstrip("?")) for name in fields]))
    return lambda: (table.slice(start, size) for start in range(0, len(table), size))


def groups_of(table: pa.Table, kind: str) -> dict[tuple[int, ...], float]:
    return {tuple(row["row_ids"]): row["similarity"] for row in table.to_pylist() if row["kind"] == kind}


@cache
def shingles_of(text: str) -> frozenset[tuple[str, ...]]:
    words = [word.lstrip(" ") for word in tokenize_slow(text)]
    return frozenset(tuple(words[at : at + 3]) for at in range(max(len(words) - 2, 1)) if words)


def shingles(row: Row) -> frozenset[tuple[str, ...]]:
    return shingles_of(f"{row['query']}\n{row['response']}")


def jaccard(one: Row, other: Row) -> float:
    left, right = shingles(one), shingles(other)
    return len(left & right) / len(left | right) if left | right else 1.0


def components(rows: list[Row]) -> set[tuple[int, ...]]:
    """Near groups by comparing every pair: rows with the same content come along."""
    root = {row["content_id"]: row["content_id"] for row in rows}

    def find(content: int) -> int:
        while root[content] != content:
            content = root[content]
        return content

    contents = {row["content_id"]: row for row in rows}
    for one, other in combinations(contents.values(), 2):
        if shingles(one) and shingles(other) and jaccard(one, other) >= SIMILARITY:
            root[find(one["content_id"])] = find(other["content_id"])
    members = defaultdict(list)
    for row in rows:
        members[find(row["content_id"])].append(row)
    return {
        tuple(sorted(row["row_id"] for row in group))
        for group in members.values()
        if len({row["content_id"] for row in group}) > 1
    }


def variants(draw: random.Random, originals: int, words: int, edits: int) -> list[Row]:
    """Random texts and copies of them in which up to `edits` words are replaced; the oracle would mask digits."""
    vocabulary = ["".join(draw.choices("abcdefghij", k=4)) for _ in range(500)]
    rows = []
    for _ in range(originals):
        text = draw.choices(vocabulary, k=words)
        for _ in range(draw.randint(1, 4)):
            copy = list(text)
            for _ in range(draw.randint(0, edits)):
                copy[draw.randrange(words)] = draw.choice(vocabulary)
            cut = words // 3
            rows.append(a_row(draw.getrandbits(40), " ".join(copy[:cut]), " ".join(copy[cut:]), draw.choice("xyz")))
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_near_groups_agree_with_comparing_every_pair(seed: int) -> None:
    rows = variants(random.Random(seed), originals=60, words=150, edits=4)
    by_id = {row["row_id"]: row for row in rows}
    found = groups_of(find_duplicates(as_batches(rows)), "near")
    expected = components(rows)
    close = [
        (one["row_id"], other["row_id"])
        for one, other in combinations(rows, 2)
        if one["content_id"] != other["content_id"] and jaccard(one, other) >= 0.9
    ]
    assert len(close) > 20
    together = {pair for members in found for pair in combinations(sorted(members), 2)}
    missed = [pair for pair in close if tuple(sorted(pair)) not in together]
    assert len(missed) <= 0.05 * len(close)
    for members, similarity in found.items():
        assert any(set(members) <= set(whole) for whole in expected), "no pair without proof"
        assert similarity == pytest.approx(min(jaccard(by_id[members[0]], by_id[row]) for row in members))
    assert len(set(found) & expected) >= 0.9 * len(expected)


WORDS = st.sampled_from(["a", "b", "c d", "!", " "])
TEXTS = st.lists(WORDS, min_size=1, max_size=5).map("".join)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from("xy"), st.sampled_from([None, "s"])), max_size=14)


@settings(deadline=None, max_examples=60)
@given(ROWS, st.randoms(use_true_random=False))
def test_exact_groups_agree_with_dictionaries(
    parts: list[tuple[str, str, str, str | None]], draw: random.Random
) -> None:
    rows = [a_row(place * 7 - 20, *part) for place, part in enumerate(parts)]
    table = find_duplicates(as_batches(rows, 5))
    by_content, by_query = defaultdict(list), defaultdict(list)
    for row in rows:
        by_content[row["content_id"]].append(row)
        by_query[row["system"], row["query"]].append(row)
    copies = {tuple(row["row_id"] for row in group): 1.0 for group in by_content.values() if len(group) > 1}
    assert groups_of(table, "content") == copies
    answers = {
        tuple(row["row_id"] for row in group): pytest.approx(min(jaccard(group[0], row) for row in group))
        for group in by_query.values()
        if len({row["content_id"] for row in group}) > 1
    }
    assert groups_of(table, "query") == answers
    assert set(groups_of(table, "near")) == components(rows)
    chunks = {row["row_id"]: row["chunk"] for row in rows}
    for group in table.to_pylist():
        held = [chunks[row] for row in group["row_ids"]]
        assert group["chunks"] == sorted(set(held), key=lambda chunk: (-held.count(chunk), chunk))
        assert (group["rows"], group["chunk_count"]) == (len(held), len(set(held)))
    shuffled = draw.sample(rows, len(rows))
    assert find_duplicates(as_batches(shuffled, 3)) == table


def test_the_table_keeps_the_catalog() -> None:
    table = find_duplicates(as_batches([a_row(row, "Who are you?", "Vicuna.") for row in range(3)]))
    assert table.schema.equals(TABLES["corpus.duplicates"].arrow_schema)
    assert table.to_pylist() == [
        {
            "group_id": signed_hash("content", 0, 1, 2), "kind": "content", "rows": 3, "chunk_count": 1,
            "chunks": ["x"], "similarity": 1.0, "row_ids": [0, 1, 2],
        }
    ]  # fmt: skip
    assert find_duplicates(as_batches([])).num_rows == 0
    bare = pa.table(
        {"row_id": [1, 2], "content_id": [5, 6], "chunk": ["x"] * 2, "query": ["q"] * 2, "response": ["a", "b"]}
    )
    assert groups_of(find_duplicates(lambda: [bare]), "query") == {(1, 2): 0.0}, "system is optional"


def test_one_giant_bucket_is_one_group() -> None:
    same = " ".join(f"word{'abcdefghij'[place % 10]}{place // 10 * 'k'}" for place in range(80))
    rows = [a_row(row, same, f"ending {chr(0x4E00 + row)}") for row in range(3000)]
    assert list(groups_of(find_duplicates(as_batches(rows, 500)), "near")) == [tuple(range(3000))]


def test_numbers_tell_texts_apart() -> None:
    rows = [a_row(row, f"{row} + {row} =", f"{2 * row}") for row in range(10, 20)]
    assert NUMBER in tokenize_slow(rows[0]["query"])[0]
    assert find_duplicates(as_batches(rows)).num_rows == 0
