"""Blocks of JSON lines read at once against lines read one by one: whatever the lines, the same answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chunky.corpus import Batch, Counts, ReadOptions, discover, plain, read_file, reading
from chunky.corpus.batches import Builder
from chunky.corpus.options import Source
from chunky.corpus.plain import lines_of, take_plain
from tests.malformed import turns

MANY = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


def record(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"n{number}", "messages": turns(f"q{number} é", f"r{number}"), "source": "s", **more}


def taken(lines: list[bytes], options: ReadOptions | None = None) -> list[tuple[int, Any]] | None:
    block = b"\n".join(lines) + b"\n"
    builder = Builder(Source("f", "f", "f", 1), options or ReadOptions(), "jsonl")
    return take_plain(builder, block, lines_of(block), 1)


@pytest.fixture
def tiny_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "_LEAST_BYTES", 1)


def both(path: Path, body: bytes) -> tuple[list[Batch], list[Batch]]:
    """Batches read with blocks, and read line by line."""
    path.write_bytes(body)
    source = discover([str(path)])[0]
    fast = list(read_file(source))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "take_plain", lambda *_: None)
        return fast, list(read_file(source))


def same(fast: list[Batch], slow: list[Batch]) -> None:
    for name in ("rows", "quarantine"):
        one, other = ([getattr(batch, name) for batch in batches] for batches in (fast, slow))
        assert pa.concat_tables(one).to_pylist() == pa.concat_tables(other).to_pylist()
    assert sum((b.counts for b in fast), Counts()) == sum((b.counts for b in slow), Counts())


GOOD = [json.dumps(record(number)).encode() for number in range(4)]
PAIR = b'[{"role": "user", "content": "q"}, {"role": "gpt", "content": "r"}]'
# beside good records: their messages, and what else they hold
ODD_MESSAGES = [
    b"[]", b"null", b'[{"role": "user"}, {"role": "assistant", "content": "r"}]',
    b'[{"role": "user", "content": "q"}, {"role": "assistant", "content": null}]',
    b'[{"role": "user", "content": "q", "role": "assistant"}]', PAIR.replace(b'"r"', b'"r", "tool_calls": [1]'),
    *[PAIR.replace(b'"q"', other) for other in (
        b"1", b'"q\\ud800"', b'"q\\udc00x"', b'"\\ud83d\\ude00"', b'"q\\u0000"', b'"q\t"', b'"\\q"',
        b'"q\xff"', b'""')],
]  # fmt: skip
ODD_LINES = [
    *[b'{"id": "a", "messages": %s, "source": "s"}' % messages for messages in ODD_MESSAGES],
    *[b'{"id": %s, "messages": %s, "source": "s"}' % (value, PAIR)
      for value in (b"null", b"5", b"true", b'"", "id": "b"')],
    *[b'{"id": "a", "messages": %s, "source": "s"%s' % (PAIR, end) for end in (
        b', "chosen": null}', b', "system": "x"}', b",}", b"} {}", b"}\r", b', "x": 01}', b', "x": NaN}',
        b', "x": 1e999}')],
    b'{"messages": %s, "source": "s"}' % PAIR, b'{"id": "a", "messages": %s, "source": " "}' % PAIR,
    b'{"id": "a"', b', "messages": [], "source": "s"}', b"{}", b"", b" ", b"[]", b"null", b"5", b'"x"', b"{", b"}",
    b'{"id": "a", "messages": [{"role": "user", "content": "q"}', b'{"role": "gpt", "content": "r"}], "source": "s"}',
    b"{}{}", b"\xef\xbb\xbf{}", b"\xef\xbb\xbf" + GOOD[0],
]  # fmt: skip


def cut_up(line: bytes) -> st.SearchStrategy[bytes]:
    patches = st.sampled_from([b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\0", b"\n", b"\xff", b"1", b"null", b" "])
    return st.tuples(st.integers(0, len(line)), st.integers(0, 3), patches).map(
        lambda cut: line[: cut[0]] + cut[2] + line[cut[0] + cut[1] :]
    )


@pytest.mark.usefixtures("tiny_blocks")
@MANY
@example([b'{"a": "1"} {"a": "2"}', b'{"a":', b'"3"}'])
@given(
    st.lists(st.sampled_from(GOOD + GOOD + ODD_LINES) | st.sampled_from(GOOD + ODD_LINES).flatmap(cut_up), max_size=6)
)
def test_any_lines_give_the_same_both_ways(tmp_path: Path, lines: list[bytes]) -> None:
    same(*both(tmp_path / "a.jsonl", b"\n".join([GOOD[0], *lines])))


@pytest.mark.usefixtures("tiny_blocks")
@pytest.mark.parametrize("line", ODD_LINES, ids=range(len(ODD_LINES)))
def test_one_odd_line_gives_the_same_both_ways(tmp_path: Path, line: bytes) -> None:
    same(*both(tmp_path / "a.jsonl", b"\n".join([GOOD[0], line, GOOD[1]])))
    if line != b"{":  # which opens a pretty-printed file
        same(*both(tmp_path / "a.jsonl", b"\n".join([line, GOOD[0], GOOD[1]]) + b"\n"))


@pytest.mark.usefixtures("tiny_blocks")
def test_plain_blocks_are_taken_at_once() -> None:
    assert taken(GOOD) == []
    assert taken([json.dumps({"prompt": "q", "response": "r", "id": n, "score": 0.5}).encode() for n in range(3)]) == []
    assert taken([json.dumps({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "r"}]})
                  .encode()] * 3) == []  # fmt: skip
    blank = json.dumps({**record(7), "messages": turns("q", " ")}).encode()
    assert taken([*GOOD, blank]) == [(5, json.loads(blank))]
    surrogate = json.dumps({**record(7), "messages": turns("q", "\ud800")}).encode()
    assert taken([*GOOD, surrogate]) in (None, [(5, json.loads(surrogate))])


@pytest.mark.usefixtures("tiny_blocks")
@pytest.mark.parametrize("line", [
    record(1, chosen="x"), record(1, metadata={"a": 1}), {"id": "a", "messages": turns("q", "r")},
    record(1) | {"id": 2},
], ids=["a known key", "an unknown key", "a missing key", "another type"])  # fmt: skip
def test_what_differs_is_left(line: dict[str, Any]) -> None:
    assert taken([*GOOD, json.dumps(line).encode()]) is None


def test_small_blocks_are_left() -> None:
    assert taken(GOOD) is None


@pytest.mark.parametrize("size", [1, 60, 200, 10_000])
def test_long_lines_and_blocks_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", size)
    monkeypatch.setattr(plain, "_LEAST_BYTES", 1)
    monkeypatch.setattr("chunky.corpus.streams.READ_BYTES", 50)
    lines = [*GOOD, json.dumps(record(9, **{"source": "s" * 150})).encode(), b"", *GOOD]
    fast, slow = both(tmp_path / "a.jsonl", b"\xef\xbb\xbf" + b"\n".join(lines))
    same(fast, slow)
    assert sum((batch.counts for batch in fast), Counts()).records == 10
    assert sum((batch.counts for batch in fast), Counts()).skipped == 1
