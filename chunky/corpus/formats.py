"""What kind of file it is.

Content decides, the suffix only breaks ties: data hubs serve gzip under `.json` and JSON lines under every name.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from chunky.corpus.arrays import wraps_records
from chunky.corpus.options import ReadOptions, Source
from chunky.corpus.streams import BYTE_ORDER_MARK, Stream, empty, open_stream, unreadable
from chunky.corpus.words import KNOWN_COLUMNS
from chunky.errors import FileFault

HEAD_BYTES = 1 << 16
PACKINGS = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst"}
_OTHERS = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"ARROW1": "an Arrow file",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"%PDF": "a PDF",
    b"SQLite format 3": "a SQLite database",
}
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Kind(NamedTuple):
    """Format (`parquet`, `jsonl`, `json`, `csv`, `tsv`) and packing (`gz`, `zst` or empty)."""

    format: str
    packing: str

    @property
    def name(self) -> str:
        """As the tables say it, e.g. `jsonl.gz`."""
        return f"{self.format}.{self.packing}" if self.packing else self.format


def sniff(source: Source, options: ReadOptions) -> Kind:
    """Format and packing of a file, by content; raises FileFault where neither content nor suffix tells."""
    with open_stream(source, "", options) as stream:
        head = _head(stream)
    if not head:
        raise empty(source)
    packing = next((name for magic, name in PACKINGS.items() if head.startswith(magic)), "")
    if packing:
        with open_stream(source, packing, options) as stream:
            head = _head(stream)
        if not head:
            raise empty(source)
    elif head.startswith(b"PAR1"):
        return Kind("parquet", "")
    return Kind(_text_format(source, head), packing)


def _head(stream: Stream) -> bytes:
    head = b""
    for piece in stream.pieces():
        head += piece
        if len(head) >= HEAD_BYTES:
            break
    return head[:HEAD_BYTES]


def suffixes(path: str) -> list[str]:
    """Known suffixes at the end of a file's name, lower case, without dots: `a.b.JSONL.gz` gives jsonl, gz."""
    parts = os.path.basename(path).lower().split(".")[1:]
    tail: list[str] = []
    while parts and parts[-1] in ("gz", "zst", "zstd", "parquet", "jsonl", "ndjson", "json", "csv", "tsv"):
        tail.insert(0, parts.pop())
    return tail


def _text_format(source: Source, head: bytes) -> str:
    known = suffixes(source.path)
    other = next((what for magic, what in _OTHERS.items() if head.startswith(magic)), None)
    if other is not None:
        raise _unknown(source, f"it is {other}")
    if head.startswith(_WIDE_MARKS) or head.count(b"\0") * 4 > len(head):
        raise FileFault(
            f"{source.file} is not UTF-8: it looks like UTF-16 or binary data",
            f"convert it first: iconv -f UTF-16 -t UTF-8 {os.path.basename(source.file)!r}",
            "not UTF-8",
        )
    if "parquet" in known and head.lstrip()[:1] not in (b"{", b"["):
        raise unreadable(source, "it is named .parquet and is no Parquet file")
    for name in ("csv", "tsv"):
        if name in known:
            return name
    lines_wanted = "jsonl" in known or "ndjson" in known
    body = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if not body:
        raise empty(source)
    if body[:1] in (b"{", b"["):
        return _json_format(body, len(head) < HEAD_BYTES, lines_wanted)
    if lines_wanted:
        return "jsonl"
    return _table_format(source, body)


def _json_format(body: bytes, is_whole: bool, lines_wanted: bool) -> str:
    """`jsonl` or `json`, from the first bytes: does a record end with the first line?"""
    import orjson

    line, newline, rest = body.partition(b"\n")
    if newline or is_whole:
        try:
            first = orjson.loads(line)
        except orjson.JSONDecodeError:
            # a first line that only opens something is pretty-printed JSON; else it is a bad record among lines
            line = line.strip()
            opens = line in (b"{", b"[") or (not lines_wanted and (line[-1:] in (b"{", b"[", b",") or not rest.strip()))
            return "json" if opens or (body[:1] == b"[" and not lines_wanted) else "jsonl"
        if isinstance(first, list):
            return "jsonl" if lines_wanted and rest.strip() else "json"
        return "jsonl" if rest.strip() else ("json" if wraps_records(first) else "jsonl")
    if body[:1] == b"[":
        return "json"
    return "jsonl" if lines_wanted else "json"


def _table_format(source: Source, body: bytes) -> str:
    """`csv` or `tsv` for a text whose first line names columns that chunky knows."""
    line = body.partition(b"\n")[0].decode("utf-8", "replace").strip().lower()
    for name, delimiter in (("tsv", "\t"), ("csv", ",")):
        if len({field.strip('"') for field in line.split(delimiter)} & KNOWN_COLUMNS) >= 2:
            return name
    raise _unknown(source, "neither its content nor its suffix is known")


def _unknown(source: Source, detail: str) -> FileFault:
    return FileFault(
        f"{source.file} has an unknown format: {detail}",
        "convert it to Parquet, JSON lines, a JSON array, CSV or TSV (.gz and .zst are fine)",
        "unknown format",
    )
