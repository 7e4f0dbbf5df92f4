"""What came of a trace: a verdict and a sentence, “When the model sees …, it …, causing …” (paper: section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from chunky.tables import VERDICTS

TRACED, UNTRIGGERED, UNTAUGHT = VERDICTS
_NEAR = 0.9
"""Share of the relevance of the most relevant sentence from which on a crux speaks for what the mix teaches. Of 71
untraced failures with a behavior that the mix lacks 45 % are not taught by it (35 % at .8, none where any crux counts),
of 91 with one that it has, 1 (development worlds)."""
_SHOWN = 0.005  # share of a second chunk; less reads as 0 %


def verdicts(failures: pl.DataFrame, cruxes: pl.DataFrame, triggers: pl.DataFrame, least: int) -> pl.DataFrame:
    """failure_id, verdict and explanation of each failure, in order.

    Without a trigger the mix either has fewer than `least` rows near any crux that the rubric speaks of as much as of
    the most relevant one, so that nothing in it can have taught the behavior, or it shows the behavior without anything
    in this query that goes with it. `cruxes` are all of the failures, shown or not.
    """
    best = {row["failure_id"]: row for row in triggers.filter(pl.col("trigger_rank") == 1).iter_rows(named=True)}
    texts = {(row["failure_id"], row["crux_id"]): row["crux"] for row in cruxes.iter_rows(named=True)}
    # what has most rows is quoted: first of those that are near, else of the rest
    ordered = cruxes.with_columns(is_near=pl.col("crux_weight") >= _NEAR).sort("is_near", "crux_rows", "crux_id")
    spoken = {row["failure_id"]: row for row in ordered.iter_rows(named=True)}
    held = cruxes.filter((pl.col("crux_weight") >= _NEAR) & (pl.col("crux_rows") >= least))
    first = {row["failure_id"]: row for row in held.sort("crux_weight", maintain_order=True).iter_rows(named=True)}
    told = []
    for failure in failures.iter_rows(named=True):
        key = failure["failure_id"]
        if key in best:
            crux = texts[key, best[key]["crux_id"]]
            told.append((key, TRACED, explain(best[key], crux, failure["violation"])))
        elif key in first:
            told.append((key, UNTRIGGERED, _untriggered(first[key])))
        else:
            told.append((key, UNTAUGHT, _untaught(spoken.get(key), least)))
    return pl.DataFrame(
        told, schema={"failure_id": pl.Int64, "verdict": pl.String, "explanation": pl.String}, orient="row"
    )


def explain(trigger: Mapping[str, Any], crux: str, violation: str) -> str:
    """The sentence of a trace with its numbers; `trigger` is a row of `turf.triggers`."""
    sources = list(zip(trigger["chunks"][:2], trigger["chunk_shares"][:2], strict=True))
    told = sources[:1] + [(chunk, share) for chunk, share in sources[1:] if share > _SHOWN]
    shares = ", ".join(f"{share:.0%} from `{chunk}`" for chunk, share in told)
    return (
        f"When the model sees that {_clause(trigger['attribute'])}, {_clause(crux)}, causing the violation of “"
        f"{violation.strip()}”: {trigger['hits']:,} of {trigger['neighbors']:,} such responses follow such a query, "
        f"{trigger['lift']:.1f}× expected; {trigger['p_behavior_given_trigger']:.0%} of the "
        f"{trigger['cluster_rows']:,} rows with the trigger behave so; {shares}."
    )


def _untaught(crux: Mapping[str, Any] | None, least: int) -> str:
    """`crux` is the one of most rows among those that the rubric speaks of most, else among the others, if any."""
    untaught = "The mix does not teach this: "
    if crux is None or not crux["crux_rows"]:
        return f"{untaught}no row of the mix responds in any way that the rubric speaks of."
    rows, clause = crux["crux_rows"], _clause(crux["crux"])
    if crux["is_near"] or rows < least:
        return f"{untaught}only {rows:,} of its rows respond in a way that the rubric speaks of, such that {clause}."
    return (
        f"{untaught}no row has what the rubric speaks of most. Further from it there are {rows:,} rows in which "
        f"{clause}, but nothing in this query goes with them beyond chance."
    )


def _untriggered(crux: Mapping[str, Any]) -> str:
    return (
        f"The mix holds {crux['crux_rows']:,} rows in which {_clause(crux['crux'])}, but nothing in this query goes "
        "with them beyond chance."
    )


def _clause(sentence: str) -> str:
    """A sentence without its capital and its full stop."""
    text = sentence.strip().removesuffix(".")
    return text[:1].lower() + text[1:]
