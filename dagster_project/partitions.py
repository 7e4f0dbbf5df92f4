"""Partitions: one `chunk` for each source dataset, under its slug, because Dagster forbids some characters in keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import dagster as dg

from chunky.pipeline import chunks_of_lake
from chunky.slugs import slug
from chunky.warehouse import Warehouse

if TYPE_CHECKING:
    from dagster import DagsterInstance

NAME = "chunk"
CHUNK = dg.DynamicPartitionsDefinition(name=NAME)


def keys(chunks: Iterable[str]) -> list[str]:
    """Partition keys of `chunks`, in order."""
    return [slug(chunk) for chunk in chunks]


def chunks_by_key(lake: Warehouse) -> dict[str, str]:
    """Partition key → chunk for all chunks of the lake; a long slug cannot be read back without the lake."""
    return {slug(chunk): chunk for chunk in chunks_of_lake(lake)}


def sync(instance: DagsterInstance, lake: Warehouse) -> list[str]:
    """Make Dagster's partitions those of the lake: new chunks are added, chunks that left are taken out; the keys."""
    wanted = keys(chunks_of_lake(lake))
    known = set(instance.get_dynamic_partitions(NAME))
    if new := [key for key in wanted if key not in known]:
        instance.add_dynamic_partitions(NAME, new)
    for key in known.difference(wanted):
        instance.delete_dynamic_partition(NAME, key)
    return wanted
