"""The method: files in (`taking`), every other step (`steps`), what an audit adds (`audits`), and the frame of all.

Only this touches the lake.

A step whose fingerprint is already in the lake does nothing and says so (`Built.is_new` is False). The command line
and the Dagster assets both call these functions; there is no second glue.
"""

from __future__ import annotations

from chunky.pipeline.audits import (
    AUDIT_FOLDER,
    AUDIT_STEPS,
    audit_files,
    audits_of_lake,
    confirm_audit,
    failures_of_audit,
    remove_audit,
    trace_again,
    trace_audit,
    traces_of_audit,
)
from chunky.pipeline.estimates import Estimate, estimates
from chunky.pipeline.frame import (
    Built,
    Metered,
    Progress,
    chunks_of_file,
    chunks_of_lake,
    is_built,
    silent,
    step_provenance,
)
from chunky.pipeline.model_steps import forget_failures
from chunky.pipeline.models import ledger_of, ledger_path, roles_by_models
from chunky.pipeline.search_estimates import search_estimates
from chunky.pipeline.searching import (
    audit_name,
    audit_of,
    audits_searched,
    check_numbers,
    check_seeds,
    search_audit,
    set_audit,
)
from chunky.pipeline.steps import STEPS, build_counts, build_features, sql_members
from chunky.pipeline.taking import Ingested, ingest, remove_chunk
from chunky.pipeline.trace_estimates import trace_estimates
from chunky.pipeline.vector_members import Near, nearest_sentences

__all__ = [
    "AUDIT_FOLDER",
    "AUDIT_STEPS",
    "STEPS",
    "Built",
    "Estimate",
    "Ingested",
    "Metered",
    "Near",
    "Progress",
    "audit_files",
    "audit_name",
    "audit_of",
    "audits_of_lake",
    "audits_searched",
    "build_counts",
    "build_features",
    "check_numbers",
    "check_seeds",
    "chunks_of_file",
    "chunks_of_lake",
    "confirm_audit",
    "estimates",
    "failures_of_audit",
    "forget_failures",
    "ingest",
    "is_built",
    "ledger_of",
    "ledger_path",
    "nearest_sentences",
    "remove_audit",
    "remove_chunk",
    "roles_by_models",
    "search_audit",
    "search_estimates",
    "set_audit",
    "silent",
    "sql_members",
    "step_provenance",
    "trace_again",
    "trace_audit",
    "trace_estimates",
    "traces_of_audit",
]
