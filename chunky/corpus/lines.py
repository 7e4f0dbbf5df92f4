"""JSON lines cut into records, without ever holding more than one record of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chunky.corpus.streams import BYTE_ORDER_MARK

# Kept of a record that is cut, for the excerpt: 200 characters of up to 4 bytes, and room to spare.
KEPT_BYTES = 1024


class Cut(bytes):
    """The first bytes of a record that could not be cut out whole, with the reason and its details."""

    reason: str
    detail: str

    @classmethod
    def of(cls, data: bytes, reason: str, detail: str) -> Cut:
        """A cut record that keeps at most KEPT_BYTES of `data`."""
        cut = cls(data[:KEPT_BYTES])
        cut.reason, cut.detail = reason, detail
        return cut


def over_long(data: bytes, most: int) -> Cut:
    """A record of more than `most` bytes."""
    return Cut.of(data, "over-long record", f"more than {most:,} bytes: see --max-record-chars")


def lines(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Lines without their end, blank ones as b""; a line of more than `most` bytes comes as a Cut."""
    held = b""
    is_dropping = False
    is_first = True
    for piece in pieces:
        if is_first:
            piece, is_first = piece.removeprefix(BYTE_ORDER_MARK), False
        first, *others = piece.split(b"\n")
        if not is_dropping:
            held += first
        if others:
            yield _line(held, most)
            for line in others[:-1]:
                yield _line(line, most)
            held, is_dropping = others[-1], False
        if len(held) > most:
            held, is_dropping = held[: most + 1], True
    if held:
        yield _line(held, most)


def _line(line: bytes, most: int) -> bytes:
    if len(line) > most:
        return over_long(line, most)
    return line if line and not line.isspace() else b""
