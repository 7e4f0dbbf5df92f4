"""The files that failures come in: JSON lines, JSON, CSV or Parquet with the columns query, response and rubric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from chunky.corpus import Source
from chunky.errors import InputError
from chunky.turf.failures import COLUMNS


def read_records(source: Source, names: Sequence[str] = COLUMNS) -> Iterator[Mapping[str, Any]]:
    """The fields `names` of each record, in file order; a field that a record lacks is left out.

    InputError for a file that cannot be read.
    """
    readers: dict[str, Any] = {
        ".parquet": pl.read_parquet,
        ".csv": pl.read_csv,
        ".json": pl.read_json,
        ".jsonl": pl.read_ndjson,
    }
    suffix = next((suffix for suffix in readers if source.file.endswith(suffix)), ".jsonl")
    try:
        frame = readers[suffix](BytesIO(Path(source.path).read_bytes()))  # a path may look like a pattern
    except (pl.exceptions.PolarsError, OSError) as error:
        problem = str(error).partition("\n")[0]
        raise InputError(
            f"{source.file} cannot be read: {problem}", "give records of query, response, rubric"
        ) from error
    yield from frame.select(name for name in names if name in frame.columns).iter_rows(named=True)
