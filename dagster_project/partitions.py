"""Partitions: one `chunk` for each source dataset, under its slug, because Dagster forbids some characters in keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from chunky.pipeline import chunks_of_lake
from chunky.slugs import slug
from chunky.warehouse import Warehouse

if TYPE_CHECKING:
    from dagster import DagsterInstance

NAME = "chunk"
CHUNK = dg.DynamicPartitionsDefinition(name=NAME)


def partition_key(chunk: str) -> str:
    """Partition key of `chunk`: its slug, without three dots in a row, which Dagster reads as a range of keys."""
    return slug(chunk).replace("...", "..%2E")  # a slug holds %2E at its start alone, so keys stay distinct


def chunks_by_key(lake: Warehouse) -> dict[str, str]:
    """Partition key → chunk for all chunks of the lake; a long slug cannot be read back without the lake."""
    return {partition_key(chunk): chunk for chunk in chunks_of_lake(lake)}


def sync(instance: DagsterInstance, lake: Warehouse) -> list[str]:
    """Make Dagster's partitions those of the lake: new chunks are added, chunks that left are taken out; the keys."""
    wanted = list(chunks_by_key(lake))
    known = set(instance.get_dynamic_partitions(NAME))
    if new := [one for one in wanted if one not in known]:
        instance.add_dynamic_partitions(NAME, new)
    for gone in known.difference(wanted):
        instance.delete_dynamic_partition(NAME, gone)
    return wanted
