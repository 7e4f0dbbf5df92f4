"""Broken input files, each with what must become of it: a fault of the whole file, or exact counts by reason."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from chunky.corpus import ReadOptions


@dataclass(frozen=True)
class Case:
    """One file: `fault` is the reason of a FileFault; else `rows`, `quarantined` by reason and `skipped` are exact."""

    name: str
    data: bytes
    fault: str | None = None
    rows: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    skipped: int = 0
    options: ReadOptions = field(default_factory=ReadOptions)


def good(number: int = 0) -> dict[str, Any]:
    return {"id": f"r{number}", "source": "s", "messages": turns(f"query {number}", f"response {number}")}


def turns(*texts: Any) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


def jsonl(*records: Any) -> bytes:
    """Records (bytes as they are) between two good ones, so that every bad record has neighbors that must survive."""
    body = [good(1), *records, good(2)]
    return b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in body)


def parquet(records: list[dict[str, Any]], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), sink, **options)
    return sink.getvalue()


def _zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


GOOD = jsonl()
PARQUET = parquet([good(n) for n in range(50)])
TEXTS = b"prompt,response\nq1,r1\n"


def _record(name: str, record: Any, reason: str, options: ReadOptions | None = None) -> Case:
    return Case(f"{name}.jsonl", jsonl(record), None, 2, {reason: 1}, options=options or ReadOptions())


def _latin(text: str) -> bytes:
    return json.dumps({"prompt": text, "response": "r"}, ensure_ascii=False).encode("latin-1")


def _not_utf8_parquet() -> bytes:
    text = pa.array([b"fine", b"\xff\xfe bad", b"fine too"], pa.binary())
    text = pa.StringArray.from_buffers(3, text.buffers()[1], text.buffers()[2])
    sink = io.BytesIO()
    pq.write_table(pa.table({"prompt": text, "response": pa.array(["a", "b", "c"])}), sink)
    return sink.getvalue()


def _doubled_parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        pa.table([pa.array(["q"]), pa.array(["r"]), pa.array(["x"])], ["prompt", "response", "prompt"]), sink
    )
    return sink.getvalue()


def _corrupt(data: bytes, place: int) -> bytes:
    return data[:place] + bytes(255 - byte for byte in data[place : place + 40]) + data[place + 40 :]


RECORDS = [
    _record("bad-json", b'{"messages": [', "bad JSON"),
    _record("bad-json-words", b"not json at all", "bad JSON"),
    _record("bad-json-single-quotes", b"{'prompt': 'q', 'response': 'r'}", "bad JSON"),
    _record("bad-json-trailing-comma", b'{"prompt": "q", "response": "r",}', "bad JSON"),
    _record("bad-json-control-character", b'{"prompt": "q\x07", "response": "r"}', "bad JSON"),
    _record("bad-json-two-objects-on-a-line", json.dumps(good(8)).encode() * 2, "bad JSON"),
    _record("bad-json-too-deep", b"[" * 100_000 + b"]" * 100_000, "bad JSON"),
    _record("lone-surrogate-response", b'{"prompt": "q", "response": "\\ud800 x"}', "lone surrogate"),
    _record("lone-surrogate-query", b'{"messages": [{"role": "user", "content": "\\udc00"}, '
            b'{"role": "assistant", "content": "r"}]}', "lone surrogate"),
    _record("lone-surrogate-chunk", b'{"source": "\\ud83d", "prompt": "q", "response": "r"}', "lone surrogate"),
    _record("lone-surrogate-role", b'{"messages": [{"role": "\\ud800", "content": "q"}]}', "unknown role"),
    _record("nul-query", {"prompt": "a\0b", "response": "r"}, "NUL character"),
    _record("nul-id", {"id": "\0", "prompt": "q", "response": "r"}, "NUL character"),
    _record("nul-system", {"messages": [{"role": "system", "content": "\0"}, *turns("q", "r")]}, "NUL character"),
    _record("empty-query", {"messages": turns("", "r")}, "empty query"),
    _record("blank-query", {"instruction": " \n\u3000", "input": "\t", "output": "r"}, "empty query"),
    _record("empty-response", {"prompt": "q", "completion": ""}, "empty response"),
    _record("blank-second-response", {"messages": turns("q", "r", "q", "\x1c \u2003")}, "empty response"),
    _record("content-number", {"messages": turns("q", 5)}, "wrong type"),
    _record("content-null", {"messages": turns("q", None)}, "wrong type"),
    _record("content-image", {"messages": turns([{"type": "image_url", "image_url": "x"}], "r")}, "wrong type"),
    _record("messages-text", {"messages": "user: q"}, "wrong type"),
    _record("messages-null", {"messages": None}, "wrong type"),
    _record("messages-list-of-text", {"messages": ["q", "r"]}, "wrong type"),
    _record("messages-empty", {"messages": []}, "no query"),
    _record("only-system", {"messages": [{"role": "system", "content": "be kind"}]}, "no query"),
    _record("only-assistant", {"messages": turns("x", "r")[1:]}, "no query"),
    _record("only-user", {"messages": turns("q")}, "no response"),
    _record("response-missing", {"prompt": "q", "meta": 1}, "no response"),
    _record("query-missing", {"response": "r"}, "no query"),
    _record("role-unknown", {"messages": [{"role": "narrator", "content": "q"}]}, "unknown role"),
    _record("role-missing", {"messages": [{"content": "q"}]}, "unknown role"),
    _record("role-number", {"messages": [{"role": 1, "content": "q"}]}, "wrong type"),
    _record("record-list", [1, 2], "wrong type"),
    _record("record-number", 17, "wrong type"),
    _record("record-null", b"null", "wrong type"),
    _record("prompt-number", {"prompt": 5, "response": "r"}, "wrong type"),
    _record("system-number", {"system": 5, "prompt": "q", "response": "r"}, "wrong type"),
    _record("history-broken", {"instruction": "q", "output": "r", "history": [["only one"]]}, "wrong type"),
    _record("shape-unknown", {"a": 1, "b": "\x1b[31m"}, "unknown shape"),
    Case("shape-forced.jsonl", jsonl({"instruction": "q", "output": "r"}), None, 1, {"unknown shape": 2},
         options=ReadOptions(shape="instruction")),
    _record("chosen-without-query", {"chosen": "r", "rejected": "x"}, "no query"),
    _record("not-utf8", _latin("caf\u00e9"), "not UTF-8"),
    _record("not-utf8-cut-character", b'{"prompt": "q", "response": "\xe4\xb8', "not UTF-8"),
    _record("over-long-text", {"prompt": "q" * 600, "response": "r"}, "over-long record",
            ReadOptions(max_record_chars=500)),
    _record("over-long-line", {"prompt": "q" * 80_000, "response": "r"}, "over-long record",
            ReadOptions(max_record_chars=100)),
    _record("over-long-swollen", {"messages": [{"role": "system", "content": "s" * 1500}, *turns(*["x"] * 200)]},
            "over-long record", ReadOptions(max_record_chars=2000)),
    _record("chunk-too-long", {"source": "x" * 1000, "prompt": "q", "response": "r"}, "no chunk"),
    Case("chunk-missing.jsonl", jsonl({"origin": "a", "prompt": "q", "response": "r"}, {"origin": 5, "prompt": "q"}),
         None, 1, {"no chunk": 3}, options=ReadOptions(chunk_column="origin")),
]  # fmt: skip
# with --chunk-column origin the two good neighbors have no chunk either

FILES = [
    Case("empty.jsonl", b"", "empty file"),
    Case("blank.jsonl", b"\n \n\r\n", "empty file"),
    Case("empty-array.json", b" [ ] \n", "empty file"),
    Case("empty-object.json", b'{"data": []}', None, 0, {"unknown shape": 1}),
    Case("empty.parquet", parquet([good()])[:0], "empty file"),
    Case("no-rows.parquet", (lambda sink: (pq.write_table(pa.table({"prompt": pa.array([], pa.string())}), sink),
                                           sink.getvalue())[1])(io.BytesIO()), "empty file"),
    Case("header-only.csv", b"prompt,response\n", "empty file"),
    Case("empty.jsonl.gz", gzip.compress(b""), "empty file"),
    Case("cut.jsonl.gz", gzip.compress(GOOD * 50)[:-20], "truncated file"),
    Case("cut.jsonl.zst", _zst(GOOD * 50)[:-10], "truncated file"),
    Case("cut.parquet", PARQUET[:-30], "truncated file"),
    Case("cut-half.parquet", PARQUET[: len(PARQUET) // 2], "truncated file"),
    Case("cut.json", json.dumps([good(1), good(2)]).encode()[:-30], "truncated file"),
    Case("cut-in-string.json", b'[{"prompt": "q', "truncated file"),
    Case("cut-wrapper.json", b'{"data": [{"prompt": "q", "response": "r"}]', "truncated file"),
    Case("corrupt.jsonl.gz", _corrupt(gzip.compress(GOOD * 50), 30), "unreadable file"),
    Case("corrupt.jsonl.zst", _corrupt(_zst(GOOD * 50), 20), "unreadable file"),
    Case("corrupt-footer.parquet", _corrupt(PARQUET, len(PARQUET) - 200), "unreadable file"),
    Case("no-parquet.parquet", b"hello, world", "unreadable file"),
    Case("two-arrays.json", json.dumps([good(1)]).encode() * 2, "bad JSON"),
    Case("behind-array.json", json.dumps([good(1)]).encode() + b" x", "bad JSON"),
    Case("two-lists.json", json.dumps({"train": [good(1)], "test": [good(2)]}).encode(), "unknown format"),
    Case("utf16.jsonl", GOOD.decode().encode("utf-16"), "not UTF-8"),
    Case("utf16-no-mark.jsonl", GOOD.decode().encode("utf-16-le"), "not UTF-8"),
    Case("bomb.jsonl.gz", gzip.compress(GOOD + b" " * 3_000_000), "compression bomb",
         options=ReadOptions(ratio_floor_bytes=1_000_000)),
    Case("bomb.jsonl.zst", _zst(GOOD + b" " * 3_000_000), "compression bomb",
         options=ReadOptions(ratio_floor_bytes=1_000_000)),
    Case("bomb.parquet", parquet([{"prompt": "q" * 1000, "response": "r" * 2000}] * 3000), "compression bomb",
         options=ReadOptions(ratio_floor_bytes=1_000_000)),
    Case("archive.zip", b"PK\x03\x04" + b"x" * 100, "unknown format"),
    Case("essay.txt", b"Once upon a time\n", "unknown format"),
    Case("bytes.bin", bytes(range(1, 256)) * 4, "unknown format"),
    Case("doubled-names.csv", b"prompt,prompt\nq,r\n", "bad CSV"),
    Case("latin-header.csv", b"prompt,r\xe9ponse\nq,r\n", "bad CSV"),
    Case("array-elements.json", b'[{"prompt": "q", "response": "r"}, 5, {"a" 1}, '
         b'{"prompt": "\\ud800", "response": "r"}, "text, [", {"prompt": "q]}", "response": "r\\"{"},]', None, 2,
         {"wrong type": 2, "bad JSON": 1, "lone surrogate": 1}),
    Case("array-commas.json", b'[{"prompt": "q", "response": "r"},, {"prompt": "q", "response": "r"}]', None, 2,
         {"bad JSON": 1}),
    Case("array-long.json", json.dumps([good(1), {"prompt": "q" * 80_000, "response": "r"}, good(2)]).encode(), None, 2,
         {"over-long record": 1}, options=ReadOptions(max_record_chars=100)),
    Case("not-utf8.parquet", _not_utf8_parquet(), None, 2, {"not UTF-8": 1}),
    Case("mixed.parquet", parquet([good(1), {"messages": turns("q", "")}, {"messages": None}, good(2),
                                   {"messages": turns("q", "r\0")}]), None, 2,
         {"empty response": 1, "wrong type": 1, "NUL character": 1}),
    Case("doubled-names.parquet", _doubled_parquet(), "unreadable file"),
    Case("strange-columns.parquet", parquet([{"a": 1}, {"a": 2}]), None, 0, {"unknown shape": 2}),
    Case("fields.csv", TEXTS + b"q2\nq3,r3,x\nq4,r4\n", None, 2, {"bad CSV": 2}),
    Case("quotes.csv", TEXTS + b'"q2" x,r2\nq3,r3\n', None, 2, {"bad CSV": 1}),
    Case("open-quote.csv", TEXTS + b'"q2,r2\nq3,r3\n', None, 2, {"bad CSV": 1}),
    Case("latin.csv", TEXTS + b"caf\xe9,r2\nq3,r3\n", None, 2, {"not UTF-8": 1}),
    Case("empty-side.csv", TEXTS + b"q2,\n,r3\n\n", None, 1, {"empty response": 1, "empty query": 1}, 1),
    Case("long-field.csv", TEXTS + b"q" * 80_000 + b",r2\nq3,r3\n", None, 2, {"over-long record": 1},
         options=ReadOptions(max_record_chars=100)),
    Case("long-quote.csv", TEXTS + b'"' + b"q" * 80_000 + b"\nq3,r3\n", None, 2, {"bad CSV": 1},
         options=ReadOptions(max_record_chars=100)),
]  # fmt: skip

# odd, and still to be read whole
ODD = [
    Case("byte-order-mark.jsonl", b"\xef\xbb\xbf" + GOOD, None, 2),
    Case("byte-order-mark.json", b"\xef\xbb\xbf" + json.dumps([good(1)]).encode(), None, 1),
    Case("byte-order-mark.csv", b"\xef\xbb\xbf" + TEXTS, None, 1),
    Case("crlf.jsonl", GOOD.replace(b"\n", b"\r\n"), None, 2),
    Case("crlf.csv", TEXTS.replace(b"\n", b"\r\n") + b'"a\r\nb",r\r\n', None, 2),
    Case("blank-lines.jsonl", GOOD.replace(b"\n", b"\n\n"), None, 2, {}, 2),
    Case("no-last-newline.jsonl", GOOD.rstrip(), None, 2),
    Case("surrogate-elsewhere.jsonl", jsonl(b'{"prompt": "q", "response": "r", "note": "\\ud800"}'), None, 3),
    Case("not-a-number.jsonl", jsonl(b'{"prompt": "q", "response": "r", "score": NaN}'), None, 3),
    Case("lines.json", GOOD, None, 2),
    Case("lines.txt", GOOD, None, 2),
    Case("no-suffix", json.dumps([good(1), good(2)]).encode(), None, 2),
    Case("array.jsonl", json.dumps([good(1), good(2)], indent=1).encode(), None, 2),
    Case("pretty.json", json.dumps([good(1), good(2)], indent=4).encode(), None, 2),
    Case("wrapper.json", json.dumps({"version": [1, 2], "data": [good(1), good(2)], "n": 2}).encode(), None, 2),
    Case("one-record.json", json.dumps(good(1), indent=2).encode(), None, 1),
    Case("pretty-records.json", b"\n".join(json.dumps(good(n), indent=2).encode() for n in range(3)), None, 3),
    Case("packed.json", gzip.compress(GOOD), None, 2),
    Case("two-members.jsonl.gz", gzip.compress(GOOD) * 2, None, 4),
    Case("two-frames.jsonl.zst", _zst(GOOD) + b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + _zst(GOOD), None, 4),
    Case("parquet-inside.jsonl", PARQUET, None, 50),
    Case("lines-inside.parquet", GOOD, None, 2),
    Case("quotes-fine.csv", TEXTS + b'"q ""2"", yes\n\nnext","r"\n5" pipe,r3\n', None, 3),
    Case("tabs.tsv", b"prompt\tresponse\tsystem\nq, and\tr\t\n", None, 1),
    Case("tabs", b"prompt\tresponse\nq, and\tr\n", None, 1),
    Case("repeats.jsonl.gz", gzip.compress(GOOD * 2000, mtime=0), None, 4000),
]

CASES = RECORDS + FILES + ODD
