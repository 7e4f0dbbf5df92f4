"""Names of clusters by a model: one sentence for the sentences of each (paper: algorithm 1, appendix D.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import polars as pl

from chunky.llm.protocol import Request
from chunky.llm.roles import Parsed, summarizer

__all__ = ["SHOWN", "name", "questions"]

SHOWN = 20
"""Sentences of a cluster that the model sees, those of most rows."""

_BLOCK = 4_096


def name(
    clusters: pl.DataFrame, ask: Callable[[Sequence[Request]], list[Parsed[str]]], model: str
) -> Iterator[pl.DataFrame]:
    """Columns of `clusters.names`, block by block.

    `clusters`: cluster_id, side, cluster (the medoid's sentence), commonest (list of structs of text and count, most
    rows first).
    """
    for start in range(0, clusters.height, _BLOCK):
        part = clusters[start : start + _BLOCK]
        replies = ask(questions(part))
        texts = {"cluster_name": "value", "error": "error", "detail": "detail"}
        yield part.select("cluster_id", "side", pl.lit(model).alias("model")).with_columns(
            pl.Series(column, [getattr(reply, field) for reply in replies], dtype=pl.String)
            for column, field in texts.items()
        )


def questions(clusters: pl.DataFrame) -> list[Request]:
    """What `name` asks: one request a cluster, in order."""
    return summarizer.requests(
        summarizer.Cluster(side, tuple((each["text"], max(1, each["count"])) for each in commonest[:SHOWN]), medoid)
        for side, commonest, medoid in clusters.select("side", "commonest", "cluster").iter_rows()
    )
