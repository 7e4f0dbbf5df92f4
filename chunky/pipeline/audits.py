"""Audits in the lake: failures, what each was traced to, which findings rest on the same rows. A partition an audit.

A step of an audit is like a step of the build: it does nothing where its result is there already, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from chunky import rubrics, turf
from chunky.corpus import Source
from chunky.errors import ChunkyError, InputError, MissingTable
from chunky.fingerprints import digest_of
from chunky.lens import Lens
from chunky.pipeline.frame import Built, Progress, drop_audit, run_step, silent
from chunky.pipeline.outcomes import OUTCOME_STEPS
from chunky.pipeline.searching import audit_of
from chunky.pipeline.tracing import METHODS, Tracer, Traces, in_batches
from chunky.settings import Settings
from chunky.stages import stage
from chunky.tables import TABLES
from chunky.turf import Failure
from chunky.warehouse import PartWriter, Transaction, Warehouse

AUDIT_FOLDER = "failures"  # of the lake: one file an audit, named like it
_SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
_FAILURES = ("surf.failures", "turf.failures")
_BATCH = 100  # failures traced at once: 300 cruxes of 1,000 neighbors are some 10 MB


def trace_audit(
    lake: Warehouse,
    settings: Settings,
    audit: str,
    failures: Sequence[Failure],
    method: str = "",
    progress: Progress = silent,
) -> Built:
    """Trace the failures of an audit into the tables `turf.*` of the stage `traces`, whose partition `audit` it is.

    `method` is one of `METHODS`, by default that of the settings. Of `turf.cluster_hits` the clusters are kept that
    failures ask for, each with their own cruxes. Raises InputError without a failure, for a name that is none or an
    unknown method, MissingTable where the lake is not built, LakeError for vectors of another embedder.
    """
    _check_name(audit)
    distinct = {each.failure_id: each for each in failures}
    given = [distinct[key] for key in sorted(distinct)]
    named = method or settings.turf.method
    if not given:
        raise InputError(f"the audit {audit} has no failure", "give at least one: query, response and rubric")
    if named not in METHODS:
        raise InputError(f"there is no method {named!r}", f"use one of: {', '.join(METHODS)}")

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        with Tracer(lake, settings) as tracer, ExitStack() as stack:
            writers = {
                name: stack.enter_context(transaction.open(name, facts, (audit,))) for name in stage("traces").tables
            }
            seen = _Seen()
            done = 0
            for batch in in_batches(given, _BATCH):
                progress("failures", done, len(given))
                _write(writers, audit, seen.fresh(tracer.trace(batch, named)))
                done += len(batch)
            progress("failures", len(given), len(given))

    told = [[each.failure_id, each.rubric.name, turf.behaviors_of(each.rubric)] for each in given]
    return run_step(lake, settings, "traces", work, {"failures": digest_of(told), "method": named}, audit)


def confirm_audit(lake: Warehouse, settings: Settings, audit: str, progress: Progress = silent) -> Built:
    """Find the findings that the triggers of an audit confirm (`report.confirmations`).

    MissingTable when the lake has no such audit.
    """
    _check_there(lake, audit)

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        found = lens.model(
            "report.confirmations", audit=audit, least_similarity=settings.report.fold_similarity
        )  # what overlaps so much is one finding
        transaction.write("report.confirmations", found, facts, (audit,))

    return run_step(lake, settings, "confirmations", work, {}, audit)


def trace_again(lake: Warehouse, settings: Settings, audit: str, progress: Progress = silent) -> Built:
    """Trace an audit whose failures the lake knows (see `failures_of_audit`).

    Raises what `failures_of_audit` and `trace_audit` raise.
    """
    return trace_audit(lake, settings, audit, failures_of_audit(lake, audit), progress=progress)


AUDIT_STEPS: dict[str, Callable[[Warehouse, Settings, str, Progress], Built]] = {
    **OUTCOME_STEPS,
    "traces": trace_again,
    "confirmations": confirm_audit,
}


def remove_audit(lake: Warehouse, audit: str) -> int:
    """Take an audit out of all tables; returns how many failures it had. Its file, where it has one, stays.

    MissingTable when there is no such audit.
    """
    if audit not in audits_of_lake(lake):
        _check_there(lake, audit)
    failures = max((part.rows for name in _FAILURES if (part := lake.parts(name).get((audit,)))), default=0)
    drop_audit(lake, audit)
    return failures


def audits_of_lake(lake: Warehouse) -> tuple[str, ...]:
    """Audits that the lake knows a rubric and a target of, holds traces of, or has a file of failures for; sorted."""
    held = {key[0] for table in ("surf.audits", "turf.failures") for key in lake.parts(table)}
    return tuple(sorted(held | set(audit_files(lake))))


def traces_of_audit(lake: Warehouse, audit: str, order: Sequence[int] = ()) -> Traces:
    """What the lake holds of an audit, as the tracer gave it: in the columns of the tables but `audit`, by key.

    With `order` (failure_id) the failures come in that order. MissingTable when there is no such audit.
    """
    _check_there(lake, audit)
    frames = {}
    for short in Traces._fields:
        entry = TABLES[f"turf.{short}"]
        path = lake.root / lake.parts(entry.name)[audit,].file
        frames[short] = pl.read_parquet(path, hive_partitioning=False).sort(entry.key).drop("audit")
    if order:
        wanted = pl.DataFrame({"failure_id": list(order)}, schema={"failure_id": pl.Int64})
        frames["failures"] = wanted.join(frames["failures"], on="failure_id", maintain_order="left")
    return Traces(**frames)


def failures_of_audit(lake: Warehouse, audit: str) -> list[Failure]:
    """The failures of an audit: of its file in the folder `failures` of the lake, else the violations that a search
    found, else those that were traced before.

    Raises InputError for a record that cannot be traced, and where the rubric of a failure was a file that the lake
    does not have; MissingTable when there is none of the three.
    """
    folders = rubrics.folders_of(lake.root)
    if path := audit_files(lake).get(audit):
        source = Source(str(path), str(path), "", path.stat().st_size)
        failures, unusable = turf.failures_of(turf.read_records(source), lambda spec: rubrics.rubric(spec, folders))
        if unusable:
            first = unusable[0]
            raise InputError(
                f"{path}: {len(unusable):,} records are no failures; record {first.record_number}: {first.problem}",
                "mend them, or take them out of the file",
            )
        return failures
    if (part := lake.parts("surf.failures").get((audit,))) is not None:
        rubric = audit_of(lake, audit).rubric
        found = pl.read_parquet(lake.root / part.file, hive_partitioning=False).filter("is_violation")
        return [
            turf.failure_of(query, response, rubric)
            for query, response in found.select("query", "response").iter_rows()
        ]
    return [_again(row, folders) for row in traces_of_audit(lake, audit).failures.iter_rows(named=True)]


def _again(row: dict[str, str], folders: Sequence[Path]) -> Failure:
    """A failure of `turf.failures`, whose rubric is one of the package or of the `folders`, or a sentence."""
    for spec in (row["rubric"], row["violation"]):
        try:
            failure = turf.failure_of(row["query"], row["response"], rubrics.rubric(spec, folders))
        except ChunkyError:
            continue
        if (failure.rubric.name, failure.rubric.principle) == (row["rubric"], row["violation"]):
            return failure
    raise InputError(
        f"the rubric {row['rubric']} came from a file, of which the lake knows the principle alone",
        f"trace again with the file, or put the failures into the lake's folder {AUDIT_FOLDER}",
    )


def audit_files(lake: Warehouse) -> dict[str, Path]:
    """Audit → its file of failures; of several with one name the first by suffix."""
    folder = lake.root / AUDIT_FOLDER
    found = [path for suffix in _SUFFIXES for path in sorted(folder.glob(f"*{suffix}"))]
    return {path.stem: path for path in reversed(found)}


def _check_name(audit: str) -> None:
    if not audit.strip() or not audit.isprintable():
        raise InputError(f"{audit!r} is no name of an audit", "use printable characters, such as rebuttal@model")


def _check_there(lake: Warehouse, audit: str) -> None:
    if (audit,) not in lake.parts("turf.failures"):
        known = ", ".join(key[0] for key in sorted(lake.parts("turf.failures")))
        raise MissingTable(f"the lake has no audit {audit!r}", f"it has: {known or 'none'}; trace its failures first")


class _Seen:
    """Cruxes that failures share are written once, whichever batch they come in."""

    def __init__(self) -> None:
        self._cruxes: set[int] = set()
        self._hits: set[tuple[int, int]] = set()

    def fresh(self, traces: Traces) -> Traces:
        """The traces without neighbors and hits that came before; hits of a failure's own cruxes and clusters alone."""
        neighbors = traces.neighbors.filter(~pl.col("crux_id").is_in(list(self._cruxes)))
        asked = traces.failure_attributes.select("failure_id", "cluster_id").drop_nulls().unique()
        pairs = traces.cruxes.select("failure_id", "crux_id").join(asked, on="failure_id")
        wanted = pairs.select("crux_id", "cluster_id").unique()
        known = pl.DataFrame(list(self._hits), {"crux_id": pl.Int64, "cluster_id": pl.Int64}, orient="row")
        fresh = wanted.join(known, on=wanted.columns, how="anti")
        self._cruxes |= set(traces.cruxes["crux_id"])
        self._hits |= set(fresh.iter_rows())
        hits = traces.cluster_hits.join(fresh, on=fresh.columns, how="semi")
        return traces._replace(neighbors=neighbors, cluster_hits=hits)


def _write(writers: dict[str, PartWriter], audit: str, traces: Traces) -> None:
    for short, frame in traces._asdict().items():
        entry = TABLES[f"turf.{short}"]
        told = frame.with_columns(audit=pl.lit(audit)).select(entry.column_names).sort(entry.key)
        writers[entry.name].write(told.to_arrow())
