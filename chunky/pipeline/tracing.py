"""TURF over a lake: sentences from the vectors, everything after that from SQL (paper: section 4.1, appendix D.1).

A `Tracer` is opened once and traces any number of failures: what does not depend on the failure (the fitted attributes,
the vectors of the sentences) is read once. Cruxes that failures share have their neighbors found once. Where a model
described the mix, it describes the failure too (`trace_models`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import polars as pl

from chunky import turf
from chunky.devices import pick
from chunky.errors import ChunkyError, EngineError, MissingTable
from chunky.files import sql_text
from chunky.lens import Lens
from chunky.pipeline.frame import frame_of
from chunky.pipeline.trace_cruxes import (
    CANDIDATE,
    SAME,
    SIMILAR,
    RulesExtractor,
    echoes_of,
    vectors_of,
    weighed,
    with_clusters,
    with_kinds,
)
from chunky.pipeline.trace_models import ATTRIBUTES, Failed, Judges, Told, same_extractor
from chunky.pipeline.trace_sentences import KINDS, ResponseSentences, look_up
from chunky.pipeline.trace_vectors import SentenceVectors
from chunky.settings import RULES, Settings
from chunky.turf import Failure, Unusable
from chunky.warehouse import Warehouse

NEEDED = (
    "attributes.texts",
    "embeddings.vectors",
    "embeddings.row_sentences",
    "clusters.postings",
    "clusters.summaries",
    "turf.null_hits",
)

_CANDIDATES = 10  # triggers looked at for each that is told: a planted phrase came as up to twenty fragments

_SENTENCES = """
select attribute_id, texts.side, attribute, family, texts.rows, cluster_id, cluster_similarity
from attributes.texts as texts inner join clusters.assignments using (attribute_id)
order by attribute_id
"""
_NEIGHBORHOODS = "select count(distinct crux_id) as neighborhoods from turf.null_hits"
_NAMES = """
select cluster_id, coalesce(cluster_name, cluster) as cluster_name
from clusters.summaries left join clusters.names using (cluster_id)
"""


class Method(NamedTuple):
    """How cruxes are chosen and triggers ranked; `is_gated`: small, weak and common ones are left out.

    `is_plain`: as the paper has it, with ten attributes of a side, three cruxes that a judge picks, the k nearest
    however near they are, and either reading of equations 3 and 4.
    """

    kind: str
    ranking: str
    is_gated: bool
    is_plain: bool


METHODS = {
    "joint": Method(SAME, "score", is_gated=True, is_plain=False),
    "paper": Method(SIMILAR, "hits", is_gated=False, is_plain=True),
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


def in_batches(failures: Sequence[Failure], most: int) -> Iterator[Sequence[Failure]]:
    """Batches of `most` failures, the last smaller or one larger: where there are several, none is traced alone.

    An answer that fails is an error where there is one failure, which must not end the others.
    """
    starts = range(0, max(1, len(failures) - 1), most) if failures else ()
    for start, end in pairwise([*starts, len(failures)]):
        yield failures[start:end]


def remember(lens: Lens) -> None:
    """What the models of `sql/turf/` ask for whatever the failure: sizes as variables, and the null in memory."""
    (null,) = lens.table(_NEIGHBORHOODS).to_pylist()
    lens.set({"mix_rows": lens.lake.rows("corpus.rows"), **null})
    lens.keep("null_levels", sql_text("turf.null_levels"))
    lens.connection.execute("set parquet_metadata_cache = true")  # files of a lake never change


class Tracer:
    """Traces failures over one lake; a context manager.

    `untraced` has the failures so far that a model gave no usable answer about, with the reason; no frame of any trace
    speaks of them.

    Raises MissingTable for a lake that lacks a table of `NEEDED`, LakeError for vectors of another embedder,
    SettingsError or PrerequisiteError where a model is needed and not named, or cannot be called.
    """

    def __init__(self, lake: Warehouse, settings: Settings) -> None:
        for name in NEEDED:
            if not lake.parts(name):
                raise MissingTable(f"{name} is not built yet", "build it: chunky build")
        self.untraced: list[Unusable] = []
        self._settings = settings
        self._lens = Lens(lake, settings)
        remember(self._lens)
        self._sentences = frame_of(self._lens.table(_SENTENCES))
        self._names = frame_of(self._lens.table(_NAMES))
        self._vectors = SentenceVectors(lake, settings, self._sentences)
        self._is_by_model = "model" in self._sentences["family"]
        self._judges = Judges(lake, settings, self._vectors)
        try:
            self._judges.open("crux_picker")
            if self._is_by_model:
                same_extractor(lake, settings)
                self._judges.open("extractor")
            else:
                self._rules = RulesExtractor(self._lens)
            topics = None if self._is_by_model else self._rules.fitted.response.topics
            self._responses = ResponseSentences(lake, self._lens, settings, topics, pick(settings.embeddings.device))
        except ChunkyError:
            self.close()
            raise

    def __enter__(self) -> Tracer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self._judges.close()
        self._lens.close()

    def trace(self, failures: Sequence[Failure], method: str = "") -> Traces:
        """Trace failures; `method` is one of `METHODS`, by default that of the settings.

        Several are independent of each other: one that a model gives no usable answer about is left out, and told in
        `untraced`.

        Raises:
            EngineError: the only failure is such a one, or no call of a model can succeed any more.
            BudgetError: the models may spend no more.

        """
        started = time.perf_counter()
        limits = self._settings.turf
        named = method or limits.method
        how = METHODS[named]
        given, attributes, candidates = self._judged(failures, how)
        wanted = attributes.filter(pl.col("side") == "query")
        like = self._responses.near(given, candidates, limits.k, limits.sentence_similarity)
        look_up(self._lens, like)
        is_said = pl.col("crux_kind").is_in(list(KINDS.values()))
        candidates = candidates.filter(~is_said | pl.col("crux_id").is_in(like["crux_id"].implode()))
        with self._seen(near_sentences=self._near(candidates, how), candidate_clusters=wanted.select("cluster_id")):
            reading = limits.reading if how.is_plain else "rows"
            neighbors = self._model("turf.neighbors", k=limits.k, reading=reading)
            with self._seen(new_neighbors=neighbors):
                cruxes = _sized(candidates, self._model("turf.cruxes"), limits.k)
                hits = self._model("turf.cluster_hits")
                # rules say of a query what no row of the mix has, and that is no echo
                heard = wanted if self._is_by_model else wanted.filter(self._vectors.has(wanted["attribute_id"]))
                echoes = echoes_of(heard, cruxes, self._vectors)
                with self._seen(query_attributes=wanted, new_cruxes=cruxes, new_hits=hits, echoes=echoes):
                    triggers = self._triggers(how._replace(ranking="pairs") if reading == "pairs" else how)
                    triggers, evidence = self._supported(triggers, how)
                    with self._seen(new_triggers=triggers):
                        triggers = triggers.join(
                            self._model("turf.extents"), on=["failure_id", "trigger_rank"], how="left",
                            maintain_order="left",
                        )  # fmt: skip
        every, cruxes = cruxes, turf.ranked_cruxes(cruxes, triggers, limits.cruxes)
        triggers = self._told(triggers, cruxes)
        told = pl.DataFrame([_row(each) for each in given], schema=_FAILURE, orient="row")
        traces = turf.verdicts(told, every, triggers, limits.min_hits).with_columns(
            method=pl.lit(named),
            engine=pl.lit(self._vectors.engine),
            seconds=pl.lit((time.perf_counter() - started) / max(1, len(failures))),
        )
        kept = cruxes.select("crux_id").unique()
        return Traces(
            told,
            attributes,
            cruxes,
            neighbors.join(kept, on="crux_id", how="semi", maintain_order="left"),
            hits.join(kept, on="crux_id", how="semi", maintain_order="left"),
            triggers,
            evidence,
            traces,
        )

    def _judged(self, failures: Sequence[Failure], how: Method) -> tuple[list[Failure], pl.DataFrame, pl.DataFrame]:
        """The failures that both judges have spoken about, their attributes and their cruxes."""
        described = self._judges.describe(failures) if self._is_by_model else Told(self._rules(failures), {})
        ten = pl.col("attribute_rank") <= ATTRIBUTES
        attributes = described.frame.filter(ten) if how.is_plain else described.frame
        given = [each for each in failures if each.failure_id not in described.failed]
        candidates, failed = self._candidates(given, attributes.filter(_is_not_of(described.failed)), how)
        failed = described.failed | failed
        if failed and len(failures) == 1:
            raise EngineError(
                f"the failure “{failures[0].query[:80]}” cannot be traced: {failed[failures[0].failure_id]}",
                "trace it again: what was answered is kept; the calls are told by chunky cost and in llm.calls",
            )
        self.untraced += [
            Unusable(None, failed[each.failure_id], each.query, each.response, each.rubric.name)
            for each in failures
            if each.failure_id in failed
        ]
        given = [each for each in given if each.failure_id not in failed]
        attributes = with_clusters(attributes.filter(_is_not_of(failed)), self._sentences, self._vectors)
        return given, attributes, candidates

    def _candidates(self, failures: Sequence[Failure], attributes: pl.DataFrame, how: Method) -> Told:
        """The cruxes of `failures`, in columns of `CANDIDATE`: those that a judge picks of ten, or all with weights."""
        is_picked = how.is_plain or self._settings.model("crux_picker") != RULES
        limits = self._settings.turf
        least = limits.min_hits if is_picked or self._is_by_model else 1
        most = limits.max_crux_share * self._lens.lake.rows("corpus.rows")
        cruxes = with_kinds(attributes, self._sentences, how.kind, least, most)
        if is_picked:
            picked = self._judges.pick(failures, cruxes.filter(pl.col("attribute_rank") <= ATTRIBUTES))
            return picked._replace(frame=picked.frame.select(*CANDIDATE))
        if how.kind == SAME and limits.sentence_similarity <= 1:
            cruxes = pl.concat([cruxes, self._responses.cruxes(failures)], how="diagonal")
        found = weighed(failures, cruxes, self._vectors)
        # what rules say and no row of the mix has is weighed, as it may be the very crux, and has no neighbors
        return Told(found if self._is_by_model else found.filter(pl.col("crux_kind") != SIMILAR), {})

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
        told = candidates.select("crux_id", "crux_kind", "attribute_id", attribute="crux").unique().sort("crux_id")
        is_same, columns = pl.col("crux_kind") == SAME, ["crux_id", *known.columns, "similarity"]
        same = told.filter(is_same).join(known, on="attribute_id").with_columns(similarity=pl.lit(1.0)).select(columns)
        similar, limits = told.filter(pl.col("crux_kind") == SIMILAR), self._settings.turf
        if similar.is_empty():
            return same
        places, rows = vectors_of(similar, self._vectors)
        wanted = rows[[places[each] for each in similar["attribute_id"].to_list()]]
        near = self._vectors.nearest(wanted, limits.k, -2 if how.is_plain else limits.min_similarity)
        return pl.concat([same, near.with_columns(crux_id=similar["crux_id"].gather(near["place"])).select(columns)])

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
            most_triggers=limits.triggers * (_CANDIDATES if self._folds(how) else 1),
        )

    def _folds(self, how: Method) -> bool:
        """Whether triggers that rest on the same rows are told once; the paper's method leaves out none."""
        return how.is_gated and self._settings.turf.fold_share <= 1

    def _supported(self, triggers: pl.DataFrame, how: Method) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Triggers with their evidence, those that rest on the same rows told once."""
        limits, folds = self._settings.turf, self._folds(how)
        with self._seen(new_triggers=triggers):
            evidence = self._model("turf.evidence", evidence_rows=limits.k if folds else limits.evidence_rows)
        if folds:
            triggers, evidence = turf.told_once(triggers, evidence, share=limits.fold_share, most=limits.triggers)
        return triggers, evidence.filter(pl.col("evidence_rank") <= limits.evidence_rows)

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


def _is_not_of(failed: Failed) -> pl.Expr:
    return ~pl.col("failure_id").is_in(list(failed))


def _sized(candidates: pl.DataFrame, sizes: pl.DataFrame, k: int) -> pl.DataFrame:
    """Candidates with k, and how many neighbors and rows each has; 0 for a crux that nothing in the mix is near."""
    sized = candidates.join(sizes, on="crux_id", how="left", maintain_order="left")
    return sized.with_columns(
        pl.lit(k, pl.Int32).alias("k"), pl.col("neighbors", "tied_rows", "crux_rows").fill_null(0)
    )
