"""Traces as objects of plain values, with the texts of the rows that support them: what programs and people read."""

from __future__ import annotations

from typing import Any

import polars as pl

from chunky import turf
from chunky.lens import Lens
from chunky.pipeline.frame import frame_of
from chunky.pipeline.tracing import Traces

_ROWS = """
select row_id, conversation_id as id, chunk, query, response
from corpus.rows
where row_id in (select row_id from wanted_rows)
"""


def trace_objects(lens: Lens, traces: Traces, evidence: int) -> list[dict[str, Any]]:
    """One object for each failure, in order, with at most `evidence` rows for each trigger; see docs/turf.md."""
    kept = traces.evidence.filter(pl.col("evidence_rank") <= evidence)
    with lens.registered(wanted_rows=kept.select("row_id").unique().to_arrow()):
        rows = frame_of(lens.table(_ROWS))
    return list(
        turf.trace_objects(
            failures=traces.failures, cruxes=traces.cruxes, triggers=traces.triggers, evidence=kept,
            traces=traces.traces, rows=rows,
        )
    )  # fmt: skip
