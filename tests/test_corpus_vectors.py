"""The fast path against the careful one: the same rows, the same quarantine, whatever the records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.corpus import Batch, Counts, ReadOptions, Source, flatten, hash_parts
from chunky.corpus.batches import Builder
from chunky.corpus.flatten import take_records
from chunky.corpus.parquet import take_rows
from chunky.corpus.text import NOT_BLANK
from chunky.corpus.vectors import take_vectorized
from tests.malformed import turns

SOURCE = Source("f", "f", "file", 1)
MANY = settings(deadline=None, max_examples=150)

TEXT = st.sampled_from(["q", "r é", "你好", "long " * 8, "q", "r", "", " ", "\u3000\x1c", "\0", "a\0b", "😀"])
ROLE = st.sampled_from(["user", "assistant", "user", "assistant", "system", "tool", "gpt", "human", "User", "narrator"])
OPTIONAL = st.none() | TEXT
PAIRS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3).map(
    lambda pairs: [turn for pair in pairs for turn in turns(*pair)]
)
WITH_SYSTEM = st.tuples(TEXT, PAIRS).map(lambda both: [{"role": "system", "content": both[0]}, *both[1]])
WILD = st.lists(st.none() | st.fixed_dictionaries({"role": st.none() | ROLE, "content": OPTIONAL}), max_size=5)
MESSAGES = st.fixed_dictionaries(
    {"id": OPTIONAL, "messages": st.none() | PAIRS | PAIRS | WITH_SYSTEM | WILD, "source": OPTIONAL},
    optional={"system": OPTIONAL},
)
CONVERSATIONS = MESSAGES.map(
    lambda record: {
        "uuid": 7,
        "conversations": record["messages"]
        and [turn and {"from": turn["role"], "value": turn["content"]} for turn in record["messages"]],
    }
)
INSTRUCTIONS = st.fixed_dictionaries(
    {"instruction": OPTIONAL, "input": OPTIONAL, "output": OPTIONAL},
    optional={"system": OPTIONAL, "history": st.none() | st.lists(st.lists(TEXT, min_size=2, max_size=2), max_size=2)},
)
PROMPTS = st.fixed_dictionaries(
    {"prompt": OPTIONAL, "response": OPTIONAL, "dataset": OPTIONAL, "id": st.none() | st.integers(-5, 5)},
    optional={"question": OPTIONAL, "answer": OPTIONAL, "system_prompt": OPTIONAL, "chosen": OPTIONAL},
)
RECORDS = st.one_of(
    *[st.lists(kind, min_size=1, max_size=8) for kind in (MESSAGES, CONVERSATIONS, INSTRUCTIONS, PROMPTS)]
)
OPTIONS = st.sampled_from(
    [
        ReadOptions(),
        ReadOptions(),
        ReadOptions(max_record_chars=30),
        ReadOptions(chunk="c"),
        ReadOptions(chunk_column="source"),
        ReadOptions(shape="messages"),
        ReadOptions(shape="prompt"),
        ReadOptions(shape="instruction", id_column="input"),
        ReadOptions(query_column="response", response_column="prompt"),
        ReadOptions(query_column="output", response_column="instruction", system_column="input"),
    ]
)


def carefully(records: list[Any], options: ReadOptions) -> Batch:
    builder = Builder(SOURCE, options, "x")
    for number, record in enumerate(records, 1):
        builder.take(number, record)
    return builder.finish(0)


def same(fast: Batch, slow: Batch) -> None:
    assert fast.rows.to_pylist() == slow.rows.to_pylist()
    drop = ["excerpt", "detail"]  # a parquet record has all columns, null where the record had none
    assert fast.quarantine.drop_columns(drop).to_pylist() == slow.quarantine.drop_columns(drop).to_pylist()
    assert fast.counts == slow.counts


def table_of(records: list[dict[str, Any]]) -> pa.Table:
    columns = {name: [record.get(name) for record in records] for name in {key for r in records for key in r}}
    return pa.table({name: pa.array(values) for name, values in columns.items()})


@MANY
@given(RECORDS, OPTIONS)
def test_parquet_rows(records: list[dict[str, Any]], options: ReadOptions) -> None:
    table = table_of(records)
    builder = Builder(SOURCE, options, "x")
    early = list(take_rows(builder, table, 1, 0))
    assert not early
    same(builder.finish(0), carefully(table.to_pylist(), options))


@MANY
@given(RECORDS, OPTIONS)
def test_json_records(records: list[dict[str, Any]], options: ReadOptions) -> None:
    least, flatten._LEAST_RECORDS = flatten._LEAST_RECORDS, 1
    try:
        builder = Builder(SOURCE, options, "x")
        list(take_records(builder, range(1, len(records) + 1), records, 0))
    finally:
        flatten._LEAST_RECORDS = least
    same(builder.finish(0), carefully(records, options))


TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("text", TYPES, ids=str)
@pytest.mark.parametrize("make", [pa.list_, pa.large_list])
def test_text_types_are_all_fast(text: pa.DataType, make: Any) -> None:
    kind = make(pa.struct([("role", text), ("content", text)]))
    values = [turns("q", "r"), None, turns("é", "你", "c", "d"), turns("e", "f")]
    lists = pa.array(values, make(pa.struct([("role", pa.string()), ("content", pa.string())])))
    plain = lists.flatten()
    struct = pa.StructArray.from_arrays([_as(plain.field(k), text) for k in range(2)], names=["role", "content"])
    rebuilt = type(lists).from_arrays(lists.offsets, struct, mask=lists.is_null())
    assert rebuilt.type == kind
    sources = _as(pa.array(["a", "a", "b", "b"]), text)
    table = pa.table({"messages": rebuilt, "source": sources}).slice(1)
    builder = Builder(SOURCE, ReadOptions(), "x")
    assert take_vectorized(builder, table, [1, 2, 3]) == [0]
    rows = builder.finish(0).rows
    assert rows["query"].to_pylist() == ["é", "c", "e"]
    assert rows["chunk"].to_pylist() == ["b", "b", "b"]
    assert rows["record_number"].to_pylist() == [2, 2, 3]


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return array.dictionary_encode() if pa.types.is_dictionary(kind) else array.cast(kind)


def test_clean_records_take_the_fast_path() -> None:
    for records in ([{"messages": turns("q", "r")}] * 3, [{"prompt": "q", "response": "r", "id": 5}] * 3):
        builder = Builder(SOURCE, ReadOptions(), "x")
        assert list(take_vectorized(builder, table_of(records), [1, 2, 3])) == []
        assert builder.finish(0).counts == Counts(
            3, 3, 3, shapes={"messages" if "messages" in records[0] else "prompt": 3}
        )


def test_blank_means_the_same_to_both_paths() -> None:
    import pyarrow.compute as pc

    chars = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    found = pc.match_substring_regex(pa.array(chars), NOT_BLANK).to_pylist()
    assert [char for char, full in zip(chars, found, strict=True) if full == char.isspace()] == []


def test_ids_of_records_without_one_hash_the_conversation() -> None:
    records = [{"messages": turns("q", "r", "q2", "r2")}, {"messages": turns("q", "r")}, {"messages": turns("q", "r")}]
    rows = carefully(records, ReadOptions()).rows
    contents = [hash_parts(None, *texts).to_bytes(8, "little", signed=True) for texts in (("q", "r"), ("q2", "r2"))]
    first = hash_parts(b"".join(contents)) & (2**64 - 1)
    second = hash_parts(contents[0]) & (2**64 - 1)
    assert rows["conversation_id"].to_pylist() == [f"{first:016x}"] * 2 + [f"{second:016x}"] * 2
    assert rows["content_id"].to_pylist()[0] == rows["content_id"].to_pylist()[2] == hash_parts(None, "q", "r")


def test_swollen_rows_come_in_several_batches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from chunky.corpus import discover, read_file

    monkeypatch.setattr(flatten, "SWOLLEN_CHARS", 50_000)
    system = {"role": "system", "content": "s" * 1000}
    record = {"messages": [system, *turns(*["x"] * 20), {"role": "user", "content": "unanswered"}]}
    path = tmp_path / "a.jsonl"
    path.write_text((json.dumps(record) + "\n") * 30)
    batches = list(read_file(discover([str(path)])[0]))
    assert len(batches) >= 4
    assert sum((batch.counts for batch in batches), Counts()) == Counts(
        30, 30, 300, unanswered_turns=30, shapes={"messages": 30}
    )
