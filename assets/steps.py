"""How a step of the pipeline becomes Dagster assets: one op a step, one asset for each table that it writes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from assets.describing import asset_key, facts, materialization, parts_by_chunk, spec
from chunky import pipeline
from chunky.errors import MissingTable
from chunky.pipeline import Built
from chunky.settings import Settings
from chunky.stages import stage
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
from dagster_project.partitions import AUDIT, CHUNK, audits_by_key, chunks_by_key
from dagster_project.resources import LakeResource, Listener


def step_asset(name: str, *kinds: str, pool: str | None = None) -> dg.AssetsDefinition:
    """The assets of the step `name`: every table of its stage, in one op that makes one pipeline call.

    Tables cut by chunk are partitioned; a run takes any number of partitions at once, as the step reads the whole
    mix in any case. They are rebuilt when something upstream is (a team switches that on with the automation sensor).
    Steps of one `pool` wait for each other across runs.
    """
    this = stage(name)
    specs = [
        spec(
            table,
            *kinds,
            partitions_def=CHUNK if TABLES[table].partition == "chunk" else None,
            automation_condition=dg.AutomationCondition.eager(),
        )
        for table in this.tables
    ]
    is_partitioned = any(spec.partitions_def for spec in specs)

    @dg.multi_asset(
        name=name,
        specs=specs,
        description=this.meaning,
        pool=pool,
        backfill_policy=dg.BackfillPolicy.single_run() if is_partitioned else None,
    )
    def step(
        context: dg.AssetExecutionContext, lake: LakeResource, listener: dg.ResourceParam[Listener]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        with listener.hearing():
            listener.progress(this.meaning, 0, None)
            warehouse = lake.warehouse()
            built = pipeline.STEPS[name](warehouse, named(lake.settings(), context.run.run_id), listener.progress)
        listener.built.append(built)
        context.log.info(f"{name}: {'built' if built.is_new else 'nothing new'} in {built.seconds:.1f} s")
        for table in this.tables:
            yield _result(context, warehouse, built, table)

    return step


def audit_asset(
    name: str, *kinds: str, deps: Mapping[str, Sequence[str]] | None = None, pool: str | None = None
) -> dg.AssetsDefinition:
    """The assets of a step that runs once for each audit, which is their partition: one run an audit.

    `deps` are the upstream tables of each table, its own fellows included; by default those that the stage reads.
    """
    this = stage(name)
    specs = [
        spec(
            table,
            *kinds,
            partitions_def=AUDIT,
            # what asks models may cost: nobody pays because something upstream has changed
            automation_condition=None if pool else dg.AutomationCondition.eager(),
            deps=None if deps is None else deps[table],
        )
        for table in this.tables
    ]

    policy = dg.BackfillPolicy.multi_run(1)

    @dg.multi_asset(name=name, specs=specs, description=this.meaning, pool=pool, backfill_policy=policy)
    def step(
        context: dg.AssetExecutionContext, lake: LakeResource, listener: dg.ResourceParam[Listener]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        with listener.hearing():
            listener.progress(this.meaning, 0, None)
            warehouse = lake.warehouse()
            if (audit := audits_by_key(warehouse).get(context.partition_key)) is None:
                raise MissingTable(
                    f"the lake has no audit for {context.partition_key!r}",
                    "search for failures with chunky surf, or put them into the folder failures",
                )
            settings = named(lake.settings(), context.run.run_id)
            built = pipeline.AUDIT_STEPS[name](warehouse, settings, audit, listener.progress)
        listener.built.append(built)
        context.log.info(f"{name} of {audit}: {'built' if built.is_new else 'nothing new'} in {built.seconds:.1f} s")
        said = {"is_new": built.is_new, "seconds": built.seconds, "fingerprint": built.fingerprint}
        for table in this.tables:
            told = facts(warehouse, table, [warehouse.parts(table)[audit,]], **said)
            version = dg.DataVersion(built.fingerprint)
            yield dg.MaterializeResult(asset_key=asset_key(table), metadata=told, data_version=version)

    return step


def named(settings: Settings, run: str) -> Settings:
    """The settings with this run as the one that model calls belong to, unless they name another."""
    if settings.llm.run:
        return settings
    return settings.model_copy(update={"llm": settings.llm.model_copy(update={"run": run})})


def _result(context: dg.AssetExecutionContext, lake: Warehouse, built: Built, table: str) -> dg.MaterializeResult[Any]:
    """The materialization of one table; of a partitioned one, each partition with its own facts."""
    key, version = asset_key(table), dg.DataVersion(built.fingerprint)
    said = {"is_new": built.is_new, "seconds": built.seconds, "fingerprint": built.fingerprint}
    if TABLES[table].partition != "chunk":
        parts = list(lake.parts(table).values())
        return dg.MaterializeResult(asset_key=key, metadata=facts(lake, table, parts, **said), data_version=version)
    held = parts_by_chunk(lake, table)
    for partition, chunk in chunks_by_key(lake).items():
        told = facts(lake, table, held.get(chunk, []), **said)
        if partition in context.partition_keys:
            context.add_asset_metadata(told, asset_key=key, partition_key=partition)
        else:  # the step made it although the run asked for others
            context.log_event(materialization(table, chunk, told, built.fingerprint))
    return dg.MaterializeResult(asset_key=key, data_version=version)
