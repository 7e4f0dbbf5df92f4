"""Names of clusters by rules: the sentence nearest to the center stands for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["name_by_medoid"]


def name_by_medoid(clusters: pl.DataFrame) -> pl.DataFrame:
    """Columns of `clusters.names` from columns cluster_id, side, cluster."""
    import polars as pl

    nothing = pl.lit(None, pl.String)
    return clusters.select(
        "cluster_id",
        "side",
        pl.col("cluster").alias("cluster_name"),
        pl.lit("rules").alias("model"),
        nothing.alias("error"),
        nothing.alias("detail"),
    )
