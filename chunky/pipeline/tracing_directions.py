"""Half a trace, from one sentence: what cues a behavior in the whole mix, and what a cue brings. No failure is needed.

The counts are those of traces (`sql/turf/`), with every cluster of the other side as a candidate. A trace asks one
failing query; here the mix answers by itself, so that what stands first is what the mix teaches most.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from chunky import turf
from chunky.errors import InputError, MissingTable
from chunky.files import sql_text
from chunky.lens import Lens
from chunky.pipeline.frame import frame_of
from chunky.pipeline.trace_sentences import look_up
from chunky.pipeline.trace_vectors import SentenceVectors
from chunky.sections import Turf
from chunky.settings import Settings
from chunky.warehouse import Warehouse

SAME, SIMILAR = "same attribute", "similar attributes"
NEEDED = ("attributes.texts", "embeddings.vectors", "clusters.postings", "clusters.summaries")
_LONGEST = 10_000  # characters: more is no sentence

_SENTENCES = """
select attribute_id, texts.side, attribute, texts.rows, cluster_id
from attributes.texts as texts inner join clusters.assignments using (attribute_id)
order by attribute_id
"""
_CLUSTERS = """
select cluster_id, cluster, coalesce(cluster_name, cluster) as cluster_name
from clusters.summaries left join clusters.names using (cluster_id)
where summaries.side = ?
"""
# clusters with one digest have the same neighbors: where they have as many rows too, they are one set under many names
_DIGESTS = """
select cluster_id, bit_xor(hash(row_id)) as hit_digest
from (
    select distinct cluster_id, row_id
    from clusters.postings
    inner join candidate_clusters using (cluster_id)
    inner join new_neighbors using (row_id)
)
group by all
"""


class Direction(NamedTuple):
    """What goes with a sentence about one side: clusters of the other, best first, echoes last.

    Clusters with the same rows are one partner; `also` has the names of the others.

    `rows`, `neighbors`, `tied_rows` and `min_similarity` are those of `turf.cruxes` (`rows`: its crux_rows).
    `is_common` says that the sentence holds in more of the mix than a cue or a behavior may: nothing was ranked.
    `partners` has rank, cluster_id, cluster_name, hits, neighbors, expected, lift, trigger_score, cluster_rows,
    both_rows, p_behavior_given_trigger, chunks, chunk_shares, is_echo and also.
    """

    side: str
    kind: str
    k: int
    rows: int
    neighbors: int
    tied_rows: int
    min_similarity: float | None
    row_share: float
    is_common: bool
    engine: str
    partners: pl.DataFrame


def goes_with(lake: Warehouse, settings: Settings, sentence: str, side: str, most: int) -> Direction:
    """The `most` clusters of the other side that go with `sentence`, which is about `side`, beyond expectation.

    A sentence of the mix stands for its very rows; another one for the k rows whose sentences are nearest to it.
    Settings of the section `turf` bound what counts, as in traces, but for the null, which traces alone have.
    Raises MissingTable before the lake is built, InputError for a sentence that is empty or no sentence, LakeError for
    vectors of another embedder.
    """
    if not sentence.strip() or len(sentence) > _LONGEST:
        problem = f"the sentence has {len(sentence):,} characters" if sentence.strip() else "the sentence is empty"
        raise InputError(problem, f"say in a sentence what a {side} is like: “The {side} …”")
    for name in NEEDED:
        if not lake.parts(name):
            raise MissingTable(f"{name} is not built yet", "build it: chunky build")
    with Lens(lake, settings) as lens:
        return _answer(lens, lake, settings, sentence, side, most)


def _answer(lens: Lens, lake: Warehouse, settings: Settings, sentence: str, side: str, most: int) -> Direction:
    limits, other = settings.turf, "query" if side == "response" else "response"
    sentences = frame_of(lens.table(_SENTENCES))
    vectors = SentenceVectors(lake, settings, sentences, side)
    kind, near = _near(sentences, vectors, sentence, side, limits)
    clusters = frame_of(lens.table(_CLUSTERS, [other]))
    mix_rows = lake.rows("corpus.rows")
    look_up(lens)
    with lens.registered(near_sentences=near.to_arrow(), candidate_clusters=clusters.to_arrow()):
        lens.set({"k": limits.k, "mix_rows": mix_rows})
        neighbors = lens.table(sql_text("turf.neighbors"))
        with lens.registered(new_neighbors=neighbors):
            (crux,) = lens.table(sql_text("turf.cruxes")).to_pylist() or [_NOTHING]
            hits = frame_of(lens.table(sql_text("turf.cluster_hits")))
            hits = hits.join(frame_of(lens.table(_DIGESTS)), on="cluster_id")
        row_share = crux["crux_rows"] / max(1, mix_rows)
        is_common = row_share > (limits.max_crux_share if side == "response" else limits.max_cluster_share)
        ranked = _ranked(hits, clusters, sentence, side, mix_rows, limits).head(0 if is_common else most)
        partners = _with_extents(lens, ranked, crux, side)
    return Direction(
        side, kind, limits.k, crux["crux_rows"], crux["neighbors"], crux["tied_rows"], crux["min_similarity"],
        row_share, is_common, vectors.engine, partners,
    )  # fmt: skip


_NOTHING: dict[str, Any] = {"crux_id": 0, "crux_rows": 0, "neighbors": 0, "tied_rows": 0, "min_similarity": None}


def _near(
    sentences: pl.DataFrame, vectors: SentenceVectors, sentence: str, side: str, limits: Turf
) -> tuple[str, pl.DataFrame]:
    """How the rows of the sentence are found, and by which sentences: the columns that `turf.neighbors` reads."""
    wanted = _evened(sentence)
    same = sentences.filter(
        (pl.col("side") == side)
        & pl.Series([_evened(text) == wanted for text in sentences["attribute"]], dtype=pl.Boolean)
    )
    if not same.is_empty():
        near = same.head(1).select("cluster_id", "attribute_id", similarity=pl.lit(1.0), sentence_rows="rows")
        kind = SAME
    else:
        near = vectors.nearest(vectors.encode([sentence]), limits.k, limits.min_similarity).drop("place")
        kind = SIMILAR
    return kind, near.with_columns(crux_id=pl.lit(turf.crux_id(kind, sentence), pl.Int64))


def _evened(sentence: str) -> str:
    """A sentence without what people leave out when they type it: case, the full stop, curly quotes, odd spaces."""
    plain = sentence.replace("“", '"').replace("”", '"').casefold()
    return " ".join(plain.split()).removesuffix(".")


def _ranked(
    hits: pl.DataFrame, clusters: pl.DataFrame, sentence: str, side: str, mix_rows: int, limits: Turf
) -> pl.DataFrame:
    """Clusters that pass the gates of traces, by trigger_score, echoes last."""
    most = limits.max_cluster_share if side == "response" else limits.max_crux_share
    passing = hits.filter(
        (pl.col("hits") >= limits.min_hits) & (pl.col("lift") >= limits.min_lift)
        & (pl.col("cluster_rows") <= most * mix_rows)
    ).join(clusters, on="cluster_id")  # fmt: skip
    pairs = [(text, sentence) if side == "response" else (sentence, text) for text in passing["cluster"]]
    echoes = pl.Series("is_echo", [turf.is_echo(*pair) for pair in pairs], dtype=pl.Boolean)
    length = pl.col("cluster_name").str.len_chars()  # of several names of one set the longest says most
    ordered = passing.with_columns(echoes).sort(
        ["is_echo", "trigger_score", length, "cluster_id"], descending=[False, True, True, False]
    )
    named = ordered.group_by("hit_digest", "cluster_rows", "is_echo", maintain_order=True).agg(
        pl.exclude("cluster_name").first(),
        pl.col("cluster_name").first(),
        also=pl.col("cluster_name").slice(1),
    )
    return named.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32))


def _with_extents(lens: Lens, ranked: pl.DataFrame, crux: dict[str, Any], side: str) -> pl.DataFrame:
    """The same with rows that carry both, of which chunks, and how many of the rows with the trigger they are."""
    triggers = ranked.select(
        "crux_id", "cluster_id", pl.lit(0, pl.Int64).alias("failure_id"), pl.col("rank").alias("trigger_rank")
    )
    cruxes = pl.DataFrame([crux]).select(pl.col("crux_id").cast(pl.Int64), pl.col("min_similarity").cast(pl.Float64))
    with lens.registered(new_triggers=triggers.to_arrow(), new_cruxes=cruxes.to_arrow()):
        extents = frame_of(lens.table(sql_text("turf.extents")))
    triggered = pl.col("cluster_rows") if side == "response" else pl.lit(crux["crux_rows"])
    return (
        ranked.join(extents, left_on="rank", right_on="trigger_rank", how="left", maintain_order="left")
        .with_columns(
            p_behavior_given_trigger=pl.col("both_rows") / triggered,
            chunk_shares=pl.col("chunk_counts") / pl.col("both_rows"),
        )
        .select(
            "rank", "cluster_id", "cluster_name", "hits", "neighbors", "expected", "lift", "trigger_score",
            "cluster_rows", "both_rows", "p_behavior_given_trigger", "chunks", "chunk_shares", "is_echo",
            "also",
        )
    )  # fmt: skip
