"""The steps of TURF: the null of a mix, and the traces of an audit."""

from __future__ import annotations

import polars as pl

from chunky.files import sql_text
from chunky.lens import Lens
from chunky.pipeline.frame import Built, Progress, frame_of, run_step, silent
from chunky.pipeline.trace_cruxes import SAME
from chunky.pipeline.trace_sentences import look_up
from chunky.settings import Settings
from chunky.turf.cruxes import crux_id
from chunky.turf.null import draw
from chunky.warehouse import Transaction, Warehouse

_SENTENCES = """
select attribute_id, texts.side, attribute, texts.rows, cluster_id
from attributes.texts as texts inner join clusters.assignments using (attribute_id)
"""


def build_null(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Count query clusters in the neighborhoods of random response attributes (`turf.null_hits`)."""
    limits = settings.turf

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        rows = lake.rows("corpus.rows")
        drawn = draw(
            frame_of(lens.table(_SENTENCES)), limits.null_neighborhoods, least=limits.min_hits,
            most=int(limits.max_crux_share * rows), seed=limits.seed,
        )  # fmt: skip
        near = drawn.select(
            pl.Series("crux_id", [crux_id(SAME, text) for text in drawn["attribute"]], dtype=pl.Int64),
            "cluster_id", "attribute_id", pl.lit(1.0).alias("similarity"),
        )  # fmt: skip
        clusters = lens.table(
            "select cluster_id from clusters.summaries where side = 'query' and row_share <= ?",
            [limits.max_cluster_share],
        )
        look_up(lens)
        with lens.registered(near_sentences=near.to_arrow(), candidate_clusters=clusters):
            lens.set({"k": limits.k, "mix_rows": rows})
            neighbors = lens.table(sql_text("turf.neighbors"))
            with lens.registered(new_neighbors=neighbors):
                transaction.write("turf.null_hits", lens.model("turf.cluster_hits"), facts)

    return run_step(lake, settings, "null", work)
