"""Cruxes: which sentences about a failing response may be what it is traced by, and how much each of them counts.

The paper has a judge pick three of ten (appendix D.1.2), and so has method paper, and whoever names a model as
crux_picker. Where the attributes come from rules, all that hold are
candidates and the search over cruxes and triggers is one: taking the three nearest to the rubric first and searching
afterwards was unstable in a prototype. A candidate's weight is how near it is to the rubric, less half of how near it
is to the query: behavior is what the content of the query does not call for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky.corpus.ids import signed_hash
from chunky.rubrics import Rubric

F32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

QUERY_PENALTY = 0.5
TOLD = 0.95  # cosine from which a sentence says what the rubric says: the same words, give or take a quotation mark


def crux_id(kind: str, text: str) -> int:
    """Hash of (kind of evidence, sentence): the neighbors of a crux depend on nothing else."""
    return signed_hash("crux", kind, text)


class Weights(NamedTuple):
    """Of each sentence about a response, float32 (n,): its weight and the two similarities that it is made of.

    `top_relevance` is the relevance of the most relevant sentence, which weights are a share of.
    """

    crux_weight: F32
    rubric_similarity: F32
    query_similarity: F32
    top_relevance: F32


def weigh(sentences: F32, rubric: F32, query: F32, is_common: Bools | None = None) -> Weights:
    """The weight of every sentence about one response.

    `sentences` float32 (n, d), `rubric` (b, d): one vector a behavior that the rubric tells, `query` (d,); all unit.
    Relevance is max(0, similarity to the nearest behavior - 0.5 x similarity to the query), the weight its share of the
    greatest: what a rubric finds in one response it may find twice as near in another, and where the most relevant
    sentences lead to nothing, a lesser one explains little.

    Where a sentence is a behavior of the rubric (cosine of `TOLD` or more) the crux is known, and sentences that are
    none weigh nothing: “contains a LaTeX box” does not explain code that “contains a fenced code block” names. One that
    `is_common`, bool (n,), too common to be traced by, does not push the others out.
    """
    near = (sentences @ rubric.T).max(axis=1)
    echo = sentences @ query
    relevance = np.maximum(near - np.float32(QUERY_PENALTY) * echo, 0)
    is_told = near >= np.float32(TOLD)
    if (is_told if is_common is None else is_told & ~is_common).any():
        relevance = np.where(is_told, relevance, np.float32(0))
    top = relevance.max(initial=np.float32(0))
    return Weights(relevance / top if top > 0 else relevance, near, echo, np.full_like(relevance, top))


def behaviors_of(rubric: Rubric) -> list[str]:
    """What a rubric says that a violation looks like: its behaviors, else its principle and details."""
    return list(rubric.behaviors or (rubric.principle, *rubric.details))


def ranked_cruxes(cruxes: pl.DataFrame, triggers: pl.DataFrame, least: int) -> pl.DataFrame:
    """The cruxes to be shown with crux_rank (int32, from 1): those of triggers in their order, then by weight.

    `cruxes` has failure_id, crux_id, crux_weight, and of equal weight the first goes first, as picked ones come in
    order; `triggers` has failure_id, trigger_rank, crux_id. All cruxes of triggers stay, and others up to `least` of a
    failure.
    """
    used = triggers.group_by("failure_id", "crux_id").agg(pl.col("trigger_rank").min().alias("first"))
    ordered = cruxes.join(used, on=["failure_id", "crux_id"], how="left", maintain_order="left").sort(
        ["failure_id", "first", "crux_weight"], descending=[False, False, True], nulls_last=True, maintain_order=True
    )
    ranked = ordered.with_columns(crux_rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("failure_id"))
    return ranked.filter(pl.col("first").is_not_null() | (pl.col("crux_rank") <= least)).drop("first")
