"""The attributes of failures, and which of those of the response may be the crux (appendix D.1.2, two judges).

Judge 1 is the extractor: it sees a text alone. Judge 2 knows the rubric: a picker of three, or the rules weigh all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky import turf
from chunky.attributes import extract_pairs
from chunky.lens import Lens
from chunky.pipeline.sentence_steps import fitted_of
from chunky.pipeline.trace_vectors import SentenceVectors
from chunky.tables import CRUX_KINDS
from chunky.turf import Failure

F32 = npt.NDArray[np.float32]

SAME, SIMILAR = CRUX_KINDS[:2]

CANDIDATE = {
    "failure_id": pl.Int64, "attribute_id": pl.Int64, "crux": pl.String, "crux_id": pl.Int64, "crux_kind": pl.String,
    "crux_weight": pl.Float64, "rubric_similarity": pl.Float64, "query_similarity": pl.Float64,
    "top_relevance": pl.Float64,
}  # fmt: skip


class RulesExtractor:
    """Attributes of failures by the vocabulary that was fitted to the mix."""

    def __init__(self, lens: Lens) -> None:
        self.fitted = fitted_of(lens)

    def __call__(self, failures: Sequence[Failure]) -> pl.DataFrame:
        """failure_id, side, attribute_rank, attribute, family, attribute_id of every attribute that holds."""
        found = extract_pairs([each.query for each in failures], [each.response for each in failures], self.fitted)
        ids = pl.Series("failure_id", [each.failure_id for each in failures], dtype=pl.Int64)
        return found.with_columns(ids.gather(found["pair"])).drop("pair")


def with_clusters(attributes: pl.DataFrame, sentences: pl.DataFrame, vectors: SentenceVectors) -> pl.DataFrame:
    """The same with cluster_id and cluster_similarity on the query side (equation 5), null on the other.

    A sentence of the mix has its cluster already; one that no row of it has goes to the nearest center.
    """
    is_query = pl.col("side") == "query"
    known = sentences.filter(is_query).select("attribute_id", "cluster_id", "cluster_similarity")
    told = attributes.join(known, on="attribute_id", how="left", maintain_order="left")
    strange = told.filter(is_query & pl.col("cluster_id").is_null())["attribute"].unique().sort()
    nearest = vectors.clusters_of(strange.to_list()).with_columns(attribute=strange)
    told = told.join(nearest, on="attribute", how="left", suffix="_near", maintain_order="left")
    return told.with_columns(
        pl.coalesce(name, pl.when(is_query).then(f"{name}_near")).alias(name)
        for name in ("cluster_id", "cluster_similarity")
    ).drop("cluster_id_near", "cluster_similarity_near")


def with_kinds(attributes: pl.DataFrame, sentences: pl.DataFrame, kind: str, least: int, most: float) -> pl.DataFrame:
    """The attributes of responses as cruxes: crux, crux_kind, crux_id and is_common beside the columns that are there.

    Of the kind “same attribute” are those that at least `least` rows of the mix have, where `kind` says so: a wording
    that few rows have is no neighborhood. All others have the rows of similar sentences as neighbors. What more than
    `most` rows have is common.
    """
    known = sentences.filter(pl.col("side") == "response").select("attribute_id", "rows")
    mine = attributes.filter(pl.col("side") == "response").join(
        known, on="attribute_id", how="left", maintain_order="left"
    )
    is_same = pl.lit(kind == SAME) & (pl.col("rows").fill_null(0) >= least)
    told = mine.with_columns(
        crux=pl.col("attribute"),
        crux_kind=pl.when(is_same).then(pl.lit(SAME)).otherwise(pl.lit(SIMILAR)),
        is_common=pl.col("rows").fill_null(0) > most,
    ).drop("rows")
    ids = [turf.crux_id(*each) for each in told.select("crux_kind", "crux").iter_rows()]
    return told.with_columns(pl.Series("crux_id", ids, dtype=pl.Int64))


def weighed(failures: Sequence[Failure], cruxes: pl.DataFrame, vectors: SentenceVectors) -> pl.DataFrame:
    """All `cruxes` (see `with_kinds`) with their weights, in `CANDIDATE`; those of weight 0 are left out."""
    behaviors = {each.failure_id: turf.behaviors_of(each.rubric) for each in failures}
    queries = {each.failure_id: each.query for each in failures}
    texts = list(dict.fromkeys([text for told in behaviors.values() for text in told] + list(queries.values())))
    encoded = dict(zip(texts, vectors.encode(texts), strict=True)) if failures else {}
    places, rows = vectors_of(cruxes, vectors)
    parts = [pl.DataFrame(schema=CANDIDATE)]
    for (failure_id,), own in cruxes.group_by("failure_id", maintain_order=True):
        told = turf.weigh(
            rows[[places[each] for each in own["attribute_id"].to_list()]],
            np.stack([encoded[text] for text in behaviors[int(str(failure_id))]]),
            encoded[queries[int(str(failure_id))]],
            own["is_common"].fill_null(False).to_numpy(),
        )
        weights = (pl.Series(name, values, dtype=pl.Float64) for name, values in told._asdict().items())
        parts.append(own.with_columns(weights).select(*CANDIDATE))
    return pl.concat(parts).filter(pl.col("crux_weight") > 0)


def vectors_of(sentences: pl.DataFrame, vectors: SentenceVectors) -> tuple[dict[int, int], F32]:
    """attribute_id → its row among the vectors of distinct sentences (attribute_id, attribute), float32 (n, d).

    Those of the lake are looked up, others embedded.
    """
    distinct = sentences.select("attribute_id", "attribute").unique("attribute_id").sort("attribute_id")
    is_known = vectors.has(distinct["attribute_id"])
    known, strange = distinct.filter(is_known), distinct.filter(~is_known)
    found = [vectors.of(known["attribute_id"].to_numpy())] if known.height else []
    found += [vectors.encode(strange["attribute"].to_list())] if strange.height else []
    ids = [*known["attribute_id"].to_list(), *strange["attribute_id"].to_list()]
    rows = np.concatenate(found) if found else np.zeros((0, 1), np.float32)
    return {attribute: place for place, attribute in enumerate(ids)}, rows


def echoes_of(attributes: pl.DataFrame, cruxes: pl.DataFrame, vectors: SentenceVectors) -> pl.DataFrame:
    """failure_id, crux_id, attribute_rank and echo: cosine of each of the query attributes and each crux of a failure.

    `attributes` has failure_id, attribute_rank, attribute_id, attribute; `cruxes` failure_id, crux_id, attribute_id,
    crux. What is left out counts as no echo.
    """
    schema = {"failure_id": pl.Int64, "crux_id": pl.Int64, "attribute_rank": pl.Int32, "echo": pl.Float64}
    told = cruxes.select("attribute_id", attribute="crux")
    places, rows = vectors_of(pl.concat([attributes.select("attribute_id", "attribute"), told]), vectors)
    parts = [pl.DataFrame(schema=schema)]
    by_failure = {key[0]: part for key, part in cruxes.group_by("failure_id")}
    for (failure,), own in attributes.group_by("failure_id"):
        mine = by_failure.get(failure)
        if mine is None:
            continue
        left, right = (rows[[places[each] for each in part["attribute_id"].to_list()]] for part in (own, mine))
        pairs = own.select("failure_id", "attribute_rank").join(mine.select("crux_id"), how="cross")
        parts.append(pairs.with_columns(echo=pl.Series((left @ right.T).ravel(), dtype=pl.Float64)).select(*schema))
    return pl.concat(parts)
