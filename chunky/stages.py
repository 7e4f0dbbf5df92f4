"""The stages of the lake: what each makes, from what, and which code and settings its results depend on.

Read top to bottom this is the order of a build; what an audit adds, once for each audit, comes after it. `code` (with
all that it imports and calls) and `sections` feed the fingerprint (see `chunky.fingerprints`); `reads` is the stage's
upstream, `tables` its output in order of commit.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_SEEDS = 100
"""Seeds of an audit, from 0: each is a partition of its searches, and Dagster lists them all."""


@dataclass(frozen=True)
class Stage:
    """One stage: its tables, upstream tables, code modules and settings section.

    `role` is the part that a model plays in it where the settings name one; `model_code` counts then, with the prompts.
    It runs after the tables that it `follows`, though its result is not made of them.
    """

    name: str
    meaning: str
    tables: tuple[str, ...]
    reads: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    engines: tuple[str, ...] = ("polars", "duckdb", "numpy")
    role: str = ""
    model_code: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()


STAGES: tuple[Stage, ...] = (
    Stage(
        "corpus",
        "takes input files apart into one row per assistant turn; nothing is lost silently",
        ("corpus.quarantine", "corpus.rows", "corpus.files"),
        code=("chunky.corpus",),
        sections=("corpus",),
    ),
    Stage(
        "chunks",
        "describes each source dataset",
        ("corpus.chunks",),
        reads=("corpus.rows",),
        code=("sql/corpus/chunks",),
    ),
    Stage(
        "duplicates",
        "groups repeated and nearly repeated rows across chunks",
        ("corpus.duplicates",),
        reads=("corpus.rows",),
        code=("chunky.corpus.duplicates",),
        sections=("corpus",),
    ),
    Stage(
        "counts",
        "counts the rows that hold each phrase, by chunk",
        ("keywords.counts",),
        reads=("corpus.rows",),
        code=("chunky.keywords",),
        sections=("keywords",),
    ),
    Stage(
        "phrases",
        "weighs each phrase against the rest of the mix",
        ("keywords.phrases",),
        reads=("keywords.counts", "corpus.rows"),
        code=("sql/keywords/phrases",),
    ),
    Stage(
        "attributes",
        "says in sentences what each query and each response is like, most telling first",
        (
            "attributes.row_attributes",
            "attributes.texts",
            "attributes.words",
            "attributes.topics",
            "attributes.failures",
        ),
        reads=("keywords.phrases", "keywords.counts", "corpus.rows"),
        code=("chunky.attributes", "chunky.word_vectors", "sql/macros/keywords/shared_phrases"),
        sections=("attributes",),
        engines=("polars", "numpy", "scipy"),
        role="extractor",
        model_code=("chunky.by_model.extraction",),
    ),
    Stage(
        "embeddings",
        "embeds each distinct attribute sentence once",
        ("embeddings.vectors",),
        reads=("attributes.texts",),
        code=("chunky.embeddings", "chunky.embedders"),
        sections=("embeddings",),
        engines=("numpy", "pylance", "sentence-transformers", "torch"),
    ),
    Stage(
        "sentences",
        "finds how each response opens and ends, and gives each of these sentences a vector",
        ("embeddings.sentences", "embeddings.row_sentences"),
        reads=("attributes.texts", "attributes.words", "attributes.topics", "corpus.rows"),
        code=("chunky.attributes", "chunky.embedders"),
        sections=("embeddings",),
        engines=("numpy", "polars", "pylance"),
    ),
    Stage(
        "clusters",
        "groups sentences that say nearly the same",
        ("clusters.centroids", "clusters.assignments", "clusters.summaries"),
        reads=("embeddings.vectors", "attributes.texts", "attributes.row_attributes", "corpus.rows"),
        code=("chunky.clusters", "sql/clusters/summaries"),
        sections=("clusters",),
        engines=("numpy", "polars", "duckdb", "pylance"),
    ),
    Stage(
        "postings",
        "puts the sentences of all rows in order of cluster, so that the rows of a few clusters are a short read",
        ("clusters.postings", "clusters.chunks"),
        reads=("clusters.assignments", "attributes.row_attributes"),
        code=("sql/clusters/postings", "sql/clusters/chunks"),
    ),
    Stage(
        "names",
        "names each group of sentences",
        ("clusters.names",),
        reads=("clusters.summaries", "clusters.assignments", "attributes.texts"),
        code=("chunky.clusters.naming",),
        engines=("polars",),
        role="summarizer",
        model_code=("chunky.by_model.naming",),
    ),
    Stage(
        "null",
        "counts what chance finds: query clusters among the rows of random response attributes",
        ("turf.null_hits",),
        reads=(
            "clusters.postings",
            "clusters.chunks",
            "clusters.summaries",
            "clusters.assignments",
            "attributes.texts",
            "corpus.rows",
        ),
        code=("chunky.turf.null", "sql/turf/neighbors", "sql/turf/like_rows", "sql/turf/cluster_hits"),
        sections=("turf",),
        engines=("duckdb", "polars", "numpy"),
    ),
    Stage(
        "features",
        "defines features (named sets of rows) and finds their members",
        ("correlations.members", "correlations.features"),
        reads=(
            "keywords.phrases",
            "keywords.counts",
            "corpus.rows",
            "attributes.texts",
            "attributes.row_attributes",
            "embeddings.vectors",
            "clusters.assignments",
            "clusters.summaries",
            "clusters.names",
        ),
        code=("chunky.correlations", "sql/correlations/features", "sql/macros/keywords/shared_phrases"),
        sections=("correlations", "embeddings"),
    ),
    Stage(
        "pairs",
        "correlates every trigger feature with every behavior feature",
        ("correlations.pairs",),
        reads=("correlations.members", "correlations.features", "keywords.phrases", "corpus.rows"),
        code=("sql/correlations/pairs",),
        sections=("correlations",),
    ),
    Stage(
        "findings",
        "folds pairs that rest on the same rows and says each as a sentence",
        ("report.findings",),
        reads=("correlations.pairs", "correlations.features", "correlations.members"),
        code=("chunky.report",),
        sections=("report", "correlations"),
    ),
    Stage(
        "calls",
        "copies the record of model calls from the ledger, so that SQL can ask it",
        ("llm.calls",),
        follows=("clusters.names",),
        code=("chunky.llm.books",),
        engines=(),
    ),
)

# Run for one audit at a time, which is a partition of their tables; no part of a build.
AUDIT_STAGES: tuple[Stage, ...] = (
    Stage(
        "audit",
        "writes down what is audited: the rubric, the target, and who searches",
        ("surf.audits",),
        code=("chunky.rubrics",),
        engines=(),
    ),
    Stage(
        "search",
        "searches the target for responses that violate the rubric, one seed at a time",
        ("surf.candidates", "surf.searches"),
        reads=("surf.audits", "clusters.names", "clusters.summaries", "attributes.texts", "corpus.rows"),
        code=(
            "chunky.surf.search",
            "chunky.surf.groups",
            "chunky.llm.roles.generator",
            "chunky.llm.roles.target",
            "chunky.llm.roles.judge",
        ),
        sections=("surf",),
        engines=("numpy",),
    ),
    Stage(
        "outcomes",
        "tells what the searches of an audit kept, and how they came to it",
        ("surf.buffers", "surf.weights", "surf.convergence", "surf.failures"),
        reads=("surf.audits", "surf.candidates", "surf.searches"),
        code=("chunky.surf.groups", "sql/surf/buffers", "sql/surf/weights", "sql/surf/convergence"),
        sections=("surf",),
        engines=("duckdb", "polars"),
    ),
    Stage(
        "resamples",
        "asks the target anew for responses to the failing queries, and scores them",
        ("surf.resamples",),
        reads=("surf.audits", "surf.failures"),
        code=("chunky.llm.roles.target", "chunky.llm.roles.judge"),
        sections=("surf",),
        engines=("numpy",),
    ),
    Stage(
        "rates",
        "estimates how often the target violates the rubric",
        ("surf.violation_rates",),
        reads=("surf.audits", "surf.failures", "surf.resamples"),
        code=("chunky.surf.rates",),
        sections=("surf",),
        engines=("numpy", "polars"),
    ),
    Stage(
        "agreement",
        "compares the scores of several raters",
        ("surf.ratings", "surf.agreement"),
        reads=("surf.audits", "surf.failures"),
        code=("chunky.surf.agreement", "chunky.surf.labels"),
        sections=("surf",),
        engines=("numpy", "polars"),
    ),
    Stage(
        "traces",
        "takes the failures of an audit and traces each to the rows of the mix that taught it",
        (
            "turf.failures",
            "turf.failure_attributes",
            "turf.cruxes",
            "turf.neighbors",
            "turf.cluster_hits",
            "turf.triggers",
            "turf.evidence",
            "turf.traces",
        ),
        reads=(
            "surf.failures",
            "turf.null_hits",
            "clusters.postings",
            "clusters.chunks",
            "clusters.names",
            "clusters.summaries",
            "clusters.assignments",
            "clusters.centroids",
            "embeddings.vectors",
            "embeddings.sentences",
            "embeddings.row_sentences",
            "attributes.texts",
            "attributes.words",
            "attributes.topics",
            "corpus.rows",
        ),
        code=("chunky.turf", "chunky.attributes", "chunky.clusters.assigning", "sql/turf"),
        sections=("turf",),
        engines=("duckdb", "polars", "numpy"),
    ),
    Stage(
        "confirmations",
        "finds the findings that traced failures confirm: the same rows carry both",
        ("report.confirmations",),
        reads=(
            "turf.triggers",
            "turf.neighbors",
            "clusters.postings",
            "report.findings",
            "correlations.members",
        ),
        code=("sql/report/confirmations",),
        sections=("report",),
        engines=("duckdb",),
    ),
)

BY_TABLE: dict[str, Stage] = {name: stage for stage in STAGES + AUDIT_STAGES for name in stage.tables}


def stage(name: str) -> Stage:
    """The stage called `name`; KeyError when there is none."""
    return {stage.name: stage for stage in STAGES + AUDIT_STAGES}[name]
