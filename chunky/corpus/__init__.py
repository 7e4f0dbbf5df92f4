"""Reading post-training files into corpus rows; every record is taken, quarantined or skipped, and counted."""

from __future__ import annotations

from chunky.corpus.ahead import ahead
from chunky.corpus.hashing import hash_columns, hash_parts
from chunky.corpus.ids import conversation_keys, signed_hash, with_ids
from chunky.corpus.options import SHAPES, Batch, Counts, ReadOptions, Source, quarantine_schema, row_schema
from chunky.corpus.reading import read_file
from chunky.corpus.sources import discover, file_digest

__all__ = [
    "SHAPES",
    "Batch",
    "Counts",
    "ReadOptions",
    "Source",
    "ahead",
    "conversation_keys",
    "discover",
    "file_digest",
    "hash_columns",
    "hash_parts",
    "quarantine_schema",
    "read_file",
    "row_schema",
    "signed_hash",
    "with_ids",
]
