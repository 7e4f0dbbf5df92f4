"""TURF: from one strange response to the training rows that taught it (paper: section 4.1 and appendix D.1).

failures   what is traced: a query, the response that violates a rubric, and the rubric
reading    the files that failures come in
cruxes     which sentences about the response may be the crux, and how much each counts
folding    which triggers are one cause
verdicts   what came of it, as a sentence
objects    a trace as one object of plain values: what `chunky trace --json` prints
echoes     which cues and behaviors are one thing seen on both sides

Neighbors, hits, expectations, triggers, chunks and evidence are SQL (`sql/turf/`); `chunky.pipeline.tracing` runs it.
"""

from __future__ import annotations

from chunky.turf.cruxes import behaviors_of, crux_id, ranked_cruxes, weigh
from chunky.turf.echoes import is_echo
from chunky.turf.failures import COLUMNS, Failure, Unusable, failure_of, failures_of
from chunky.turf.folding import told_once
from chunky.turf.objects import trace_objects, unusable_object
from chunky.turf.reading import read_records
from chunky.turf.verdicts import explain, verdicts

__all__ = [
    "COLUMNS",
    "Failure",
    "Unusable",
    "behaviors_of",
    "crux_id",
    "explain",
    "failure_of",
    "failures_of",
    "is_echo",
    "ranked_cruxes",
    "read_records",
    "told_once",
    "trace_objects",
    "unusable_object",
    "verdicts",
    "weigh",
]
