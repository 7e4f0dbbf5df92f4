"""TURF over a lake: sentences from the vectors, everything after that from SQL (paper: section 4.1, appendix D.1).

A `Tracer` is opened once and traces any number of failures: what does not depend on the failure (the fitted attributes,
the vectors of the sentences) is read once. Cruxes that failures share have their neighbors found once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import polars as pl

from chunky import turf
from chunky.errors import MissingTable
from chunky.files import sql_text
from chunky.lens import Lens
from chunky.pipeline.frame import frame_of
from chunky.pipeline.trace_cruxes import RulesExtractor, echoes_of, weighed, with_clusters
from chunky.pipeline.trace_vectors import SentenceVectors
from chunky.settings import Settings
from chunky.turf import Failure
from chunky.warehouse import Warehouse

NEEDED = ("attributes.texts", "embeddings.vectors", "clusters.postings", "clusters.summaries", "turf.null_hits")

_SENTENCES = """
select attribute_id, texts.side, attribute, family, texts.rows, cluster_id, cluster_similarity
from attributes.texts as texts inner join clusters.assignments using (attribute_id)
order by attribute_id
"""
_NAMES = """
select cluster_id, coalesce(cluster_name, cluster) as cluster_name
from clusters.summaries left join clusters.names using (cluster_id)
"""


class Method(NamedTuple):
    """How cruxes are chosen and triggers ranked; `is_gated`: small, weak and common ones are left out."""

    kind: str
    ranking: str
    is_gated: bool


METHODS = {
    "joint": Method("same attribute", "score", True),
    "paper": Method("similar attributes", "hits", False),
}


class Traces(NamedTuple):
    """All that a tracer found: frames in the columns of the tables `turf.*` of the same names, but `audit`."""

    failures: pl.DataFrame
    failure_attributes: pl.DataFrame
    cruxes: pl.DataFrame
    neighbors: pl.DataFrame
    cluster_hits: pl.DataFrame
    triggers: pl.DataFrame
    evidence: pl.DataFrame
    traces: pl.DataFrame


class Tracer:
    """Traces failures over one lake; a context manager.

    Raises MissingTable for a lake that lacks a table of `NEEDED`, LakeError for vectors of another embedder.
    """

    def __init__(self, lake: Warehouse, settings: Settings) -> None:
        for name in NEEDED:
            if not lake.parts(name):
                raise MissingTable(f"{name} is not built yet", "build it: chunky build")
        self._settings = settings
        self._lens = Lens(lake, settings)
        self._sentences = frame_of(self._lens.table(_SENTENCES))
        self._names = frame_of(self._lens.table(_NAMES))
        self._vectors = SentenceVectors(lake, settings, self._sentences)
        self._extract = RulesExtractor(self._lens)

    def __enter__(self) -> Tracer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self._lens.close()

    def trace(self, failures: Sequence[Failure], method: str = "") -> Traces:
        """Trace failures; `method` is one of `METHODS`, by default that of the settings."""
        started = time.perf_counter()
        limits = self._settings.turf
        named = method or limits.method
        how = METHODS[named]
        attributes = with_clusters(self._extract(failures), self._sentences, self._vectors)
        candidates = weighed(failures, attributes, self._vectors, how.kind)
        wanted = attributes.filter(pl.col("side") == "query")
        with self._seen(near_sentences=self._near(candidates, how), candidate_clusters=wanted.select("cluster_id")):
            neighbors = self._model("turf.neighbors", k=limits.k)
            with self._seen(new_neighbors=neighbors):
                cruxes = _sized(candidates, self._model("turf.cruxes"), limits.k)
                hits = self._model("turf.cluster_hits")
                echoes = echoes_of(wanted, cruxes, self._vectors)
                with self._seen(query_attributes=wanted, new_cruxes=cruxes, new_hits=hits, echoes=echoes):
                    triggers = self._triggers(how)
                    with self._seen(new_triggers=triggers):
                        evidence = self._model("turf.evidence", evidence_rows=limits.evidence_rows)
                        triggers = triggers.join(
                            self._model("turf.extents"), on=["failure_id", "trigger_rank"], how="left",
                            maintain_order="left",
                        )  # fmt: skip
        cruxes = turf.ranked_cruxes(cruxes, triggers, limits.cruxes)
        triggers = self._told(triggers, cruxes)
        given = pl.DataFrame([_row(each) for each in failures], schema=_FAILURE, orient="row")
        traces = turf.verdicts(given, cruxes, triggers, limits.min_hits).with_columns(
            method=pl.lit(named),
            engine=pl.lit(self._vectors.engine),
            seconds=pl.lit((time.perf_counter() - started) / max(1, len(failures))),
        )
        kept = cruxes.select("crux_id").unique()
        return Traces(
            given,
            attributes,
            cruxes,
            neighbors.join(kept, on="crux_id", how="semi", maintain_order="left"),
            hits.join(kept, on="crux_id", how="semi", maintain_order="left"),
            triggers,
            evidence,
            traces,
        )

    @contextmanager
    def _seen(self, **frames: pl.DataFrame) -> Iterator[None]:
        with self._lens.registered(**{name: frame.to_arrow() for name, frame in frames.items()}):
            yield

    def _model(self, name: str, **parameters: Any) -> pl.DataFrame:
        self._lens.set(parameters)
        return frame_of(self._lens.table(sql_text(name)))

    def _near(self, candidates: pl.DataFrame, how: Method) -> pl.DataFrame:
        """crux_id, cluster_id, attribute_id, similarity, sentence_rows of the sentences whose rows are neighbors."""
        known = self._sentences.select("attribute_id", "cluster_id", sentence_rows="rows")
        distinct = candidates.select("crux_id", "attribute_id").unique().sort("crux_id")
        if how.kind == "same attribute":
            return distinct.join(known, on="attribute_id").with_columns(similarity=pl.lit(1.0))
        limits = self._settings.turf
        near = self._vectors.nearest(
            self._vectors.of(distinct["attribute_id"].to_numpy()), limits.k, limits.min_similarity
        )
        return near.with_columns(crux_id=distinct["crux_id"].gather(near["place"])).drop("place")

    def _triggers(self, how: Method) -> pl.DataFrame:
        limits = self._settings.turf
        return self._model(
            "turf.triggers",
            ranking=how.ranking,
            min_hits=limits.min_hits if how.is_gated else 1,
            min_lift=limits.min_lift if how.is_gated else 0.0,
            max_cluster_share=limits.max_cluster_share if how.is_gated else 1.0,
            max_crux_share=limits.max_crux_share if how.is_gated else 1.0,
            max_null_share=limits.max_null_share if how.is_gated else 1.0,
            min_score=limits.min_score if how.is_gated else 0.0,
            most_triggers=limits.triggers,
        )

    def _told(self, triggers: pl.DataFrame, cruxes: pl.DataFrame) -> pl.DataFrame:
        ranks = cruxes.select("failure_id", "crux_id", "crux_rank")
        told = triggers.join(ranks, on=["failure_id", "crux_id"], maintain_order="left")
        shares = (pl.col("chunk_counts") / pl.col("both_rows")).alias("chunk_shares")
        rate = (pl.col("both_rows") / pl.col("cluster_rows")).alias("p_behavior_given_trigger")
        return told.join(self._names, on="cluster_id", how="left", maintain_order="left").with_columns(shares, rate)


_FAILURE = {
    "failure_id": pl.Int64,
    "rubric": pl.String,
    "violation": pl.String,
    "query": pl.String,
    "response": pl.String,
}


def _row(failure: Failure) -> tuple[int, str, str, str, str]:
    return failure.failure_id, failure.rubric.name, failure.rubric.principle, failure.query, failure.response


def _sized(candidates: pl.DataFrame, sizes: pl.DataFrame, k: int) -> pl.DataFrame:
    """Candidates with k, and how many neighbors and rows each has; 0 for a crux that nothing in the mix is near."""
    sized = candidates.join(sizes, on="crux_id", how="left", maintain_order="left")
    return sized.with_columns(
        pl.lit(k, pl.Int32).alias("k"), pl.col("neighbors", "tied_rows", "crux_rows").fill_null(0)
    )
