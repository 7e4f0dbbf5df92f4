"""Ranking: the order in which people should read findings.

People read the first twenty lines, and what they can act on is a cue that one chunk has taught: so `ranked` weighs the
strength over the mix and inside chunks alike, takes off what the rest of the mix does too, and divides the odds of the
k-th statement about a chunk by k. Echoes (one feature seen on both sides) come last.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky.report.folding import Rows, intersect
from chunky.tables import FITTED_KINDS

_HOSTS = 2  # chunks that an accident may span: what holds beyond them, the mix does in general
_FEW = 5  # contents with both, beyond them, that tell anything: the padded score of empty cells is 6 in 30,000 rows
_HALF = 0.5  # of the rank is strength over the mix, half strength inside chunks; half of what holds elsewhere goes off

I64 = npt.NDArray[np.int64]


def ranked(found: pl.DataFrame, members: Mapping[int, Rows], chunk_of_row: I64) -> pl.DataFrame:
    """Findings in the order in which people should read them, with `score_elsewhere`, `rank_weight` and `finding_rank`.

    `chunk_of_row[row]` is the number of the row's chunk from 0, int64, or -1 for a repeat inside its chunk, which is no
    evidence. `score_elsewhere` is the score in all chunks but the `_HOSTS` with the most rows of both, null where it is
    not above 0 or not known. `rank_weight` = ½ (score + within_low - score_elsewhere) - ln(k) for the k-th finding of
    its top chunk by that weight; findings with a fitted feature do not count for the others. A negative within_low
    counts as 0; an unknown one as the score, or as 0 where the trigger is a chunk, which no model sees. Echoes come
    last.
    """
    sizes = np.bincount(chunk_of_row[chunk_of_row >= 0])
    features = {*found["trigger_id"], *found["behavior_id"]}
    held = {feature: _by_chunk(members[feature], chunk_of_row, len(sizes)) for feature in features}
    beyond = [
        _score_elsewhere(
            _by_chunk(intersect(members[trigger], members[behavior]), chunk_of_row, len(sizes)),
            held[trigger],
            held[behavior],
            sizes,
        )
        for trigger, behavior in found.select("trigger_id", "behavior_id").iter_rows()
    ]
    unknown = pl.when(pl.col("trigger_kind") == "chunk").then(0.0).otherwise(pl.col("score"))
    strength = pl.col("score") + pl.coalesce(pl.col("within_low").clip(lower_bound=0), unknown)
    order, descending = (
        ["is_echo", "rank_weight", "score", "trigger_id", "behavior_id"],
        [False, True, True, False, False],
    )
    is_fitted = pl.any_horizontal(pl.col(f"{side}_kind").is_in(FITTED_KINDS) for side in ("trigger", "behavior"))
    among_all = pl.int_range(1, pl.len() + 1).over("is_echo", "top_chunk")
    among_same = pl.int_range(1, pl.len() + 1).over("is_echo", "top_chunk", is_fitted)
    return (
        found.with_columns(score_elsewhere=pl.Series(beyond, dtype=pl.Float64))
        .with_columns(rank_weight=_HALF * (strength - pl.col("score_elsewhere").fill_null(0)))
        .sort(order, descending=descending)
        .with_columns(
            rank_weight=pl.col("rank_weight") - pl.when(is_fitted).then(among_all).otherwise(among_same).log()
        )
        .sort(order, descending=descending)
        .with_columns(finding_rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    )


def _by_chunk(rows: Rows, chunk_of_row: I64, chunks: int) -> I64:
    """How many of `rows` each chunk holds, repeats not counted, int64 (chunks)."""
    numbers = chunk_of_row[rows]
    counts: I64 = np.bincount(numbers[numbers >= 0], minlength=chunks).astype(np.int64)
    return counts


def _score_elsewhere(both: I64, triggers: I64, behaviors: I64, sizes: I64) -> float | None:
    """The score (log odds less 1.96 errors) in all chunks but those with the most rows of both; None if not above 0."""
    rest = np.argsort(-both, kind="stable")[_HOSTS:]
    a, t, b, n = (int(counts[rest].sum()) for counts in (both, triggers, behaviors, sizes))
    cells = np.array([a, t - a, b - a, n - t - b + a]) + 0.5
    if a < _FEW:
        return None
    score = float(np.log(cells) @ [1, -1, -1, 1] - 1.96 * np.sqrt((1 / cells).sum()))
    return score if score > 0 else None
