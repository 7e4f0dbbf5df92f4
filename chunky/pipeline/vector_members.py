"""What vectors are near, and which rows are members of the features that they define."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky.correlations import cluster_features
from chunky.embedders import get_embedder
from chunky.errors import LakeError
from chunky.features import Feature
from chunky.indexes import open_index
from chunky.indexes.neighbors import Postings, nearest_rows
from chunky.lance_tables import LanceTable
from chunky.lens import Lens
from chunky.pipeline.frame import frame_of
from chunky.pipeline.vectors import Picked, embedder_of, is_from
from chunky.settings import Settings
from chunky.tables import SIDES
from chunky.warehouse import Warehouse

I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]

_COMMON_SHARE = 0.4  # a cluster in more of all rows than this tells nothing apart, as with phrases


def clusters_worth_a_feature(lens: Lens, min_rows: int, wanted: bool) -> pl.DataFrame:
    """Clusters (`clusters.summaries`) that are frequent, not common, and no feature already under another name.

    A single sentence about a shape or a repeated phrase holds the rows of that shape's or phrase's own feature.
    None unless `wanted`.
    """
    return frame_of(
        lens.table(
            "select summaries.*, coalesce(cluster_name, cluster) as cluster_name from clusters.summaries "
            "inner join attributes.texts on attribute_id = cluster_id left join clusters.names using (cluster_id) "
            "where ? and summaries.rows >= ? and summaries.row_share <= ? "
            "and (attributes > 1 or family not in ('surface', 'repeated')) order by cluster_id",
            [wanted, min_rows, _COMMON_SHARE],
        )
    )


def cluster_members(lens: Lens, clustered: pl.DataFrame) -> dict[int, I64]:
    """feature_id → sorted row ids with a sentence of the cluster, int64."""
    ids = [feature.feature_id for feature in cluster_features(clustered)]
    wanted = clustered.select("cluster_id").with_columns(feature_id=pl.Series(ids, dtype=pl.Int64))
    with lens.registered(wanted=wanted.to_arrow()):
        pairs = frame_of(
            lens.table(
                "select distinct feature_id, row_id from attributes.row_attributes "
                "inner join clusters.assignments using (attribute_id) inner join wanted using (cluster_id) "
                "order by feature_id, row_id"
            )
        )
    found = {feature_id: np.zeros(0, np.int64) for feature_id in ids}
    return found | {int(key[0]): part["row_id"].to_numpy() for key, part in pairs.group_by("feature_id")}


def neighborhood_members(lake: Warehouse, lens: Lens, settings: Settings, custom: Sequence[Feature]) -> dict[int, I64]:
    """feature_id → sorted row ids of each feature of kind `neighborhood`, int64."""
    found: dict[int, I64] = {}
    for side in SIDES:
        named = [feature for feature in custom if feature.kind == "neighborhood" and feature.side == side]
        if named:
            sentences = [feature.definition for feature in named]
            for feature, rows in zip(named, neighborhoods(lake, lens, settings, sentences, side), strict=True):
                found[feature.feature_id] = rows
    return found


@dataclass(frozen=True)
class Near:
    """The sentences nearest to one, best first: attribute_id int64 and similarity float32, and who embedded them."""

    attribute_ids: I64
    similarities: F32
    embedder: str

    def table(self) -> pa.Table:
        """Place (int64, from 0) and attribute_id, for SQL."""
        return pa.table(
            {"place": pa.array(np.arange(len(self.attribute_ids))), "attribute_id": pa.array(self.attribute_ids)}
        )


def nearest_sentences(lake: Warehouse, settings: Settings, sentence: str, side: str, k: int) -> Near:
    """The k attribute sentences of `side` nearest to `sentence`, by the embedder that made the lake's vectors.

    MissingTable when there are no vectors yet, LakeError when they are another embedder's.
    """
    table = lake.vectors("embeddings.vectors")
    query, ids, picked = _asked(lake, settings, table, [sentence], side)
    found = open_index("auto", picked.whole()).search(query, k)
    return Near(ids[found.positions[0]], found.scores[0], embedder_of(table))


def neighborhoods(lake: Warehouse, lens: Lens, settings: Settings, sentences: list[str], side: str) -> list[I64]:
    """Row ids of the neighborhood of each sentence: the k rows with the nearest attribute (design: neighbors are rows).

    k and the least similarity are settings of `correlations`. Sorted, int64.
    """
    table = lake.vectors("embeddings.vectors")
    query, ids, picked = _asked(lake, settings, table, sentences, side)
    found = open_index("auto", picked.whole()).search(query, len(ids))
    postings = _postings(lens, ids, side)
    rows = []
    for positions, scores in zip(found.positions, found.scores, strict=True):
        of_sentence = np.full(len(ids), np.nan, np.float32)
        of_sentence[positions] = scores
        limits = settings.correlations
        near = nearest_rows(of_sentence, postings, limits.neighborhood_rows, limits.neighborhood_similarity)
        rows.append(np.sort(postings.row_ids[near.rows]))
    return rows


class _Asked(NamedTuple):
    query: F32
    ids: I64
    picked: Picked


def _asked(lake: Warehouse, settings: Settings, table: LanceTable, sentences: list[str], side: str) -> _Asked:
    embedder = get_embedder(embedder_of(table), settings.embeddings.device)  # the lake's own, whatever the settings say
    if not is_from(table, embedder):
        raise LakeError(
            f"the embedder {embedder.name} is not the one that made this lake's vectors (other weights or products)",
            "build them again: chunky build",
        )
    with Lens(lake, settings) as lens:
        of_side = lens.table("select attribute_id from attributes.texts where side = ?", [side])[
            "attribute_id"
        ].to_numpy()
    ids = table.ids()
    places = np.flatnonzero(np.isin(ids, of_side)).astype(np.int64)
    return _Asked(embedder.encode(sentences), ids[places], Picked(table, places))


def _postings(lens: Lens, ids: I64, side: str) -> Postings:
    """Which rows have which sentence, sentences in the order of `ids`."""
    with lens.registered(asked=pa.table({"attribute_id": pa.array(ids), "place": pa.array(np.arange(len(ids)))})):
        pairs = frame_of(
            lens.table(
                "select place, row_id from attributes.row_attributes inner join asked using (attribute_id) "
                "where side = ? order by place, row_id",
                [side],
            )
        )
    row_ids, rows = np.unique(pairs["row_id"].to_numpy(), return_inverse=True)
    offsets = np.searchsorted(pairs["place"].to_numpy(), np.arange(len(ids) + 1)).astype(np.int64)
    return Postings(offsets, rows.astype(np.int64), row_ids)
