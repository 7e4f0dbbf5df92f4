"""Cruxes that are sentences of the response itself: how it opens and how it ends, with rows that open or end like it.

A paraphrased behavior has no wording of its own and comes as fragments; rows with a similar sentence hold all of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky import turf
from chunky.attributes import Topics
from chunky.attributes.sentences import PARTS, sentences_of
from chunky.corpus.ids import signed_hash
from chunky.devices import Device
from chunky.embedders import get_embedder
from chunky.errors import LakeError
from chunky.files import sql_text
from chunky.indexes import Found, Index, open_index
from chunky.lance_tables import LanceTable
from chunky.lens import Lens
from chunky.pipeline.sentence_steps import WORDS, Encode
from chunky.pipeline.vectors import Picked, embedder_of, is_from
from chunky.settings import Settings
from chunky.tables import CRUX_KINDS
from chunky.turf import Failure
from chunky.warehouse import Warehouse

F32 = npt.NDArray[np.float32]

KINDS = dict(zip(PARTS, CRUX_KINDS[2:], strict=True))
CRUX = ("failure_id", "attribute_id", "attribute", "crux", "crux_id", "crux_kind", "text_part", "sentence")
NEAR = {"crux_id": pl.Int64, "sentence_id": pl.Int64, "similarity": pl.Float64}
_SAID = {"opening": "opens like", "closing": "ends like"}
_REMEDY = "build them again: chunky build"
_SHOWN = 120  # characters of a sentence in a crux
_IDS = "select distinct sentence_id from embeddings.row_sentences where text_part = ?"


def look_up(lens: Lens, near: pl.DataFrame | None = None) -> None:
    """Hold `like_rows` for the models of `sql/turf/`: the rows with the sentences of `near` (columns of `NEAR`)."""
    with lens.registered(like_sentences=(pl.DataFrame(schema=NEAR) if near is None else near).to_arrow()):
        lens.keep("like_rows", sql_text("turf.like_rows"))


def _reader(table: LanceTable, topics: Topics | None, settings: Settings) -> Encode:
    """What made the vectors of `table`, whatever the settings say now; LakeError where that is gone."""
    made_by = embedder_of(table)
    if made_by == WORDS:
        if topics is None or not topics.vectors.shape[1]:
            raise LakeError("the words that this lake's sentences were read by are gone", _REMEDY)
        return topics.points
    embedder = get_embedder(made_by, settings.embeddings.device)
    if not is_from(table, embedder):
        raise LakeError(f"this lake's sentences were read by another {made_by}", _REMEDY)
    return lambda texts: embedder.encode(texts.to_list())


def _with_ties(index: Index, vectors: F32, most: int, floor: float) -> Found:
    """The `most` nearest vectors and those as near as the last of them, where that is at `floor` or above.

    Up to four times as many in all: searches for more, up to all of 180,000, took a first trace to 36 CPU s.
    """
    wanted = min(most + 1, index.count)
    found = index.search(vectors, wanted)
    last = found.scores[:, -1]
    is_open = (last >= floor) & (last == found.scores[:, min(most, index.count) - 1])
    return index.search(vectors, min(4 * most, index.count)) if wanted > most and is_open.any() else found


class ResponseSentences:
    """The opening and closing sentences of the responses of a lake, opened for many searches.

    `topics` are those of its responses, None where a model described the mix. LakeError for vectors that nothing here
    can make any more.
    """

    def __init__(self, lake: Warehouse, lens: Lens, settings: Settings, topics: Topics | None, device: Device) -> None:
        table = lake.vectors("embeddings.sentences")
        self._encode, self._device = _reader(table, topics, settings), device
        ids = table.ids()
        mine = {part: np.isin(ids, lens.table(_IDS, [part])["sentence_id"].to_numpy()) for part in PARTS}
        self._picked = {part: Picked(table, np.flatnonzero(held).astype(np.int64)) for part, held in mine.items()}
        self._ids = {part: ids[held] for part, held in mine.items()}
        self._index: dict[str, Index] = {}

    def cruxes(self, failures: Sequence[Failure]) -> pl.DataFrame:
        """What each failing response opens and ends with, as cruxes: columns of `CRUX`."""
        told = sentences_of(pl.Series([each.response for each in failures], dtype=pl.String))
        ids = pl.Series([each.failure_id for each in failures], dtype=pl.Int64)
        texts = [
            f"The response {_SAID[part]} “{sentence[:_SHOWN]}”."
            for part, sentence in told.select("text_part", "sentence").iter_rows()
        ]
        kinds = [KINDS[part] for part in told["text_part"]]
        # of the whole sentence: neighbors are searched by all of it, and crux_id stands for them
        hashes = [turf.crux_id(*each) for each in zip(kinds, told["sentence"], strict=True)]
        return told.select(
            "text_part", "sentence", failure_id=ids.gather(told["place"]), crux=pl.Series(texts, dtype=pl.String),
            attribute=pl.Series(texts, dtype=pl.String), crux_kind=pl.Series(kinds, dtype=pl.String),
            crux_id=pl.Series(hashes, dtype=pl.Int64),
            attribute_id=pl.Series([signed_hash("response", text) for text in texts], dtype=pl.Int64),
        ).select(*CRUX)  # fmt: skip

    def near(self, failures: Sequence[Failure], candidates: pl.DataFrame, most: int, floor: float) -> pl.DataFrame:
        """The `most` sentences nearest to that of each crux, at `floor` or above: columns of `NEAR`.

        `candidates` are the cruxes of `failures` (failure_id, crux_id, crux_kind), of which those of other kinds are
        left alone. Every sentence is in some row, so that `most` of them hold as many rows; those that are as near as
        the last of them come too (see `_with_ties`), for ties are cut among rows.
        """
        asked = candidates.filter(pl.col("crux_kind").is_in(list(KINDS.values())))
        if asked.is_empty():
            return pl.DataFrame(schema=NEAR)
        told = self.cruxes(failures).join(asked, on=["failure_id", "crux_id"], how="semi", maintain_order="left")
        distinct = told.unique("crux_id", maintain_order=True)
        parts = [pl.DataFrame(schema=NEAR)]
        for (part,), wanted in distinct.group_by("text_part", maintain_order=True):
            vectors = self._encode(wanted["sentence"])
            known = np.flatnonzero(np.abs(vectors).sum(axis=1) > 0)
            if not len(known) or not len(self._ids[str(part)]):
                continue
            index = self._opened(str(part))
            found = _with_ties(index, vectors[known], most, floor)
            near = pl.DataFrame({
                "crux_id": np.repeat(wanted["crux_id"].to_numpy()[known], found.positions.shape[1]),
                "sentence_id": self._ids[str(part)][found.positions.ravel()],
                "similarity": found.scores.ravel().astype(np.float64),
            })  # fmt: skip
            parts.append(near.filter(pl.col("similarity") >= floor))
        return pl.concat(parts)

    def _opened(self, part: str) -> Index:
        if part not in self._index:
            self._index[part] = open_index("auto", self._picked[part].whole(), self._device)
        return self._index[part]
