"""Elements of a JSON array (or of the one list inside a JSON object) cut out as bytes while the file streams by.

The elements are found by brackets and strings alone and parsed later, one by one, so a bad element costs only itself
and memory is bounded by one record. A run of top-level objects, each a record, is read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chunky.corpus.lines import Cut, over_long
from chunky.corpus.options import Source
from chunky.corpus.streams import BYTE_ORDER_MARK, truncated
from chunky.corpus.text import escape
from chunky.corpus.words import RECORD_LISTS
from chunky.errors import FileFault

_SPACE = re.compile(rb"[ \t\r\n]*+")
# everything up to the next bracket or to a string that does not end in the buffer
_INSIDE = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
# the same, for a value that is neither object nor list: it ends at a comma or a closing bracket
_SCALAR = re.compile(rb'(?:[^"{}\[\],]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_MEMBER = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"[ \t\r\n]*+:[ \t\r\n]*+(\[[ \t\r\n]*+)?+', re.DOTALL)


def wraps_records(value: object) -> bool:
    """Whether a parsed object wraps the list of records (`{"data": [{…}]}`) and is no record itself."""
    if not isinstance(value, dict):
        return False
    for key, member in value.items():
        if isinstance(member, list) and member and isinstance(member[0], dict):
            return key not in RECORD_LISTS
    return False


def elements(pieces: Iterable[bytes], source: Source, most: int) -> Iterator[bytes]:
    """Raw bytes of every record of a JSON file, over-long ones as a Cut; FileFault where the file ends inside."""
    text = _Text(pieces, source, most)
    opening = text.next_char()
    if opening == b"[":
        text.skip(1)
        yield from _array(text)
    while (opening := text.next_char()) == b"{":
        yield from _object(text)
    if opening:
        raise FileFault(
            f"{source.file} goes on behind the end of its JSON value",
            "write one JSON array, or one record per line",
            "bad JSON",
        )


class _Member(NamedTuple):
    key: str
    length: int
    opens_objects: bool


class _Text:
    """A window on the stream: `buffer[position:]` is what has not been consumed."""

    def __init__(self, pieces: Iterable[bytes], source: Source, most: int) -> None:
        self._pieces = iter(pieces)
        self._source = source
        self.most = most
        self.buffer = b""
        self.position = 0
        self.fill()
        self.buffer = self.buffer.removeprefix(BYTE_ORDER_MARK)

    def fill(self) -> bool:
        """Append the next piece, dropping what has been consumed; false at the end of the file."""
        piece = next(self._pieces, b"")
        self.buffer = self.buffer[self.position :] + piece
        self.position = 0
        return bool(piece)

    def next_char(self) -> bytes:
        """The next byte that is not white space, not consumed; b"" at the end of the file."""
        while True:
            space = _SPACE.match(self.buffer, self.position)
            self.position = space.end() if space else self.position
            if self.position < len(self.buffer):
                return self.buffer[self.position : self.position + 1]
            if not self.fill():
                return b""

    def skip(self, count: int) -> None:
        self.position += count

    def fault(self) -> FileFault:
        return truncated(self._source, "the JSON value does not end")

    def two_lists(self, one: str, other: str) -> FileFault:
        return FileFault(
            f"{self._source.file} holds two lists of objects, {escape(one)!r} and {escape(other)!r}",
            "write the records as one JSON array, or one per line",
            "unknown format",
        )

    def member(self) -> _Member:
        """The key at the window's start, and whether a list of objects follows; consumes nothing."""
        import orjson

        while True:
            found = _MEMBER.match(self.buffer, self.position)
            if (found and found.end() < len(self.buffer)) or len(self.buffer) - self.position > self.most:
                break
            if not self.fill():
                raise self.fault()
        if not found:
            return _Member("", 0, False)
        try:
            key = str(orjson.loads(b'"' + found[1] + b'"'))
        except orjson.JSONDecodeError:
            key = ""
        opens = bool(found[2]) and self.buffer[found.end() : found.end() + 1] == b"{"
        return _Member(key, found.end() - self.position, opens)

    def value(self) -> bytes:
        """Consume one value and give its bytes (or a Cut); FileFault when the file ends before it does."""
        scan = _Scan(self.position, 0, False)
        kept: bytes | None = None  # the start of a value that is being dropped
        while True:
            scan = _advance(self.buffer, scan)
            if scan.is_done:
                data = self.buffer[self.position : scan.place] if kept is None else kept
                self.position = scan.place
                return data if kept is None and len(data) <= self.most else over_long(data, self.most)
            if scan.place - self.position > self.most or kept is not None:
                kept = kept or self.buffer[self.position : self.position + self.most + 1]
                self.position = scan.place
            start = self.position
            if not self.fill():
                raise self.fault()
            scan = scan._replace(place=scan.place - start)


class _Scan(NamedTuple):
    """Where a value has been scanned to: open brackets, inside a string or not, and whether it is over."""

    place: int
    depth: int
    in_string: bool
    is_done: bool = False


def _advance(buffer: bytes, scan: _Scan) -> _Scan:
    """Scan on to the end of the value or of the buffer."""
    place, depth, in_string, _ = scan
    size = len(buffer)
    while place < size:
        if in_string:
            place = _end(_STRING, buffer, place)
            if buffer[place : place + 1] != b'"':
                return _Scan(place, depth, True)  # the buffer ends here, or in a backslash whose partner is to come
            place, in_string = place + 1, False
            continue
        place = _end(_INSIDE if depth else _SCALAR, buffer, place)
        char = buffer[place : place + 1]
        if char == b'"':
            place, in_string = place + 1, True
        elif char in (b"{", b"["):
            place, depth = place + 1, depth + 1
        elif char and not depth:
            return _Scan(place, depth, False, True)
        elif char:
            place, depth = place + 1, depth - 1
            if not depth:
                return _Scan(place, depth, False, True)
    return _Scan(place, depth, in_string)


def _end(pattern: re.Pattern[bytes], buffer: bytes, place: int) -> int:
    found = pattern.match(buffer, place)
    return found.end() if found else place


def _array(text: _Text) -> Iterator[bytes]:
    """Elements up to and including the closing bracket. A missing or trailing comma loses nothing: it is let pass."""
    while (char := text.next_char()) != b"]":
        if not char:
            raise text.fault()
        if char in (b",", b"}"):
            text.skip(1)
            yield Cut.of(char, "bad JSON", "no value where one should stand")
            continue
        yield text.value()
        if text.next_char() == b",":
            text.skip(1)
    text.skip(1)


def _object(text: _Text) -> Iterator[bytes]:
    """One top-level object: the elements of the list of objects that it wraps, else the object itself as a record."""
    text.skip(1)
    members: list[bytes] = []
    wrapped = ""
    is_record = False
    while (char := text.next_char()) != b"}":
        if not char:
            raise text.fault()
        member = text.member()
        if member.opens_objects and member.key not in RECORD_LISTS and not is_record:
            if wrapped:
                raise text.two_lists(wrapped, member.key)
            wrapped = member.key
            text.skip(member.length)
            yield from _array(text)
        else:
            is_record = is_record or member.opens_objects
            if is_record and wrapped:
                raise text.two_lists(wrapped, member.key)
            members.append(text.value())
        if text.next_char() == b",":
            text.skip(1)
            if text.next_char() in (b"}", b","):
                members.append(b"")  # keeps the stray comma, so that the record is refused
                text.skip(text.next_char() == b",")
    text.skip(1)
    if not wrapped:
        yield _joined(members, text.most)


def _joined(members: list[bytes], most: int) -> bytes:
    """The object written again from the bytes of its members."""
    record = b"{" + b",".join(members) + b"}"
    if len(record) > most or any(isinstance(member, Cut) for member in members):
        return over_long(record, most)
    return record
