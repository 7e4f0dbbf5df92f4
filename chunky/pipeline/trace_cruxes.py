"""The attributes of failures, and which of those of the response may be the crux (appendix D.1.2, two judges).

Judge 1 is the extractor: it sees a text alone. Judge 2 knows the rubric: a model picks three, or the rules weigh all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from chunky import turf
from chunky.attributes import Fitted, extract_pairs
from chunky.lens import Lens
from chunky.pipeline.trace_vectors import SentenceVectors
from chunky.turf import Failure

_PAPER_ATTRIBUTES = 10  # appendix D.1.1
_CANDIDATE = {
    "failure_id": pl.Int64, "attribute_id": pl.Int64, "crux": pl.String, "crux_id": pl.Int64, "crux_kind": pl.String,
    "crux_weight": pl.Float64, "rubric_similarity": pl.Float64, "query_similarity": pl.Float64,
    "top_relevance": pl.Float64,
}  # fmt: skip


class RulesExtractor:
    """Attributes of failures by the vocabulary that was fitted to the mix."""

    def __init__(self, lens: Lens) -> None:
        tables = {name: lens.table(f"select * from attributes.{name}") for name in ("texts", "words", "topics")}
        self._fitted = Fitted.load(tables)

    def __call__(self, failures: Sequence[Failure]) -> pl.DataFrame:
        """failure_id, side, attribute_rank, attribute, family, attribute_id of every attribute that holds."""
        found = extract_pairs([each.query for each in failures], [each.response for each in failures], self._fitted)
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


def weighed(failures: Sequence[Failure], attributes: pl.DataFrame, vectors: SentenceVectors, kind: str) -> pl.DataFrame:
    """Every attribute of a response that some row of the mix has, as a candidate with its weight, in `_CANDIDATE`.

    `attributes` has failure_id, side, attribute, attribute_id; candidates of weight 0 are left out.
    """
    behaviors = {each.failure_id: turf.behaviors_of(each.rubric) for each in failures}
    mine = attributes.filter(pl.col("side") == "response")
    is_known = vectors.has(mine["attribute_id"])
    strange = mine.filter(~is_known)["attribute"].unique().to_list()  # no row of the mix has them, but they may be it
    texts = list(dict.fromkeys([text for told in behaviors.values() for text in told] + [f.query for f in failures]))
    encoded = dict(zip([*texts, *strange], vectors.encode([*texts, *strange]), strict=True)) if failures else {}
    known = mine.filter(is_known).select("attribute_id", "attribute").unique("attribute_id").sort("attribute_id")
    encoded |= dict(zip(known["attribute"], vectors.of(known["attribute_id"].to_numpy()), strict=True))
    cruxes = {text: turf.crux_id(kind, text) for text in known["attribute"].to_list()}
    parts = [pl.DataFrame(schema=_CANDIDATE)]
    for (failure_id,), own in mine.with_columns(is_known=is_known).group_by("failure_id", maintain_order=True):
        query = next(each.query for each in failures if each.failure_id == failure_id)
        told = turf.weigh(
            np.stack([encoded[text] for text in own["attribute"].to_list()]),
            np.stack([encoded[text] for text in behaviors[failure_id]]),
            encoded[query],
        )
        candidates = own.with_columns(
            pl.Series(name, values, dtype=pl.Float64) for name, values in told._asdict().items()
        ).filter("is_known").with_columns(
            crux=pl.col("attribute"),
            crux_id=pl.col("attribute").replace_strict(cruxes, default=None, return_dtype=pl.Int64),
            crux_kind=pl.lit(kind),
        )  # fmt: skip
        parts.append(candidates.select(*_CANDIDATE))
    return pl.concat(parts).filter(pl.col("crux_weight") > 0)


def echoes_of(attributes: pl.DataFrame, cruxes: pl.DataFrame, vectors: SentenceVectors) -> pl.DataFrame:
    """failure_id, crux_id, attribute_rank and echo: cosine of each query attribute and each crux of a failure.

    Sentences that no row of the mix has are left out; they count as no echo.
    """
    schema = {"failure_id": pl.Int64, "crux_id": pl.Int64, "attribute_rank": pl.Int32, "echo": pl.Float64}
    queries = attributes.filter(vectors.has(attributes["attribute_id"]))
    ids = pl.concat([queries["attribute_id"], cruxes["attribute_id"]]).unique().sort()
    places = {attribute: place for place, attribute in enumerate(ids.to_list())}
    rows = vectors.of(ids.to_numpy())
    parts = [pl.DataFrame(schema=schema)]
    by_failure = {key[0]: part for key, part in cruxes.group_by("failure_id")}
    for (failure,), own in queries.group_by("failure_id"):
        mine = by_failure.get(failure)
        if mine is None:
            continue
        left, right = (rows[[places[each] for each in part["attribute_id"].to_list()]] for part in (own, mine))
        pairs = own.select("failure_id", "attribute_rank").join(mine.select("crux_id"), how="cross")
        parts.append(pairs.with_columns(echo=pl.Series((left @ right.T).ravel(), dtype=pl.Float64)).select(*schema))
    return pl.concat(parts)
