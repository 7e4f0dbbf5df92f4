"""The method on one page: one function per step, each read → call → write.

A step whose fingerprint is already in the lake does nothing and says so (`Built.is_new` is False). The command line
and the Dagster assets both call these functions; there is no second glue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from chunky import attributes, correlations, features, keywords, report, word_vectors
from chunky.corpus.duplicates import find_duplicates
from chunky.errors import QueryError
from chunky.fingerprints import digest_of
from chunky.lens import Lens
from chunky.pipeline.frame import (
    Built,
    Progress,
    chunks_of_lake,
    frame_of,
    numbered_members,
    run_step,
    silent,
    sql_step,
    texts,
)
from chunky.pipeline.model_steps import build_attributes_by_model, build_calls, build_names, nothing
from chunky.pipeline.sentence_steps import build_sentences
from chunky.pipeline.tracing_steps import build_null
from chunky.pipeline.vector_members import cluster_members, clusters_worth_a_feature, neighborhood_members
from chunky.pipeline.vectors import build_clusters, build_embeddings, build_postings
from chunky.settings import RULES, Settings
from chunky.tables import TABLES
from chunky.warehouse import Transaction, Warehouse


def build_chunks(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Describe each chunk (`corpus.chunks`)."""
    return sql_step(lake, settings, "chunks")


def build_duplicates(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Group repeated and nearly repeated rows (`corpus.duplicates`)."""

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        columns = "select row_id, content_id, chunk, system, query, response from corpus.rows"
        groups = find_duplicates(lambda: lens.batches(columns))
        transaction.write("corpus.duplicates", groups, facts)

    return run_step(lake, settings, "duplicates", work)


def build_counts(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Count the rows that hold each phrase, by chunk (`keywords.counts`)."""

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        limits = settings.keywords
        counted = keywords.count_phrases(
            lambda: texts(lake, progress), min_rows=limits.min_rows, max_tokens=limits.max_tokens
        )
        for chunk, counts in zip(counted.chunks, counted.tables(), strict=True):
            transaction.write("keywords.counts", counts, facts, (chunk,))

    return run_step(lake, settings, "counts", work)


def build_phrases(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Weigh each phrase against the rest of the mix (`keywords.phrases`)."""
    return sql_step(lake, settings, "phrases")


def minable_phrases(lens: Lens, mined_rows: int, word_rows: int | None = None) -> pl.DataFrame:
    """The phrases that mining may take, with who shares them; with `word_rows` also words in so many rows or more.

    Filtered here: at a million rows, all phrases in eight rows or more took 3 GB.
    """
    return frame_of(
        lens.table(
            "select phrase_id, side, phrase, position, tokens, rows, phrases.top_chunk, phrases.top_chunk_rows, "
            "top_chunk_share, phrase_z_score, second_chunk, second_chunk_rows, shared_z_score from keywords.phrases "
            "left join keywords.shared_phrases($mined) using (phrase_id, position) where (rows >= $mined and "
            "(position <> 'anywhere' or phrase_z_score >= $least_z or shared_z_score >= $least_z)) "
            "or (position = 'anywhere' and tokens <= 2 and rows >= $words::bigint)",
            {"mined": mined_rows, "least_z": features.MIN_Z, "words": word_rows},
        )
    )


def build_attributes(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Say in sentences what each side of each row is like (`attributes.row_attributes` and what it rests on)."""
    limits = settings.attributes
    if settings.model("extractor") != RULES:
        return build_attributes_by_model(lake, settings, progress)
    vectors = word_vectors.pick(limits.word_vectors)

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        found = attributes.extract(
            lambda: texts(lake, silent),
            minable_phrases(lens, limits.mined_min_rows, limits.word_min_rows),
            mix_rows=lake.rows("corpus.rows"),
            limits=attributes.Limits(**limits.model_dump(exclude={"word_vectors"})),
            word_vectors=vectors.load(),
            progress=progress,
        )
        for part in found.row_attributes():
            transaction.write("attributes.row_attributes", part.tables, facts, (part.chunk,))
        for name, table in found.fitted.tables().items():
            transaction.write(f"attributes.{name}", table, facts)
        transaction.write("attributes.failures", nothing("attributes.failures"), facts)

    return run_step(lake, settings, "attributes", work)


def build_features(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Define features and find the rows that belong to each (`correlations.features`, `.members`)."""
    custom = correlations.read_folder(lake.root / "features")

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        limits = settings.correlations
        mined = features.mine_phrases(
            minable_phrases(lens, limits.mined_min_rows),
            mix_rows=lake.rows("corpus.rows"),
            min_rows=limits.mined_min_rows,
            per_chunk=limits.mined_per_chunk,
            min_share=limits.mined_min_share,
        )
        clustered = clusters_worth_a_feature(lens, limits.mined_min_rows, limits.clusters)
        found = [
            *features.chunk_features(chunks_of_lake(lake)),
            *features.shape_features(),
            *mined,
            *correlations.cluster_features(clustered),
            *custom,
        ]
        members = features.find_members(found, texts(lake, progress))
        members |= {feature.feature_id: sql_members(lens, feature) for feature in custom if feature.kind == "sql"}
        members |= neighborhood_members(lake, lens, settings, custom) | cluster_members(lens, clustered)
        synonyms = correlations.fold(found, [members[f.feature_id] for f in found], limits.synonym_similarity)
        part = transaction.write("correlations.members", correlations.member_tables(members), facts)
        definitions = correlations.definition_table(found, synonyms)
        with lens.registered(
            new_features=definitions, new_members=lens.connection.read_parquet(str(lake.root / part.file))
        ):
            transaction.write("correlations.features", lens.model("correlations.features"), facts)

    return run_step(lake, settings, "features", work, {"features": digest_of([asdict(feature) for feature in custom])})


def build_pairs(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Correlate every trigger feature with every behavior feature (`correlations.pairs`)."""
    limits = settings.correlations
    return sql_step(
        lake,
        settings,
        "pairs",
        min_both_rows=limits.min_both_rows,
        min_trigger_contents=limits.min_trigger_contents,
    )


def build_findings(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Fold pairs that rest on the same rows and say each as a sentence (`report.findings`)."""

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        pairs = frame_of(lens.table("select * from correlations.pairs where score > 0 and q_value < 0.05"))
        named = frame_of(lens.table("select * from correlations.features"))
        cues = named.filter((pl.col("side") == "query") & pl.col("synonym_of").is_null())["feature_id"]
        needed = pl.concat([pairs["trigger_id"], pairs["behavior_id"], cues]).unique().sort().to_numpy()
        rows_of = numbered_members(lake, needed)
        units = frame_of(
            lens.table(
                "select if(row_number() over (partition by content_id, chunk order by row_id) = 1, "
                "dense_rank() over (order by chunk) - 1, -1)::bigint as chunk_number from corpus.rows order by row_id"
            )
        )
        found = report.findings(
            pairs,
            named,
            rows_of,
            mix_rows=lake.rows("corpus.rows"),
            similarity=settings.report.fold_similarity,
            max_findings=settings.report.max_findings,
            min_contents=settings.report.min_contents,
        )
        told = report.ranked(found, rows_of, units["chunk_number"].to_numpy())
        transaction.write("report.findings", told.select(TABLES["report.findings"].column_names).to_arrow(), facts)

    return run_step(lake, settings, "findings", work)


STEPS: dict[str, Callable[[Warehouse, Settings, Progress], Built]] = {
    "chunks": build_chunks,
    "duplicates": build_duplicates,
    "counts": build_counts,
    "phrases": build_phrases,
    "attributes": build_attributes,
    "embeddings": build_embeddings,
    "sentences": build_sentences,
    "clusters": build_clusters,
    "postings": build_postings,
    "names": build_names,
    "null": build_null,
    "features": build_features,
    "pairs": build_pairs,
    "findings": build_findings,
    "calls": build_calls,
}


def sql_members(lens: Lens, feature: features.Feature) -> npt.NDArray[np.int64]:
    """Row ids of a user's SQL feature: a predicate over the columns of corpus.rows, or a query giving row_id.

    What the query gives beside them (null, a row id that the corpus does not have) is no member.
    """
    query = feature.definition
    if not query.lstrip().lower().startswith(("select", "with", "from")):
        query = f"select row_id from corpus.rows where {query}"  # the user's own file, run as the user
    try:
        found = lens.table(  # a query may end with a comment
            "select row_id from corpus.rows where row_id in "
            f"(select given.row_id::bigint from (\n{query}\n) as given) order by row_id"
        )
    except duckdb.Error as error:
        raise QueryError(f"feature {feature.name!r}: {error}", "correct it in the lake's folder features/") from error
    return found["row_id"].to_numpy()
