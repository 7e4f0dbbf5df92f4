"""What a reader is told and what it hands back: options, sources, batches and their counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from chunky.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

SHAPES = ("messages", "conversations", "preference", "instruction", "prompt")


@dataclass(frozen=True)
class ReadOptions:
    """How input files are read; the defaults recognize everything by themselves.

    `shape` forces one of SHAPES; `query_column` with `response_column` (and `system_column`) name plain text columns.
    `chunk` names the chunk of every record, `chunk_column` the column that holds it, `id_column` the conversation id.
    `max_record_chars` bounds the text of one record: 1,000,000 characters is about 250,000 tokens, beyond the context
    of what is fine-tuned today. A file that unpacks to more than `max_ratio` times its size is a compression bomb,
    unless it stays under `ratio_floor_bytes`: small files of repeats are innocent (gzip reaches 1,032, text about 10).
    `limit` takes the first records of each file only; the others are counted as skipped.
    """

    shape: str | None = None
    query_column: str | None = None
    response_column: str | None = None
    system_column: str | None = None
    chunk: str | None = None
    chunk_column: str | None = None
    id_column: str | None = None
    max_record_chars: int = 1_000_000
    max_ratio: float = 200.0
    ratio_floor_bytes: int = 256 * 2**20
    limit: int | None = None

    def __post_init__(self) -> None:
        """Raise SettingsError for values that cannot be used together."""
        if self.shape is not None and self.shape not in SHAPES:
            raise SettingsError(f"there is no record shape {self.shape!r}", f"use one of: {', '.join(SHAPES)}")
        if (self.query_column is None) != (self.response_column is None):
            raise SettingsError(
                "a query column needs a response column and the other way round",
                "give both --query-column and --response-column",
            )
        if self.query_column is not None and self.shape is not None:
            raise SettingsError("a shape and a query column are both given", "give one of the two")
        if self.chunk is not None and (not self.chunk.strip() or self.chunk_column is not None):
            raise SettingsError("the chunk's name is blank, or a chunk column is given too", "give one of the two")
        for name in ("max_record_chars", "max_ratio", "ratio_floor_bytes"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} must be above zero", f"leave {name} out for the default")
        if self.limit is not None and self.limit < 1:
            raise SettingsError("limit must be at least 1", "leave the limit out to read everything")

    @property
    def max_record_bytes(self) -> int:
        """Most bytes that a record may take before it is cut: JSON may spell one character with 12 bytes."""
        return 12 * self.max_record_chars + 65_536


@dataclass(frozen=True)
class Source:
    """One input file: `path` on this machine, `file` as the tables name it, default `chunk`, size in bytes."""

    path: str
    file: str
    chunk: str
    bytes: int


@dataclass(frozen=True)
class Counts:
    """What became of the records of a batch or a file: records = conversations + quarantined + skipped.

    `shapes` counts the conversations by recognized shape.
    """

    records: int = 0
    conversations: int = 0
    rows: int = 0
    quarantined: int = 0
    skipped: int = 0
    unanswered_turns: int = 0
    unprompted_turns: int = 0
    shapes: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        """Counts of two batches together."""
        numbers = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "shapes"}
        names = self.shapes.keys() | other.shapes.keys()
        return Counts(**numbers, shapes={n: self.shapes.get(n, 0) + other.shapes.get(n, 0) for n in sorted(names)})

    @property
    def shape(self) -> str:
        """Recognized shapes, most frequent first, joined by ` + `; empty when nothing was taken."""
        return " + ".join(sorted((n for n in self.shapes if self.shapes[n]), key=lambda n: (-self.shapes[n], n)))


@dataclass(frozen=True)
class Batch:
    """Part of a file: `rows` (corpus.rows without row_id and copy), `quarantine` (corpus.quarantine without its id).

    `keys` are the `conversation_keys` of the rows (int64, shape (rows,)), made here because reading runs ahead.
    `bytes_read` is the position reached in the file on disk, `format` e.g. `jsonl.gz`.
    """

    rows: pa.Table
    keys: npt.NDArray[np.int64]
    quarantine: pa.Table
    counts: Counts
    bytes_read: int
    format: str


def row_schema() -> pa.Schema:
    """Arrow schema of `Batch.rows`: corpus.rows without `row_id` and `copy`."""
    from chunky.tables import table

    schema = table("corpus.rows").arrow_schema
    return _without(schema, "row_id", "copy")


def quarantine_schema() -> pa.Schema:
    """Arrow schema of `Batch.quarantine`: corpus.quarantine without `quarantine_id`."""
    from chunky.tables import table

    return _without(table("corpus.quarantine").arrow_schema, "quarantine_id")


def _without(schema: pa.Schema, *names: str) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([column for column in schema if column.name not in names])
