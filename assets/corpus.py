"""Assets of the schema `corpus`: input files are taken, their rows described and compared.

`take` reads whatever files it is given and finds out which chunks they hold; only then are the partitions of
`corpus/rows` known, so it reports them itself. Materializing partitions of `corpus/rows` takes the files that they
came from again, with the reading options of the last time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg
from pydantic import Field

from assets.describing import asset_key, facts, materialization, parts_by_chunk, spec, version_of
from assets.steps import step_asset
from chunky import pipeline
from chunky.corpus import ReadOptions
from chunky.errors import MissingTable
from chunky.pipeline import Ingested
from chunky.settings import Settings
from chunky.warehouse import Part, Warehouse
from dagster_project.partitions import CHUNK, chunks_by_key, partition_key, sync
from dagster_project.resources import LakeResource, Listener

ROWS = asset_key("corpus.rows")


class Reading(dg.Config):
    """How files are read; what is left out is recognized (see `chunky.corpus.ReadOptions`)."""

    shape: str | None = Field(default=None, description="messages, conversations, preference, instruction or prompt")
    query_column: str | None = Field(default=None, description="column that holds the query as plain text")
    response_column: str | None = Field(default=None, description="column that holds the response as plain text")
    system_column: str | None = Field(default=None, description="column that holds the system message as plain text")
    chunk: str | None = Field(default=None, description="chunk of every record")
    chunk_column: str | None = Field(default=None, description="column that holds the chunk")
    id_column: str | None = Field(default=None, description="column that holds the conversation's id")
    max_record_chars: int | None = Field(default=None, description="longer records are quarantined; null = settings")
    max_ratio: float = Field(default=ReadOptions.max_ratio, description="a file unpacking to more than this is refused")
    ratio_floor_bytes: int = Field(default=ReadOptions.ratio_floor_bytes, description="… unless it stays under this")
    limit: int | None = Field(default=None, description="only the first records of each file")

    def options(self, settings: Settings) -> ReadOptions:
        """What the readers are told."""
        given = {name: value for name, value in dict(self).items() if value is not None}
        return ReadOptions(**{"max_record_chars": settings.corpus.max_record_chars, **given})


class Take(dg.Config):
    """Which files to take."""

    paths: list[str] = Field(default=[], description="files, folders, patterns or hf:// addresses; empty = the inbox")
    reading: Reading = Field(default=Reading(), description="how to read them")


@dg.multi_asset(
    name="take",
    specs=[spec("corpus.files", "python"), spec("corpus.quarantine", "python")],
    description="Take input files into the lake, one after the other; those taken unchanged are left alone.",
)
def take(
    context: dg.AssetExecutionContext, config: Take, lake: LakeResource, listener: dg.ResourceParam[Listener]
) -> Iterator[dg.MaterializeResult[Any]]:
    """`corpus/files` and `corpus/quarantine`; partitions of `corpus/rows` are reported as they change."""
    warehouse, done = _opened(lake, listener), len(listener.ingested)
    before = parts_by_chunk(warehouse, "corpus.rows")
    with listener.hearing():
        options = config.reading.options(lake.settings())
        _ingest(warehouse, config.paths or [str(lake.inbox_folder)], lake.settings(), options, listener)
    taken = listener.ingested[done:]
    for file in taken:
        context.log.info(
            f"{file.file}: {file.fault or (f'{file.counts.rows:,} rows' if file.is_new else 'nothing new')}"
        )
    sync(context.instance, warehouse)
    for name in ("corpus.files", "corpus.quarantine"):
        parts = [part for _, part in sorted(warehouse.parts(name).items())]
        told = facts(warehouse, name, parts, **_told(taken))
        yield dg.MaterializeResult(
            asset_key=asset_key(name), metadata=told, data_version=dg.DataVersion(version_of(parts))
        )
    readings = dict.fromkeys((file.file for file in taken), asdict(options))
    _report_changes(context, warehouse, before, readings, asked=set())


@dg.multi_asset(
    name="rows",
    specs=[spec("corpus.rows", "python", partitions_def=CHUNK, deps=["corpus.files"])],
    description="Take the files that chunks came from again, where they have changed.",
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def rows(
    context: dg.AssetExecutionContext, lake: LakeResource, listener: dg.ResourceParam[Listener]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Partitions of `corpus/rows`, by the slug of their chunk."""
    warehouse = _opened(lake, listener)
    before, known = parts_by_chunk(warehouse, "corpus.rows"), chunks_by_key(warehouse)
    asked = set(context.partition_keys)
    with listener.hearing():
        if strangers := sorted(asked - known.keys()):
            raise MissingTable(f"the lake has no chunk for {strangers[0]!r}", "take its file in: chunky ingest PATH…")
        readings = _readings(context.instance, asked)
        files = sorted({part.key[1] for one in asked for part in before[known[one]]})
        for file in files:
            said = readings.get(file)
            options = ReadOptions(**said) if said else Reading().options(lake.settings())
            readings[file] = asdict(options)
            _ingest(warehouse, [file], lake.settings(), options, listener)
    sync(context.instance, warehouse)
    _report_changes(context, warehouse, before, readings, asked)
    parts = [part for one in sorted(asked) for part in parts_by_chunk(warehouse, "corpus.rows").get(known[one], [])]
    yield dg.MaterializeResult(asset_key=ROWS, data_version=dg.DataVersion(version_of(parts)))


chunks = step_asset("chunks", "duckdb", "sql")
duplicates = step_asset("duplicates", "python", "polars")


def _opened(lake: LakeResource, listener: Listener) -> Warehouse:
    with listener.hearing():
        return lake.warehouse()


def _ingest(
    lake: Warehouse, paths: Sequence[str], settings: Settings, options: ReadOptions, listener: Listener
) -> None:
    for file in pipeline.ingest(lake, paths, settings, options, listener.progress):
        listener.ingested.append(file)


def _told(taken: Sequence[Ingested]) -> dict[str, Any]:
    """Metadata of an ingest: a table of its files, and the sum of what became of their records."""
    names = ("records", "conversations", "rows", "quarantined", "skipped")
    records = []
    for file in taken[:100]:  # the event log is no place for a thousand shards
        said: dict[str, str | int | float | bool | None] = {"file": file.file, "is_new": file.is_new}
        said |= {"fault": file.fault or "", "seconds": round(file.seconds, 3)}
        records.append(dg.TableRecord(said | {name: getattr(file.counts, name) for name in names}))
    told: dict[str, Any] = {
        "is_new": any(file.is_new for file in taken),
        "seconds": sum(file.seconds for file in taken),
        "faults": sum(file.fault is not None for file in taken),
        **{f"{name}_taken": sum(getattr(file.counts, name) for file in taken) for name in names},
    }
    return told | ({"taken": dg.MetadataValue.table(records)} if records else {})


def _report_changes(
    context: dg.AssetExecutionContext,
    lake: Warehouse,
    before: Mapping[str, list[Part]],
    readings: Mapping[str, dict[str, Any]],
    asked: set[str],
) -> None:
    """Report the partitions of `corpus/rows` that changed, that were asked for, or that Dagster never heard of."""
    heard = context.instance.get_materialized_partitions(ROWS)
    for chunk, parts in parts_by_chunk(lake, "corpus.rows").items():
        is_new = version_of(parts) != version_of(before.get(chunk, []))
        said = {part.key[1]: readings[part.key[1]] for part in parts if part.key[1] in readings}
        told = facts(lake, "corpus.rows", parts, is_new=is_new, reading=dg.MetadataValue.json(said))
        told["fingerprint"] = version_of(parts)
        if partition_key(chunk) in asked:
            context.add_asset_metadata(told, asset_key=ROWS, partition_key=partition_key(chunk))
        elif is_new or partition_key(chunk) not in heard:
            context.log_event(materialization("corpus.rows", chunk, told, version_of(parts)))


def _readings(instance: dg.DagsterInstance, asked: set[str]) -> dict[str, dict[str, Any]]:
    """Reading options of each file as last reported for the partitions `asked`."""
    found: dict[str, dict[str, Any]] = {}
    for one in sorted(asked):
        records = instance.fetch_materializations(dg.AssetRecordsFilter(ROWS, asset_partitions=[one]), limit=1).records
        event = records[0].asset_materialization if records else None
        said = event.metadata.get("reading") if event else None
        if isinstance(said, dg.JsonMetadataValue) and isinstance(said.data, dict):
            found |= said.data
    return found
