"""From attribute sentences to Arrow batches of ids and unit vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky.errors import ContractError

Encode = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Sentences → unit vectors, shape (n, d), float32: the `encode` of an embedder."""

BATCH_ROWS: Final = 1_024
"""Sentences a commit: about a second of a processor with 16-bit products, lost at most when a run is killed."""
_TOLERANCE: Final = 1e-3
_REMEDY: Final = "this is a fault of the producer, not of the data: report it with this message"


def remaining(texts: pl.DataFrame, known: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Sentences that have no vector yet, in the order in which they are to be embedded.

    `texts` has attribute_id (int64) and text; `known` are the ids with a vector. Gives attribute_id and text, one row
    an id, sorted by length, text and id: neighbors are of like length, and the order rests on content alone, so that
    a run after a kill cuts the rest as an undisturbed run would have cut it. ContractError for an id with two texts.
    """
    distinct = texts.select("attribute_id", "text").unique()
    if distinct["attribute_id"].n_unique() != distinct.height:
        twice = distinct.filter(pl.col("attribute_id").is_duplicated()).sort("attribute_id", "text").row(0)
        raise ContractError(f"attribute_id {twice[0]} stands for more than one text, one of them {twice[1]!r}", _REMEDY)
    missing = distinct.filter(~pl.col("attribute_id").is_in(pl.Series(known, dtype=pl.Int64).implode()))
    return missing.sort(pl.col("text").str.len_chars(), "text", "attribute_id")


def tables(
    missing: pl.DataFrame, encode: Encode, dimensions: int, dtype: str = "float16", batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Batches of attribute_id (int64) and vector (fixed_size_list of `dtype`, float16 or float32), `batch_rows` each.

    `missing` is what `remaining` gives. Work is done batch by batch as they are asked for. ContractError when `encode`
    gives another shape or norms off by more than 1e-3.
    """
    kind = pa.float16() if dtype == "float16" else pa.float32()
    shape = pa.schema(
        [
            pa.field("attribute_id", pa.int64(), nullable=False),
            pa.field("vector", pa.list_(kind, dimensions), nullable=False),
        ]
    )
    for batch in missing.iter_slices(batch_rows):
        texts = batch["text"].to_list()
        distinct = list(dict.fromkeys(texts))
        vectors = _checked(encode(distinct), len(distinct), dimensions)
        places = {text: place for place, text in enumerate(distinct)}
        values = vectors[[places[text] for text in texts]].astype(dtype)
        column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), kind), dimensions)
        yield pa.RecordBatch.from_arrays([batch["attribute_id"].to_arrow(), column], schema=shape)


def _checked(vectors: npt.NDArray[np.float32], rows: int, dimensions: int) -> npt.NDArray[np.float32]:
    if vectors.shape != (rows, dimensions):
        raise ContractError(f"the embedder gave {vectors.shape} for {rows} texts of {dimensions} dimensions", _REMEDY)
    norms = np.linalg.norm(vectors, axis=1)
    if not (np.abs(norms - 1) <= _TOLERANCE).all():  # NaN is off too
        raise ContractError(f"the embedder gave norms from {norms.min():g} to {norms.max():g}, not 1", _REMEDY)
    return vectors
