"""The step of opening and closing sentences of responses: who has which, and a vector of each distinct one.

Where rules describe the mix, the vector is the one that topics are made of: 350,000 sentences of a mix of 270,000 rows
took 10 CPU seconds, which MiniLM, at 500 a second, would read for twelve minutes. Where a model described it, there are
no such words, and the embedder of the lake reads them: beside a model's calls that is little.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky.attributes import Fitted, Topics
from chunky.attributes.sentences import sentences_of
from chunky.embedders import get_embedder
from chunky.lance_tables import LanceTable
from chunky.lens import Lens
from chunky.pipeline.frame import Built, Progress, frame_of, run_step, silent
from chunky.pipeline.vectors import IDENTITY
from chunky.settings import Settings
from chunky.warehouse import Transaction, Warehouse

F32 = npt.NDArray[np.float32]
Encode = Callable[[pl.Series], F32]
WORDS = "words"  # the name of who made the vectors, where words of the mix did

_BATCH_ROWS = 50_000
_HELD = {"text_part": pl.String, "sentence_id": pl.Int64, "row_id": pl.Int64}
_FITTED = ("texts", "words", "topics")


class Encoder(NamedTuple):
    """Who makes vectors of sentences: texts → float32 (n, d), unit rows or zeros where nothing in a text is known."""

    encode: Encode
    dimensions: int
    identity: dict[str, Any]


def fitted_of(lens: Lens) -> Fitted:
    """The fitted attributes of a lake."""
    return Fitted.load({name: lens.table(f"select * from attributes.{name}") for name in _FITTED})


def encoder_of(topics: Topics | None, settings: Settings, made_of: str) -> Encoder:
    """The encoder of a lake: the words of its responses, or the embedder where there are none.

    `made_of` tells the words of one build from those of another.
    """
    if topics is not None and topics.vectors.shape[1]:
        return Encoder(topics.points, topics.vectors.shape[1], {"name": WORDS, "made_of": made_of})
    embedder = get_embedder(settings.embeddings.embedder, settings.embeddings.device)
    told: dict[str, Any] = json.loads(embedder.identity)
    return Encoder(lambda texts: embedder.encode(texts.to_list()), embedder.dimensions, told)


def build_sentences(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Find the opening and closing sentence of each response, and a vector of each distinct one."""

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        topics = fitted_of(lens).response.topics if lake.rows("attributes.words") else None
        encoder = encoder_of(topics, settings, facts["fingerprint"])
        told = facts | {IDENTITY: json.dumps(encoder.identity, sort_keys=True)}
        table = LanceTable(lake.root, "embeddings.sentences")
        if not table.exists or table.metadata.get(IDENTITY) != told[IDENTITY]:
            table.start_over(encoder.dimensions, "float16", told)
        parts, rows, done = [pl.DataFrame(schema=_HELD)], lake.rows("corpus.rows"), 0
        tried = np.sort(table.ids())
        with Lens(lake, settings) as reader:  # one stream at a time, and `lens` has the writing
            for batch in reader.batches("select row_id, response from corpus.rows", rows=_BATCH_ROWS):
                frame = frame_of(pa.Table.from_batches([batch]))
                found = sentences_of(frame["response"])
                fresh = found.unique("sentence_id", maintain_order=True)
                fresh = fresh.filter(~pl.Series(np.isin(fresh["sentence_id"].to_numpy(), tried)))
                for some in fresh.iter_slices(_BATCH_ROWS):
                    table.append(_vectors(some, encoder))
                tried = np.union1d(tried, fresh["sentence_id"].to_numpy())
                row_ids = frame["row_id"].gather(found["place"])
                parts.append(found.select("text_part", "sentence_id", row_ids.alias("row_id")))
                done += batch.num_rows
                progress("opening and closing sentences", done, rows)
        held = pl.concat(parts).sort("sentence_id", "row_id")
        table.prune(held["sentence_id"].unique().to_numpy())
        table.describe(told)
        table.compact()
        transaction.pin("embeddings.sentences", told)
        transaction.write("embeddings.row_sentences", held.to_arrow(), told)

    return run_step(lake, settings, "sentences", work)


def _vectors(sentences: pl.DataFrame, encoder: Encoder) -> pa.RecordBatch:
    """A batch of `embeddings.sentences`; a sentence that nothing is known of has no vector."""
    vectors = encoder.encode(sentences["sentence"])
    known = np.flatnonzero(np.abs(vectors).sum(axis=1) > 0)
    column = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors[known].astype(np.float16).reshape(-1)), encoder.dimensions
    )
    fields = [pa.field("sentence_id", pa.int64(), nullable=False), pa.field("vector", column.type, nullable=False)]
    return pa.RecordBatch.from_arrays(
        [pa.array(sentences["sentence_id"].gather(known).to_numpy()), column], schema=pa.schema(fields)
    )
