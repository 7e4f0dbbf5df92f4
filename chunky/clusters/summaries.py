"""What a cluster says, by rules: the sentence nearest to its center and the sentences that occur most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chunky.errors import InputError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["summarize"]

_COLUMNS = ("cluster", "text", "count", "similarity")


def summarize(sentences: pl.DataFrame, top: int = 5) -> pl.DataFrame:
    """One row a cluster that has sentences, by cluster.

    `sentences`: cluster (integer), text, count (rows that have it), similarity (score against the centroid); one row a
    distinct text. Result: cluster; sentences (distinct, int64); attributes (their counts summed, int64); medoid (text
    of the highest similarity, ties by count, then text); top_texts (list of at most `top` texts by count, ties by
    text) and top_counts (theirs); similarity (mean weighted by count, float64).
    Raises InputError for missing columns and for top < 1.
    """
    import polars as pl

    missing = [name for name in _COLUMNS if name not in sentences.columns]
    if missing or top < 1:
        raise InputError(f"columns missing: {missing}, top = {top}", f"give {', '.join(_COLUMNS)} and top ≥ 1")
    ordered = sentences.select(
        "cluster", "text", pl.col("count").cast(pl.Int64), pl.col("similarity").cast(pl.Float64)
    ).sort(["cluster", "count", "text"], descending=[False, True, False])
    weighted = (pl.col("similarity") * pl.col("count")).sum() / pl.col("count").sum()
    return (
        ordered.group_by("cluster", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("sentences"),
            pl.col("count").sum().alias("attributes"),
            # within a cluster rows stand by count and text, and arg_max takes the first of equals
            pl.col("text").get(pl.col("similarity").arg_max()).alias("medoid"),
            pl.col("text").head(top).alias("top_texts"),
            pl.col("count").head(top).alias("top_counts"),
            weighted.alias("similarity"),
        )
        .sort("cluster")
    )
