"""Checks: the catalog's promises block what is downstream of a broken table; watched distributions only warn."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from assets.describing import asset_key
from chunky.contracts import ContractQuery, queries
from chunky.errors import LakeError
from chunky.fingerprints import digest_of
from chunky.lens import Lens
from chunky.tables import TABLES, Table, Watch
from chunky.warehouse import Warehouse
from dagster_project.expectations import Verdict, judge
from dagster_project.partitions import audits_by_key
from dagster_project.resources import LakeResource, Listener

CONTRACT = "contract"
DISTRIBUTIONS = "distributions"


def contract_check(entry: Table) -> dg.AssetChecksDefinition:
    """The blocking check of `entry`: counts the rows that break each promise of the catalog.

    It waits for the tables that it looks at, so that a run makes, checks, and only then goes on. A run for one audit
    looks at that audit alone: others may rest on a mix that is gone.
    """
    others = dict.fromkeys(
        name
        for name in (*(r.table for r in entry.references), *(name for p in entry.promises for name in p.reads))
        if name != entry.name
    )

    @dg.asset_check(
        asset=asset_key(entry.name),
        name=CONTRACT,
        description="Rows that break a promise of the catalog: key, nulls, ranges, values, references.",
        additional_deps=[asset_key(name) for name in others],
        blocking=True,
    )
    def contract(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, listener: dg.ResourceParam[Listener]
    ) -> dg.AssetCheckResult:
        with listener.hearing():
            audits = _audits(context, lake.warehouse(), entry)
            version = version_of(lake.warehouse(), queries(entry), entry.name, *others, audits=audits)
            known = _last_time(context.instance, entry, CONTRACT, "promises", version)
            broken = {record["promise"]: record["broken"] for record in known} or broken_rows(lake, entry, audits)
        return contract_result(entry, broken, version, is_new=not known)

    return contract


def _audits(context: dg.AssetCheckExecutionContext, lake: Warehouse, entry: Table) -> list[str] | None:
    """The audits that the run is about; None for all of them, or a table that is not cut by audit."""
    run = context.op_execution_context
    if entry.partition not in ("audit", "seed") or not run.has_partition_key:
        return None
    return [audits_by_key(lake)[run.partition_key]]


def broken_rows(lake: LakeResource, entry: Table, audits: Collection[str] | None = None) -> dict[str, int]:
    """Promise → number of rows that break it, of the `audits` where some are named.

    LakeError when a file of the lake cannot be read.
    """
    try:
        with Lens(lake.warehouse(), lake.settings()) as lens:
            if audits is not None:
                lens.narrow(audits)
            return {query.name: int(lens.table(query.sql)["broken"][0].as_py()) for query in queries(entry)}
    except (duckdb.IOException, duckdb.InvalidInputException, pa.ArrowInvalid, OSError) as error:
        raise LakeError(f"{entry.name} cannot be checked: {error}", "build the table named there again") from error


def contract_result(
    entry: Table, broken: dict[str, int], version: str = "", is_new: bool = True
) -> dg.AssetCheckResult:
    """What Dagster shows: each promise with its meaning and the rows that break it."""
    meanings = {query.name: query.meaning for query in queries(entry)}
    records = [
        dg.TableRecord({"promise": name, "meaning": meanings[name], "broken": count}) for name, count in broken.items()
    ]
    failed = [f"{name}: {count:,} rows" for name, count in broken.items() if count]
    return dg.AssetCheckResult(
        passed=not failed,
        description=f"{entry.name} keeps its {len(broken)} promises" if not failed else "; ".join(failed),
        metadata={
            "broken": sum(broken.values()),
            "promises": dg.MetadataValue.table(records),
            "version": version,
            "is_new": is_new,
        },
    )


def distribution_check(entry: Table) -> dg.AssetChecksDefinition:
    """The warning check of `entry`: Great Expectations over the distributions that people watch."""

    @dg.asset_check(
        asset=asset_key(entry.name),
        name=DISTRIBUTIONS,
        description="Distributions that people watch (Great Expectations); a surprise warns and blocks nothing.",
        automation_condition=dg.AutomationCondition.eager(),  # files are taken without waiting for it
    )
    def distributions(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, listener: dg.ResourceParam[Listener]
    ) -> dg.AssetCheckResult:
        with listener.hearing():
            version = version_of(lake.warehouse(), entry.watches, entry.name)
            known = _last_time(context.instance, entry, DISTRIBUTIONS, "expectations", version)
            if known:
                return distribution_result([Verdict.of(record) for record in known], version, is_new=False)
            listener.progress(f"watching {entry.name}", 0, None)
            with Lens(lake.warehouse(), lake.settings()) as lens:
                return distribution_result(judge(entry, lens), version)

    return distributions


def distribution_result(verdicts: list[Verdict], version: str = "", is_new: bool = True) -> dg.AssetCheckResult:
    """What Dagster shows: each watch with observed value and bounds; a table without rows has nothing observed."""
    records = [dg.TableRecord(verdict.record()) for verdict in verdicts]
    failed = [verdict for verdict in verdicts if verdict.is_kept is False]
    told = {
        f"{verdict.kind} {verdict.column}": verdict.observed for verdict in verdicts if verdict.observed is not None
    }
    return dg.AssetCheckResult(
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(verdict.sentence() for verdict in failed or verdicts),
        metadata={**told, "expectations": dg.MetadataValue.table(records), "version": version, "is_new": is_new},
    )


def version_of(
    lake: Warehouse, asked: Iterable[ContractQuery | Watch], *names: str, audits: Collection[str] | None = None
) -> str:
    """Digest of what a result depends on: what was asked of which files, their sizes and times included.

    The files of a lake are never changed by the lake; one that somebody else changed is looked at again.
    """
    files = [lake.root / part.file for name in names for part in lake.parts(name).values()]
    states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(files) if file.exists()]
    questions = [asdict(one) if isinstance(one, Watch) else one.sql for one in asked]
    narrowed = [] if audits is None else [sorted(audits)]
    return digest_of([questions, len(files), states, *narrowed])


def _last_time(
    instance: dg.DagsterInstance, entry: Table, check: str, table: str, version: str
) -> list[dict[str, Any]]:
    """Records of the last result, where nothing that it depends on has changed since; else none.

    A rerun asks 15 times for what is known: 0.2 s of processor time a contract, 4 s to import Great Expectations.
    """
    history = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(asset_key(entry.name), check),
        limit=1,
        status={AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED},
    )
    evaluation = history[0].evaluation if history else None
    if evaluation is None or evaluation.metadata.get("version") != dg.TextMetadataValue(version):
        return []
    told = evaluation.metadata.get(table)
    return [dict(record.data) for record in told.records] if isinstance(told, dg.TableMetadataValue) else []


CHECKS = [
    *(contract_check(entry) for entry in TABLES.values() if not entry.is_view),
    *(distribution_check(entry) for entry in TABLES.values() if entry.watches),
]
