"""JSON lines cut into records, without ever holding more than one record of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

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


def lines(pieces: Iterable[bytes], most: int, is_start: bool = True) -> Iterator[bytes]:
    """Lines without their end, blank ones as b""; a line of more than `most` bytes comes as a Cut.

    At the start of a file a byte order mark is passed over.
    """
    held = b""
    is_dropping = False
    is_first = is_start
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


def blocks(pieces: Iterable[bytes], size: int) -> Iterator[bytes | Iterator[bytes]]:
    """The content in blocks of whole lines and about `size` bytes; a line longer than that ends it.

    Then the last item is an iterator over all that is left, in pieces, to be cut by `lines`.
    """
    rest = iter(pieces)
    held = [next(rest, b"").removeprefix(BYTE_ORDER_MARK)]
    for piece in rest:
        held.append(piece)
        if sum(map(len, held)) >= size:
            block = b"".join(held)
            cut = block.rfind(b"\n") + 1
            if not cut:
                yield chain((block,), rest)
                return
            yield block[:cut]
            held = [block[cut:]]
    yield b"".join(held)


def _line(line: bytes, most: int) -> bytes:
    if len(line) > most:
        return over_long(line, most)
    return line if line and not line.isspace() else b""
