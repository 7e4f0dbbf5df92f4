"""Features that vectors define: clusters of attribute sentences, and the neighborhoods that users name."""

from __future__ import annotations

import re

import polars as pl

from chunky.features import Feature

_SENTENCE = re.compile(r"The (query|response) (.+?)\.?")


def cluster_features(summaries: pl.DataFrame) -> list[Feature]:
    """One feature a cluster, defined by its medoid sentence; columns of `clusters.summaries`, in order of cluster_id.

    The text is `cluster_name`. Where that is the medoid, and more sentences stand behind it, it says how many.
    """
    found = []
    columns = summaries.select("side", "cluster", "cluster_name", "attributes")
    for side, sentence, name, attributes in columns.iter_rows():
        more = f" (or one of {attributes - 1:,} alike)" if attributes > 1 and name == sentence else ""
        found.append(Feature("cluster", side, sentence, said(name) + more, sentence, origin="mined"))
    return found


def said(sentence: str) -> str:
    """A sentence about a side as the end of “the query …”: “The query asks for code.” becomes “asks for code”."""
    matched = _SENTENCE.fullmatch(sentence)
    return matched[2] if matched else f"is so that “{sentence}” holds"
