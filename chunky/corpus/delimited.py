"""CSV and TSV cut into records: RFC 4180 with quoted line breaks, read in bounded memory.

The standard library's reader keeps its field limit in a global and cannot say where a record starts, so the cutting is
done here. A quote that never closes costs its own line, not the rest of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chunky.corpus.lines import Cut, over_long
from chunky.corpus.options import Source
from chunky.corpus.streams import BYTE_ORDER_MARK, empty
from chunky.errors import FileFault

_QUOTED = re.compile(rb'"([^"]*+(?:""[^"]*+)*+)"')
_PLAIN = {b",": re.compile(rb"[^,\r\n]*+"), b"\t": re.compile(rb"[^\t\r\n]*+")}


class _Line(NamedTuple):
    """One parsed record: its fields, where it ends, and what is wrong with it (empty when nothing is)."""

    fields: list[bytes]
    end: int
    problem: str = ""


def delimited(pieces: Iterable[bytes], delimiter: bytes, source: Source, most: int) -> Iterator[dict[str, str] | bytes]:
    """Records as dicts keyed by the header, blank lines as b"", unusable records as a Cut; FileFault without header."""
    records = cut_records(pieces, delimiter, most)
    header = _header(next((found for found in records if found.data), None), source)
    for found in records:
        if not found.data:
            yield b""
        elif isinstance(found.data, Cut):
            yield found.data
        elif len(found.fields) != len(header):
            detail = f"line {found.line:,}: {len(found.fields):,} fields, the header has {len(header):,}"
            yield Cut.of(found.data, "bad CSV", detail)
        else:
            try:
                yield {name: field.decode() for name, field in zip(header, found.fields, strict=True)}
            except UnicodeDecodeError as error:
                yield Cut.of(found.data, "not UTF-8", f"line {found.line:,}: {error.reason}")


def _header(found: CutRecord | None, source: Source) -> list[str]:
    if found is None:
        raise empty(source)
    try:
        names = [field.decode() for field in found.fields]
    except UnicodeDecodeError:
        names = []
    if isinstance(found.data, Cut) or not names or len(set(names)) < len(names):
        raise FileFault(
            f"{source.file} has no usable header: names must be UTF-8 and distinct",
            "give every column its own name in the first line",
            "bad CSV",
        )
    return names


class CutRecord(NamedTuple):
    """A record in the stream: its bytes (blank: b""), its fields and the line on which it starts, from 1."""

    data: bytes
    fields: list[bytes]
    line: int


def cut_records(pieces: Iterable[bytes], delimiter: bytes, most: int) -> Iterator[CutRecord]:
    """Records in order, the header among them, blank lines as b""; data that is a Cut says why there are no fields."""
    stream = iter(pieces)
    buffer = next(stream, b"").removeprefix(BYTE_ORDER_MARK)
    start, line, is_last = 0, 1, False
    while start < len(buffer) or not is_last:
        parsed = _parse(buffer, start, delimiter, is_last) if start < len(buffer) else None
        if parsed is None:
            if not is_last and len(buffer) - start <= most:
                piece = next(stream, b"")
                buffer, start, is_last = buffer[start:] + piece, 0, not piece
                continue
            dropped = _drop_line(buffer[start:], stream)
            yield _unfinished(dropped.line, line, most)
            buffer, start, line, is_last = dropped.rest, 0, line + 1, is_last or dropped.is_last
            continue
        data = buffer[start : parsed.end]
        if parsed.problem:
            yield CutRecord(Cut.of(data, "bad CSV", f"line {line:,}: {parsed.problem}"), [], line)
        elif len(data) > most:
            yield CutRecord(over_long(data, most), [], line)
        else:
            yield CutRecord(b"" if data.isspace() else data, parsed.fields, line)
        line += data.count(b"\n")
        start = parsed.end


def _parse(buffer: bytes, start: int, delimiter: bytes, is_last: bool) -> _Line | None:
    """The record at `start`; None when its end is not in the buffer (at the end of the file: a quote stays open)."""
    fields: list[bytes] = []
    plain = _PLAIN[delimiter]
    place, size = start, len(buffer)
    while True:
        if buffer[place : place + 1] == b'"':
            found = _QUOTED.match(buffer, place)
            if not found or (found.end() == size and not is_last):
                return None
            fields.append(found[1].replace(b'""', b'"'))
        else:
            found = plain.match(buffer, place)
            if not found or (found.end() == size and not is_last):
                return None
            fields.append(found[0])
        place = found.end()
        follower = buffer[place : place + 1]
        if follower == delimiter:
            place += 1
        elif follower == b"\r" and place + 1 == size and not is_last:
            return None
        elif follower in (b"\n", b""):
            return _Line(fields, place + 1 if follower else place)
        elif follower == b"\r":
            return _Line(fields, place + (2 if buffer[place + 1 : place + 2] == b"\n" else 1))
        else:
            return _rest_of_line(buffer, place, is_last)


def _rest_of_line(buffer: bytes, place: int, is_last: bool) -> _Line | None:
    end = buffer.find(b"\n", place)
    if end < 0 and not is_last:
        return None
    return _Line([], end + 1 if end >= 0 else len(buffer), "text behind a closing quote")


class _Dropped(NamedTuple):
    line: bytes
    rest: bytes
    is_last: bool


def _drop_line(buffer: bytes, stream: Iterator[bytes]) -> _Dropped:
    """Pass over one physical line, however long: its start, what follows it, and whether the file is at its end."""
    line = buffer
    while (end := buffer.find(b"\n")) < 0:
        buffer = next(stream, b"")
        if not buffer:
            return _Dropped(line, b"", True)
    return _Dropped(line[: end + 1] if buffer is line else line, buffer[end + 1 :], False)


def _unfinished(data: bytes, line: int, most: int) -> CutRecord:
    if b'"' in data[:most]:
        detail = f"line {line:,}: a quote opens and does not close within {most:,} bytes"
        return CutRecord(Cut.of(data, "bad CSV", detail), [], line)
    return CutRecord(over_long(data, most), [], line)
