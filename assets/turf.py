"""Assets of the schema `turf`: what chance finds in the mix, and the traces of audits, a partition each.

The failures of an audit come from its file in the lake's folder `failures`, else from its searches, else they are those
that were traced before.
One op makes all tables of the traces, as one transaction; between them the graph shows what follows from what.
"""

from assets.steps import audit_asset, step_asset

null = step_asset("null", "duckdb", "sql")

_SENTENCES = ("attributes.texts", "embeddings.vectors", "clusters.assignments")
_SAID = ("embeddings.sentences", "embeddings.row_sentences")
traces = audit_asset(
    "traces",
    "python",
    "duckdb",
    "sql",
    deps={
        "turf.failures": ("surf.failures",),
        "turf.failure_attributes": (
            "turf.failures", "attributes.words", "attributes.topics", "clusters.centroids", *_SENTENCES,
        ),
        "turf.cruxes": ("turf.failure_attributes", *_SENTENCES, *_SAID),
        "turf.neighbors": ("turf.cruxes", "clusters.postings", *_SENTENCES, *_SAID),
        "turf.cluster_hits": (
            "turf.neighbors", "clusters.postings", "clusters.chunks", "clusters.summaries", "corpus.rows",
        ),
        "turf.triggers": (
            "turf.failure_attributes", "turf.cluster_hits", "turf.null_hits", "clusters.names", "corpus.rows",
        ),
        "turf.evidence": ("turf.triggers", "turf.neighbors", "clusters.postings"),
        "turf.traces": ("turf.failures", "turf.cruxes", "turf.triggers"),
    },
)  # fmt: skip
