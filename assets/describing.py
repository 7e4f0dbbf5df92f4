"""What Dagster is told of a table: specification from the catalog, facts of the lake with every materialization."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import Any

import dagster as dg

from chunky.fingerprints import code_digest, digest_of
from chunky.stages import BY_TABLE
from chunky.tables import Table, table
from chunky.warehouse import Part, Warehouse
from dagster_project.partitions import partition_key


def asset_key(name: str) -> dg.AssetKey:
    """Asset key of table `name`: `corpus/rows` of `corpus.rows`."""
    return dg.AssetKey(name.split("."))


def table_name(key: dg.AssetKey) -> str:
    """Table of an asset key."""
    return ".".join(key.path)


def column_schema(entry: Table) -> dg.TableSchema:
    """The catalog's columns with types, meanings and promises, for the UI's column view."""
    columns = []
    for name in entry.column_names:
        column = entry.column(name)
        promises = [f"at least {column.minimum:g}"] if column.minimum is not None else []
        promises += [f"at most {column.maximum:g}"] if column.maximum is not None else []
        promises += [f"one of: {', '.join(column.values)}"] if column.values else []
        promises += [f"occurs in {r.table}.{r.target}" for r in entry.references if r.column == name]
        constraints = dg.TableColumnConstraints(
            nullable=name in entry.nullable, unique=entry.key == (name,), other=promises
        )
        columns.append(dg.TableColumn(name, column.type, column.meaning, constraints))
    return dg.TableSchema(columns, dg.TableConstraints([f"key: {', '.join(entry.key)}"]))


def spec(
    name: str,
    *kinds: str,
    partitions_def: dg.PartitionsDefinition[str] | None = None,
    automation_condition: dg.AutomationCondition[Any] | None = None,
    deps: Sequence[str] | None = None,
) -> dg.AssetSpec:
    """Asset of table `name`; `deps` are upstream tables, by default those that its stage reads."""
    entry, stage = table(name), BY_TABLE[name]
    return dg.AssetSpec(
        asset_key(name),
        deps=[_dep(upstream, entry) for upstream in (stage.reads + stage.follows if deps is None else deps)],
        description=f"Each row is {entry.grain}.\n\nStage `{stage.name}`: {stage.meaning}.",
        group_name=entry.schema_name,
        kinds={*kinds, entry.storage},
        code_version=code_digest(stage.code),
        partitions_def=partitions_def,
        automation_condition=automation_condition,
        metadata={"dagster/column_schema": column_schema(entry), "dagster/table_name": name},
    )


def _dep(upstream: str, entry: Table) -> dg.AssetDep:
    """An upstream table: of one that is cut by audit and seed all seeds of the audit; a search reads all chunks."""
    if entry.partition == "seed" and table(upstream).partition == "chunk":
        return dg.AssetDep(asset_key(upstream), partition_mapping=dg.AllPartitionMapping())
    if {table(upstream).partition, entry.partition} != {"audit", "seed"}:
        return dg.AssetDep(asset_key(upstream))
    with warnings.catch_warnings():  # the one mapping that says it: beta since 2023
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.AssetDep(asset_key(upstream), partition_mapping=dg.MultiToSingleDimensionPartitionMapping("audit"))


def facts(lake: Warehouse, name: str, parts: Sequence[Part], **more: Any) -> dict[str, Any]:
    """Metadata of a materialization of `parts` of table `name`: rows, bytes, folder, time and provenance."""
    return {
        "dagster/row_count": sum(part.rows for part in parts),
        "bytes": sum(part.bytes for part in parts),
        "files": len(parts),
        "path": dg.MetadataValue.path(_folder(lake, name, parts)),
        **_provenance(parts),
        **more,
    }


def parts_by_chunk(lake: Warehouse, name: str) -> dict[str, list[Part]]:
    """Current parts of a table cut by chunk, from one reading of its pointer."""
    found: dict[str, list[Part]] = {}
    for key, part in sorted(lake.parts(name).items()):
        found.setdefault(key[0], []).append(part)
    return found


def version_of(parts: Sequence[Part]) -> str:
    """Data version of some parts together: equal exactly when their keys and fingerprints are."""
    return digest_of([[list(part.key), part.fingerprint] for part in parts])


def materialization(name: str, cut: str, told: dict[str, Any], version: str) -> dg.AssetMaterialization:
    """The event of a partition (a chunk, an audit) that was written by a step that was not asked for it, or by none."""
    tags = {
        "dagster/data_version": version,
        "dagster/data_version_is_user_provided": "true",
        "dagster/code_version": code_digest(BY_TABLE[name].code),
    }
    return dg.AssetMaterialization(asset_key(name), partition=partition_key(cut), metadata=told, tags=tags)


def _folder(lake: Warehouse, name: str, parts: Sequence[Part]) -> str:
    if len(parts) == 1:
        return str((lake.root / parts[0].file).absolute())
    return str(lake.folder(name).absolute())


def _provenance(parts: Sequence[Part]) -> dict[str, Any]:
    """What the newest part says of itself; parts of one commit agree in all but their inputs."""
    if not parts:
        return {}
    newest = max(parts, key=lambda part: part.written_at)
    said = {fact: _parsed(text) for fact, text in newest.provenance.items()}
    return {"written_at": newest.written_at, "provenance": dg.MetadataValue.json(said)}


def _parsed(text: str) -> Any:
    """Facts that are JSON objects are shown as such."""
    return json.loads(text) if text.startswith("{") else text
