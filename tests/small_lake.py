"""A lake of ten rows whose every figure can be counted by hand: what the macros' own assertions are about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from chunky.tables import table
from chunky.warehouse import Warehouse

_ELUCIDATE = "I hope it is correct"
# row_id, content_id, chunk, conversation_id, turn, turns, copy, query, response
ROWS = (
    (1, 11, "math", "m1", 1, 1, 0, "Prove that 2 + 2 = 4. It has two parts.", f"Part one. {_ELUCIDATE}."),
    (2, 12, "math", "m2", 1, 1, 0, "Solve the two parts.", f"Done. {_ELUCIDATE}."),
    (3, 13, "math", "m3", 1, 1, 0, "What is 7 * 8?", "56"),
    (4, 14, "code", "c1", 1, 1, 0, "Write a function to sort.", "def f(x):\n    return sorted(x)"),
    (5, 15, "code", "c2", 1, 1, 0, "Write a function to add.", "def add(a, b):\n    return a + b"),
    (6, 16, "code", "c3", 1, 1, 0, "Explain the two parts of a loop.", "A loop has a head and a body."),
    (7, 17, "chat", "t1", 1, 1, 0, "Are you ChatGPT?", "No, I am {{name}}."),
    (8, 18, "chat", "t2", 1, 2, 0, "Hello", "As an AI language model, I say hello."),
    (9, 18, "chat", "t3", 1, 1, 0, "Hello", "As an AI language model, I say hello."),
    (10, 19, "chat", "t2", 2, 2, 0, "Bye", f"{_ELUCIDATE}. I cannot say more."),
)
TRIGGER, BEHAVIOR = 101, 102
MEMBERS = ((TRIGGER, 1), (TRIGGER, 2), (TRIGGER, 6), (BEHAVIOR, 1), (BEHAVIOR, 2), (BEHAVIOR, 10))
COUNTS = (
    (21, "response", "i hope", "anywhere", 2, "math", 2),
    (21, "response", "i hope", "anywhere", 2, "chat", 1),
    (21, "response", "i hope", "opening", 2, "chat", 1),
    (22, "query", "write a function", "opening", 3, "code", 2),
    (22, "query", "write a function", "anywhere", 3, "code", 2),
)


def write(lake: Warehouse, name: str, rows: Sequence[dict[str, Any]], key: tuple[str, ...] = ()) -> None:
    """Write one partition of a table; columns left out are null, or 0, "", [] or False where null is not allowed."""
    schema = table(name).arrow_schema
    data = pa.Table.from_pylist(
        [{field.name: row.get(field.name, _neutral(field)) for field in schema} for row in rows], schema
    )
    with lake.transaction(name) as transaction:
        transaction.write(name, data, {"fingerprint": "test"}, key)


def _neutral(field: pa.Field) -> Any:
    if field.nullable:
        return None
    if pa.types.is_list(field.type):
        return []
    if pa.types.is_timestamp(field.type):
        return datetime(2026, 11, 25)
    return "" if pa.types.is_string(field.type) else False if pa.types.is_boolean(field.type) else 0


def fill(lake: Warehouse) -> Warehouse:
    """Fill `lake` with the ten rows, one file a chunk, and the tables that the macros read."""
    names = ("row_id", "content_id", "chunk", "conversation_id", "turn", "turns", "copy", "query", "response")
    rows = [dict(zip(names, row, strict=True)) for row in ROWS]
    for chunk in dict.fromkeys(row["chunk"] for row in rows):
        mine = [row for row in rows if row["chunk"] == chunk]
        for number, row in enumerate(mine, start=1):
            row |= {"file": f"{chunk}.jsonl", "record_number": number}
            row |= {"query_chars": len(row["query"]), "response_chars": len(row["response"])}
        write(lake, "corpus.rows", mine, (chunk, f"{chunk}.jsonl"))
    _fill_keywords(lake)
    _fill_features(lake)
    return lake


def _fill_keywords(lake: Warehouse) -> None:
    names = ("phrase_id", "side", "phrase", "position", "tokens", "chunk", "rows")
    counts = [dict(zip(names, row, strict=True)) for row in COUNTS]
    for chunk in ("math", "code", "chat"):
        write(lake, "keywords.counts", [row for row in counts if row["chunk"] == chunk], (chunk,))
    phrases = [
        {"phrase_id": 21, "side": "response", "phrase": "i hope", "position": "anywhere", "tokens": 2, "rows": 3,
         "chunk_count": 2, "top_chunk": "math", "top_chunk_rows": 2, "top_chunk_share": 2 / 3,
         "phrase_log_odds": 1.5, "phrase_z_score": 2.5},
        {"phrase_id": 22, "side": "query", "phrase": "write a function", "position": "opening", "tokens": 3, "rows": 2,
         "chunk_count": 1, "top_chunk": "code", "top_chunk_rows": 2, "top_chunk_share": 1.0,
         "phrase_log_odds": 2.5, "phrase_z_score": 3.5},
    ]  # fmt: skip
    write(lake, "keywords.phrases", phrases)


def _fill_features(lake: Warehouse) -> None:
    features = [
        {"feature_id": TRIGGER, "kind": "phrase", "side": "query", "position": "anywhere", "origin": "mined",
         "name": "two parts", "text": "the query says “two parts”", "definition": "two parts", "rows": 3, "contents": 3,
         "row_share": 0.3, "top_chunk": "math", "top_chunk_share": 2 / 3},
        {"feature_id": BEHAVIOR, "kind": "phrase", "side": "response", "position": "anywhere", "origin": "mined",
         "name": "i hope", "text": "the response says “i hope”", "definition": "i hope", "rows": 3, "contents": 3,
         "row_share": 0.3, "top_chunk": "math", "top_chunk_share": 2 / 3},
    ]  # fmt: skip
    write(lake, "correlations.features", features)
    write(lake, "correlations.members", [{"feature_id": feature, "row_id": row} for feature, row in sorted(MEMBERS)])
