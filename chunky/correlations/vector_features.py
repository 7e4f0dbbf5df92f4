"""Features that vectors define: clusters of attribute sentences, and the neighborhoods that users name."""

from __future__ import annotations

import re

import polars as pl

from chunky.features import Feature

_SENTENCE = re.compile(r"The (query|response) (.+?)\.?")


def cluster_features(summaries: pl.DataFrame) -> list[Feature]:
    """One feature a cluster, named by its medoid sentence; columns of `clusters.summaries`, in order of cluster_id.

    Where a cluster holds more sentences than one, the text says how many.
    """
    found = []
    for side, sentence, attributes in summaries.select("side", "cluster", "attributes").iter_rows():
        more = f" (or one of {attributes - 1:,} alike)" if attributes > 1 else ""
        found.append(Feature("cluster", side, sentence, said(sentence) + more, sentence, origin="mined"))
    return found


def said(sentence: str) -> str:
    """A sentence about a side as the end of “the query …”: “The query asks for code.” becomes “asks for code”."""
    matched = _SENTENCE.fullmatch(sentence)
    return matched[2] if matched else f"is so that “{sentence}” holds"
