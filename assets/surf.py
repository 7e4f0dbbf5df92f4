"""Assets of the schema `surf`: what is audited, the searches of its seeds, and what they leave.

`surf/audits` is written by `chunky surf`, `surf/ratings` and `surf/agreement` by `chunky agreement`; they are shown
here. The searches are cut by audit and seed. One run takes any number of seeds of an audit, which share a pool, a rate
limit and a budget; a seed that failed is run again by itself.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.describing import asset_key, facts, spec, version_of
from assets.steps import audit_asset, named
from chunky import pipeline
from chunky.errors import MissingTable
from chunky.fingerprints import digest_of
from chunky.stages import stage
from dagster_project.partitions import AUDIT, SEARCH, audits_by_key
from dagster_project.resources import LakeResource, Listener

_SEARCH = stage("search")

audits = spec("surf.audits", "python", partitions_def=AUDIT)
ratings = spec("surf.ratings", "python", partitions_def=AUDIT)
agreement = spec("surf.agreement", "python", partitions_def=AUDIT)


@dg.multi_asset(
    name="search",
    specs=[spec(table, "python", partitions_def=SEARCH) for table in _SEARCH.tables],
    description=_SEARCH.meaning,
    pool="llm",
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def search(
    context: dg.AssetExecutionContext, lake: LakeResource, listener: dg.ResourceParam[Listener]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Search with the seeds of the run's partitions, audit by audit."""
    wanted: dict[str, list[int]] = {}
    for key in context.partition_keys:
        at = dg.MultiPartitionKey(SEARCH.get_partition_key_from_str(key).keys_by_dimension)
        wanted.setdefault(at.keys_by_dimension["audit"], []).append(int(at.keys_by_dimension["seed"]))
    warehouse, versions = lake.warehouse(), list[str]()
    with listener.hearing():
        known = audits_by_key(warehouse)
        for partition, seeds in wanted.items():
            if partition not in known:
                raise MissingTable(f"the lake has no audit for {partition!r}", "begin one: chunky surf RUBRIC")
            listener.progress(_SEARCH.meaning, 0, None)
            settings = named(lake.settings(), context.run.run_id)
            built = pipeline.search_audit(warehouse, settings, known[partition], seeds, listener.progress)
            listener.built.append(built)
            context.log.info(f"{known[partition]}: {len(seeds)} searches in {built.seconds:.1f} s")
            versions.append(built.fingerprint)
    # a result has one version for all partitions of its run: of several audits it is that of all of them
    version = versions[0] if len(versions) == 1 else digest_of(versions)
    for table in _SEARCH.tables:
        held = warehouse.parts(table)
        for partition, seeds in wanted.items():
            for seed in seeds:
                parts = [part for key, part in held.items() if key[:2] == (known[partition], str(seed))]
                key = dg.MultiPartitionKey({"audit": partition, "seed": str(seed)})
                told = facts(warehouse, table, parts, version=version_of(parts))
                context.add_asset_metadata(told, asset_key=asset_key(table), partition_key=key)
        yield dg.MaterializeResult(asset_key=asset_key(table), data_version=dg.DataVersion(version))


outcomes = audit_asset("outcomes", "python", "duckdb", "sql")
resamples = audit_asset("resamples", "python", pool="llm")
rates = audit_asset("rates", "python")
