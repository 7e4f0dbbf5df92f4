"""What a vendor's batch API does, told alike for both: take rows, look, find what was lost, read results.

Like a provider, it neither retries nor counts, and returns failures as values.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import orjson

from chunky.llm.protocol import Request
from chunky.llm.providers.base import Fault, Sent

_MEBI = 1 << 20


@dataclass(frozen=True)
class BatchPolicy:
    """Sizes and waits of batches.

    `max_rows` and `max_bytes` are ceilings below the vendors' own, so that memory stays small (about `max_open` times
    `max_bytes`) and a batch that goes wrong is no disaster. Waits are in seconds.
    """

    max_rows: int = 10_000
    max_bytes: int = 64 * _MEBI
    max_open: int = 8
    max_rounds: int = 4  # batches that a row may be part of: it comes back when it expired or the vendor failed
    first_look: float = 10.0  # between looks at a batch, growing by half up to the longest
    longest_look: float = 300.0
    outage: float = 6 * 3_600.0  # waits without one success, after which a batch is left for the next process
    grace: float = 300.0  # after a submit without an answer, before a batch that is not listed counts as not taken
    downloads: int = 6  # of results that hold less than the vendor counts
    transfer: float = 3_600.0  # one upload or download
    kept: float = 30 * 86_400.0  # the vendors keep results for 29 days; what cannot be found later is gone


class Line(NamedTuple):
    """A request as a batch takes it: its content address, its custom id, and the body of the online call."""

    key: bytes
    custom_id: str
    body: Mapping[str, Any]


class Row(NamedTuple):
    """One result: a reply, or what became of the request. `param`: the parameter that the server did not take."""

    custom_id: str
    result: Sent | Fault
    param: str | None = None


@dataclass(frozen=True)
class Look:
    """A batch as the vendor tells of it.

    Of an ended one: `answered` replies and at least `expected` results are to be read from `places`; `fault` when it
    was refused as a whole, `bad_lines` with the lines (from 0) that were the reason, where the vendor says so.
    """

    vendor_id: str
    is_ended: bool
    answered: int = 0
    expected: int = 0
    places: tuple[str, ...] = ()
    fault: Fault | None = None
    bad_lines: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lost:
    """A submit whose answer never came: our name of the batch, its rows, when it was sent (seconds since 1970), and
    the vendor's names of batches that are known to be others.
    """

    batch: str
    rows: int
    submitted_at: float
    others: frozenset[str]


class NotYet(NamedTuple):
    """Whether a batch was taken cannot be told before others that might be it have ended."""

    candidates: int


class Vendor(Protocol):
    """Batches of one model on one server. Each method is one call, or a few pages of a list."""

    name: str
    key_parts: tuple[str, ...]
    max_rows: int
    max_bytes: int

    def body(self, request: Request) -> Mapping[str, Any]:
        """The body of the online call, which is also what is hashed."""
        ...

    async def upload(self, batch: str, lines: Sequence[Line]) -> str | Fault:
        """Bring the rows to the vendor, where that is a step of its own; it costs nothing and may be done again."""
        ...

    async def submit(self, batch: str, upload: str, lines: Sequence[Line]) -> Look | Fault:
        """Start the batch: from here on it is paid for."""
        ...

    async def look(self, vendor_id: str) -> Look | Fault:
        """How far the batch is."""
        ...

    async def find(self, lost: Lost) -> Look | NotYet | Fault | None:
        """The batch of a submit whose answer was lost; None when the vendor lists none."""
        ...

    async def read(self, place: str, take: Callable[[Row], None]) -> Fault | None:
        """Hand every whole row of one place of results to `take`; a Fault when the stream broke off."""
        ...

    def adapt(self, row: Row) -> bool:
        """Whether a refused row tells how to ask again, for nothing (a parameter that the model does not take)."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def custom_id(batch: str, key: bytes) -> str:
    """Name of a row inside its batch, from our name of the batch and the call's content address: 61 characters of
    [A-Za-z0-9_-], where Anthropic takes 64.
    """
    return f"{batch}-{base64.urlsafe_b64encode(key).decode().rstrip('=')}"


def key_of(batch: str, custom_id: str) -> bytes | None:
    """Content address of a row of that batch; None for what is no row of it."""
    head, _, tail = custom_id.partition("-")
    if head != batch:
        return None
    try:
        return base64.b64decode(tail + "=" * (-len(tail) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def line_bytes(line: Line) -> int:
    """Size of a row as it is sent, near enough: the envelopes of both vendors are below 120 bytes."""
    return len(orjson.dumps(line.body)) + len(line.custom_id) + 120
