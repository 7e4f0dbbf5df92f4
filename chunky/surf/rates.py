"""How often a target violates a rubric: the paper's table 1, with intervals (paper: section 3.2.2).

The outputs of an audit are the failures that its searches kept. They were chosen for their scores, so their rate says
how much there is to be found, not how often a user meets it; `fresh_rate`, of new responses to the same queries, says
how often these queries fail (paper: section 3.2.3, figure 5).

A search converges to one region of attribute space, and its outputs resemble each other. So the interval is a bootstrap
over runs (seeds), not over outputs (`chunky.surf.bootstrap` says when it is exact). It knows nothing of regions that no
run came to: where all runs have one rate it has no width, and of a single run there is none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from chunky.surf.bootstrap import Interval, interval, resamples

__all__ = ["COLUMNS", "rate_interval", "violation_rates"]

COLUMNS = {
    "threshold": pl.Float64, "outputs": pl.Int64, "violations": pl.Int64, "violation_rate": pl.Float64,
    "violation_low": pl.Float64, "violation_high": pl.Float64, "distinct_failures": pl.Int64,
    "fresh_samples": pl.Int64, "fresh_violations": pl.Int64, "fresh_rate": pl.Float64, "fresh_low": pl.Float64,
    "fresh_high": pl.Float64,
}  # fmt: skip
"""Columns of the answer: those of `surf.violation_rates` but audit, rubric and target."""


def violation_rates(
    failures: pl.DataFrame, fresh: pl.DataFrame, thresholds: Sequence[float], seed: int = 0
) -> pl.DataFrame:
    """The rates of one audit, at several thresholds.

    Args:
        failures: its rows of `surf.failures`: seed, failure_id, query_group, query, violation_score.
        fresh: its rows of `surf.resamples`: failure_id, sample, response, violation_score.
        thresholds: scores above one are violations; each counts once (paper: 70).
        seed: of the bootstrap, where it draws.

    Returns:
        One row per threshold in the order given, in `COLUMNS`. A rate of nothing is null, never 0, and so is the
        interval of a single run. `fresh_rate` is the mean over the queries that each run kept.

    """
    outputs = failures.filter(pl.col("violation_score").is_not_null())
    scored = _scored(failures, fresh)
    rows = [_at(float(threshold), outputs, scored, seed) for threshold in dict.fromkeys(thresholds)]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def rate_interval(per_run: pl.DataFrame, seed: int = 0) -> Interval:
    """The 95 % interval of a ratio of sums, bootstrapped over runs.

    `per_run` has a row for each run with `part` and `whole`, whole > 0, in an order that the caller fixes. None twice
    for fewer than two runs: Wilson's interval would take the outputs of one search for independent.
    """
    runs = len(per_run)
    if runs < 2:
        return Interval(None, None)
    drawn = resamples(runs, seed)
    part, whole = (per_run[name].cast(pl.Float64).to_numpy() for name in ("part", "whole"))
    return interval((drawn.counts @ part) / (drawn.counts @ whole), drawn.weights)


def _scored(failures: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """query, violation_score of the new responses that have a score.

    Failures of one query share its responses: a draw that two of them were given counts once.
    """
    queries = failures.select("failure_id", "query").unique("failure_id", maintain_order=True)
    known = fresh.filter(pl.col("violation_score").is_not_null()).join(queries, on="failure_id")
    told = known.sort("failure_id", "sample", maintain_order=True).unique(
        ["query", "sample", "response"], keep="first", maintain_order=True
    )
    return told.select("query", "violation_score")


def _at(threshold: float, outputs: pl.DataFrame, scored: pl.DataFrame, seed: int) -> tuple[object, ...]:
    violating = outputs.filter(pl.col("violation_score") > threshold)
    is_violation = pl.col("violation_score") > threshold
    by_run = outputs.group_by("seed").agg(part=is_violation.sum(), whole=pl.len()).sort("seed")
    by_query = scored.group_by("query").agg(rate=is_violation.mean())
    asked = outputs.select("seed", "query").unique().join(by_query, on="query").sort("seed", "query")
    fresh_by_run = asked.group_by("seed").agg(part=pl.col("rate").sum(), whole=pl.len()).sort("seed")
    return (
        threshold, len(outputs), len(violating), _ratio(by_run), *rate_interval(by_run, seed),
        violating["query_group"].n_unique(), len(scored), int((scored["violation_score"] > threshold).sum()),
        _ratio(fresh_by_run), *rate_interval(fresh_by_run, seed),
    )  # fmt: skip


def _ratio(per_run: pl.DataFrame) -> float | None:
    whole = int(per_run["whole"].sum())
    return float(np.sum(per_run["part"].to_numpy()) / whole) if whole else None
