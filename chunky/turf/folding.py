"""Folding: triggers that rest on the same rows are one cause, told by the best of them.

“by the narrow cellar”, “, as if by the” and “ends with “narrow cellar.”” are one planted phrase: without folding, 71 %
of the pairs of triggers shown for a failure shared half of their hits (real background, planted; 120 failures).
"""

from __future__ import annotations

import polars as pl

__all__ = ["told_once"]


def told_once(
    triggers: pl.DataFrame, evidence: pl.DataFrame, *, share: float, most: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The `most` best triggers of each failure that are causes of their own, and their evidence, ranked anew from 1.

    `triggers` has failure_id and trigger_rank (int32), in order of rank; `evidence` failure_id, trigger_rank and row_id
    of all hits of every trigger. A trigger is told by a better one that has `share` of its hits, in (0, 1], among its
    own. All columns come back, in order.
    """
    parts = evidence.partition_by("failure_id", "trigger_rank", as_dict=True)
    hits = {key: frozenset(part["row_id"].to_list()) for key, part in parts.items()}
    kept: dict[int, list[int]] = {}
    for key in triggers.select("failure_id", "trigger_rank").iter_rows():
        own, told = hits.get(key, frozenset()), kept.setdefault(key[0], [])
        is_news = all(len(own & hits.get((key[0], better), frozenset())) < share * len(own) for better in told)
        if len(told) < most and (is_news or not own):
            told.append(key[1])
    ranks = pl.DataFrame(
        [(failure, old, new) for failure, told in kept.items() for new, old in enumerate(told, 1)],
        {"failure_id": pl.Int64, "trigger_rank": pl.Int32, "told_rank": pl.Int32},
        orient="row",
    )
    return _ranked(triggers, ranks), _ranked(evidence, ranks)


def _ranked(frame: pl.DataFrame, ranks: pl.DataFrame) -> pl.DataFrame:
    told = frame.join(ranks, on=["failure_id", "trigger_rank"], maintain_order="left")
    return told.with_columns(trigger_rank="told_rank").select(frame.columns)
