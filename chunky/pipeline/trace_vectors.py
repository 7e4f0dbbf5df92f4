"""The vectors that a tracer looks at: sentences of the lake by id, those nearest to a crux, clusters of new ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky import clusters
from chunky.devices import pick
from chunky.embedders import get_embedder
from chunky.errors import LakeError
from chunky.indexes import Index, choose_engine, open_index
from chunky.lens import Lens
from chunky.pipeline.vectors import Picked, embedder_of, is_from
from chunky.settings import Settings
from chunky.warehouse import Warehouse

I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]

_REMEMBERED = 10_000  # vectors of texts, 15 MB of MiniLM's
_LONGEST_TEXT = 20_000  # characters of a query that are embedded: models cut at some 2,000


class SentenceVectors:
    """Vectors of the attribute sentences of a lake, opened for many searches among those of one side.

    `sentences` has attribute_id, side, rows and cluster_id of every sentence of the lake. LakeError for vectors that
    another embedder made.
    """

    def __init__(self, lake: Warehouse, settings: Settings, sentences: pl.DataFrame, side: str = "response") -> None:
        self._table = lake.vectors("embeddings.vectors")
        self._embedder = get_embedder(embedder_of(self._table), settings.embeddings.device)
        if not is_from(self._table, self._embedder):
            raise LakeError(
                f"the embedder {self._embedder.name} is not the one that made this lake's vectors",
                "build them again: chunky build",
            )
        self._lake, self._side = lake, side
        ids = self._table.ids()
        self._order = np.argsort(ids)
        self._sorted = ids[self._order]
        of_side = sentences.filter(pl.col("side") == side)
        places = np.sort(self.places(of_side["attribute_id"].to_numpy()))
        self._of_side = pl.DataFrame({"attribute_id": ids[places]}).join(
            of_side, on="attribute_id", maintain_order="left"
        )
        self._query_clusters = sentences.filter(pl.col("side") == "query")["cluster_id"].unique().sort()
        device = pick(settings.embeddings.device)
        self._picked = Picked(self._table, places)
        self._is_held = self._picked.bytes <= settings.clusters.memory_gib * 2**30
        engine = choose_engine("auto", len(places) * self._table.dimensions, device).engine
        self.engine = f"{engine} on {device.name}"
        self._encoded: dict[str, F32] = {}
        self._device, self._index = device, cast("Index | None", None)

    def places(self, ids: I64) -> I64:
        """Places of sentences in the table, int64; LakeError for one without a vector."""
        found = np.minimum(np.searchsorted(self._sorted, ids), max(len(self._sorted) - 1, 0))
        if len(ids) and (not len(self._sorted) or (self._sorted[found] != ids).any()):
            raise LakeError("a sentence has no vector", "build the lake again: chunky build")
        return self._order[found]

    def has(self, ids: pl.Series) -> pl.Series:
        """Whether each sentence (attribute_id) is one of the lake's, bool."""
        return ids.is_in(pl.Series(self._sorted).implode())

    def encode(self, texts: Sequence[str]) -> F32:
        """Unit vectors of texts, float32 (n, d), by the embedder of the lake; rubrics come again and again."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._encoded]
        if len(self._encoded) + len(missing) > _REMEMBERED:
            self._encoded.clear()
            missing = list(dict.fromkeys(texts))
        found = self._embedder.encode([text[:_LONGEST_TEXT] for text in missing])
        self._encoded |= dict(zip(missing, found, strict=True))
        return np.stack([self._encoded[text] for text in texts]) if len(texts) else found

    def of(self, ids: I64) -> F32:
        """Vectors of sentences of the lake, float32 (n, d)."""
        places = self.places(ids)
        unique, inverse = np.unique(places, return_inverse=True)
        return self._table.take(unique).astype(np.float32)[inverse]

    def nearest(self, vectors: F32, least_rows: int, floor: float) -> pl.DataFrame:
        """Sentences of the side nearest to each vector, enough of them for `least_rows` rows or all above `floor`.

        Enough, whoever has them: a row has at most so many sentences, and those as near as the last one found are not
        counted, for others as near may not have been found.

        Columns place (int64, of the vector), attribute_id, cluster_id, similarity (double), sentence_rows.
        """
        if self._index is None:
            held = self._picked.whole() if self._is_held else self._picked
            self._index = open_index("auto", held, self._device)
        index, wanted = self._index, 1_024
        while True:
            found = index.search(vectors, min(wanted, index.count))
            counts = self._of_side["rows"].to_numpy()[found.positions]
            surely = np.where(found.scores > found.scores[:, -1:], counts, 0).sum(axis=1)
            is_enough = (found.scores[:, -1] < floor) | (surely >= least_rows * self._most_sentences)
            if is_enough.all() or wanted >= index.count:
                break
            wanted *= 4
        near = pl.DataFrame({
            "place": np.repeat(np.arange(len(vectors)), found.positions.shape[1]),
            "position": found.positions.ravel(),
            "similarity": found.scores.ravel().astype(np.float64),
        })  # fmt: skip
        known = self._of_side.select("attribute_id", "cluster_id", sentence_rows="rows").with_row_index("position")
        return near.filter(pl.col("similarity") >= floor).join(
            known.with_columns(pl.col("position").cast(pl.Int64)), on="position", maintain_order="left"
        ).drop("position")  # fmt: skip

    @cached_property
    def _most_sentences(self) -> int:
        """The most attributes that a row has on the side."""
        with Lens(self._lake) as lens:
            sql = "select max(attribute_rank) as most from attributes.row_attributes where side = ?"
            return int(lens.table(sql, [self._side])["most"][0].as_py() or 1)

    def clusters_of(self, texts: Sequence[str]) -> pl.DataFrame:
        """The query cluster nearest to each sentence (equation 5): cluster_id and cluster_similarity (double)."""
        table = self._lake.vectors("clusters.centroids")
        ids = table.ids()
        mine = np.isin(ids, self._query_clusters.to_numpy())
        centers: F32 = table.vectors()[mine].astype(np.float32)
        assigned = clusters.assign(self.encode(texts), centers)
        return pl.DataFrame({
            "cluster_id": ids[mine][assigned.labels], "cluster_similarity": assigned.similarities.astype(np.float64),
        })  # fmt: skip
