"""A trace as one object of plain values. Its keys are a contract with programs: docs/turf.md says what each means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from chunky.turf.failures import Unusable

UNUSABLE = "unusable record"

Object = dict[str, Any]


def trace_objects(
    *,
    failures: pl.DataFrame,
    cruxes: pl.DataFrame,
    triggers: pl.DataFrame,
    evidence: pl.DataFrame,
    traces: pl.DataFrame,
    rows: pl.DataFrame,
) -> Iterator[Object]:
    """One object for each failure, in the order of `failures`.

    The first five frames have the columns of the tables `turf.*` of their names, without `audit`; `rows` has row_id,
    id, chunk, query and response of every row that `evidence` names and that is to be told: others are left out.
    """
    told = evidence.join(rows, on="row_id", how="inner", maintain_order="left")
    parts = {
        name: frame.partition_by("failure_id", as_dict=True, maintain_order=True)
        for name, frame in {"cruxes": cruxes, "triggers": triggers, "evidence": told, "traces": traces}.items()
    }
    for failure in failures.iter_rows(named=True):
        key = (failure["failure_id"],)
        mine = {name: held[key].to_dicts() if key in held else [] for name, held in parts.items()}
        (trace,) = mine["traces"]
        yield {
            "failure_id": failure["failure_id"],
            "query": failure["query"],
            "response": failure["response"],
            "rubric": _rubric(failure),
            "verdict": trace["verdict"],
            "cruxes": [_crux(each) for each in mine["cruxes"]],
            "triggers": [_trigger(each, mine["evidence"]) for each in mine["triggers"]],
            "explanation": trace["explanation"],
            "engine": trace["engine"],
            "seconds": trace["seconds"],
        }


def unusable_object(unusable: Unusable) -> Object:
    """The same keys for a record that cannot be traced: no id, no engine, and the reason as its explanation."""
    return {
        "failure_id": None,
        "query": unusable.query,
        "response": unusable.response,
        "rubric": unusable.rubric,
        "verdict": UNUSABLE,
        "cruxes": [],
        "triggers": [],
        "explanation": f"{unusable.place.capitalize()} cannot be traced: {unusable.problem}.",
        "engine": None,
        "seconds": 0.0,
    }


def _rubric(failure: Mapping[str, Any]) -> str:
    """The rubric's name; free text has none but a hash, and stands for itself."""
    return str(failure["violation" if failure["rubric"].startswith("text_") else "rubric"])


def _crux(crux: Mapping[str, Any]) -> Object:
    return {
        "rank": crux["crux_rank"],
        "text": crux["crux"],
        "k": crux["k"],
        "rows": crux["neighbors"],
        "tied_rows": crux["tied_rows"],
        "min_similarity": crux["min_similarity"],
    }


def _trigger(trigger: Mapping[str, Any], evidence: list[Object]) -> Object:
    rank, shares = trigger["trigger_rank"], zip(trigger["chunks"], trigger["chunk_shares"], strict=True)
    return {
        "rank": rank,
        "crux_rank": trigger["crux_rank"],
        "text": trigger["attribute"],
        "cluster_ids": [trigger["cluster_id"]],
        "cluster_summary": trigger["cluster_name"],
        "hits": trigger["hits"],
        "k": trigger["neighbors"],
        "expected": trigger["expected"],
        "lift": trigger["lift"],
        "trigger_score": trigger["trigger_score"],
        "cluster_rows": trigger["cluster_rows"],
        "p_behavior_given_trigger": trigger["p_behavior_given_trigger"],
        "chunks": [{"chunk": chunk, "share": share} for chunk, share in shares],
        "evidence": [
            {name: row[name] for name in ("row_id", "id", "chunk", "query", "response")}
            for row in evidence
            if row["trigger_rank"] == rank
        ],
    }
