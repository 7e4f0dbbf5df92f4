"""Checks: the catalog's promises block what is downstream of a broken table; watched distributions only warn."""

import dagster as dg
import duckdb

from assets.describing import asset_key
from chunky.contracts import queries
from chunky.errors import LakeError
from chunky.lens import Lens
from chunky.tables import TABLES, Table
from dagster_project.expectations import Verdict, judge
from dagster_project.resources import LakeResource, Listener

CONTRACT = "contract"
DISTRIBUTIONS = "distributions"


def contract_check(entry: Table) -> dg.AssetChecksDefinition:
    """The blocking check of `entry`: counts the rows that break each promise of the catalog.

    Tables that it refers to are checked after they are made, so that a run makes, checks, and only then goes on.
    """
    others = dict.fromkeys(r.table for r in entry.references if r.table != entry.name)

    @dg.asset_check(
        asset=asset_key(entry.name),
        name=CONTRACT,
        description="Rows that break a promise of the catalog: key, nulls, ranges, values, references.",
        additional_deps=[asset_key(name) for name in others],
        blocking=True,
    )
    def contract(lake: LakeResource, listener: dg.ResourceParam[Listener]) -> dg.AssetCheckResult:
        with listener.hearing():
            broken = broken_rows(lake, entry)
        return contract_result(entry, broken)

    return contract


def broken_rows(lake: LakeResource, entry: Table) -> dict[str, int]:
    """Promise → number of rows that break it; LakeError when a file of the lake cannot be read."""
    try:
        with Lens(lake.warehouse(), lake.settings()) as lens:
            return {query.name: int(lens.table(query.sql)["broken"][0].as_py()) for query in queries(entry)}
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise LakeError(f"{entry.name} cannot be checked: {error}", "build the table named there again") from error


def contract_result(entry: Table, broken: dict[str, int]) -> dg.AssetCheckResult:
    """What Dagster shows: each promise with its meaning and the rows that break it."""
    meanings = {query.name: query.meaning for query in queries(entry)}
    records = [
        dg.TableRecord({"promise": name, "meaning": meanings[name], "broken": count}) for name, count in broken.items()
    ]
    failed = [f"{name}: {count:,} rows" for name, count in broken.items() if count]
    return dg.AssetCheckResult(
        passed=not failed,
        description=f"{entry.name} keeps its {len(broken)} promises" if not failed else "; ".join(failed),
        metadata={"broken": sum(broken.values()), "promises": dg.MetadataValue.table(records)},
    )


def distribution_check(entry: Table) -> dg.AssetChecksDefinition:
    """The warning check of `entry`: Great Expectations over the distributions that people watch."""

    @dg.asset_check(
        asset=asset_key(entry.name),
        name=DISTRIBUTIONS,
        description="Distributions that people watch (Great Expectations); a surprise warns and blocks nothing.",
    )
    def distributions(lake: LakeResource, listener: dg.ResourceParam[Listener]) -> dg.AssetCheckResult:
        with listener.hearing():
            listener.progress(f"watching {entry.name}", 0, None)
            with Lens(lake.warehouse(), lake.settings()) as lens:
                verdicts = judge(entry, lens)
        return distribution_result(verdicts)

    return distributions


def distribution_result(verdicts: list[Verdict]) -> dg.AssetCheckResult:
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
        metadata={**told, "expectations": dg.MetadataValue.table(records)},
    )


CHECKS = [
    *(contract_check(entry) for entry in TABLES.values() if not entry.is_view),
    *(distribution_check(entry) for entry in TABLES.values() if entry.watches),
]
