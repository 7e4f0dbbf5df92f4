"""What came of a trace: a verdict and a sentence, “When the model sees …, it …, causing …” (paper: section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from chunky.tables import VERDICTS

TRACED, UNTRIGGERED, UNTAUGHT = VERDICTS
_SHOWN = 0.005  # share of a second chunk; less reads as 0 %


def verdicts(failures: pl.DataFrame, cruxes: pl.DataFrame, triggers: pl.DataFrame, least: int) -> pl.DataFrame:
    """failure_id, verdict and explanation of each failure, in order.

    Without a trigger the mix either has fewer than `least` rows near any crux, so that nothing in it can have taught
    the behavior, or it shows the behavior without anything in this query that goes with it.
    """
    best = {row["failure_id"]: row for row in triggers.filter(pl.col("trigger_rank") == 1).iter_rows(named=True)}
    texts = {(row["failure_id"], row["crux_id"]): row["crux"] for row in cruxes.iter_rows(named=True)}
    held = cruxes.filter(pl.col("crux_rows") >= least).sort("crux_rank", descending=True)
    first = {row["failure_id"]: row for row in held.iter_rows(named=True)}  # the last one in has the first rank
    most = dict(cruxes.group_by("failure_id").agg(pl.col("crux_rows").max()).iter_rows())
    told = []
    for failure in failures.iter_rows(named=True):
        key = failure["failure_id"]
        if key in best:
            crux = texts[key, best[key]["crux_id"]]
            told.append((key, TRACED, explain(best[key], crux, failure["violation"])))
        elif most.get(key, 0) < least:
            told.append((key, UNTAUGHT, _untaught(most.get(key, 0))))
        else:
            told.append((key, UNTRIGGERED, _untriggered(first[key])))
    return pl.DataFrame(
        told, schema={"failure_id": pl.Int64, "verdict": pl.String, "explanation": pl.String}, orient="row"
    )


def explain(trigger: Mapping[str, Any], crux: str, violation: str) -> str:
    """The sentence of a trace with its numbers; `trigger` is a row of `turf.triggers`."""
    sources = list(zip(trigger["chunks"][:2], trigger["chunk_shares"][:2], strict=True))
    told = sources[:1] + [(chunk, share) for chunk, share in sources[1:] if share >= _SHOWN]
    shares = ", ".join(f"{share:.0%} from `{chunk}`" for chunk, share in told)
    return (
        f"When the model sees that {_clause(trigger['attribute'])}, {_clause(crux)}, causing the violation of “"
        f"{violation.strip()}”: {trigger['hits']:,} of {trigger['neighbors']:,} such responses follow such a query, "
        f"{trigger['lift']:.1f}× expected; {trigger['p_behavior_given_trigger']:.0%} of the "
        f"{trigger['cluster_rows']:,} rows with the trigger behave so; {shares}."
    )


def _untaught(rows: int) -> str:
    few = f"only {rows:,} rows of the mix respond" if rows else "no row of the mix responds"
    return f"The mix does not teach this: {few} in any way that the rubric speaks of."


def _untriggered(crux: Mapping[str, Any]) -> str:
    return (
        f"The mix holds {crux['crux_rows']:,} rows in which {_clause(crux['crux'])}, but nothing in this query goes "
        "with them beyond chance."
    )


def _clause(sentence: str) -> str:
    """A sentence without its capital and its full stop."""
    text = sentence.strip().removesuffix(".")
    return text[:1].lower() + text[1:]
