"""Partitions: a `chunk` each source dataset, an `audit` each audit, under slugs: Dagster forbids some characters.

Searches are cut by audit and `seed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from chunky.pipeline import audits_of_lake, chunks_of_lake
from chunky.slugs import slug
from chunky.stages import MOST_SEEDS
from chunky.warehouse import Warehouse

if TYPE_CHECKING:
    from dagster import DagsterInstance

NAME = "chunk"
CHUNK = dg.DynamicPartitionsDefinition(name=NAME)
AUDITS = "audit"
AUDIT = dg.DynamicPartitionsDefinition(name=AUDITS)
SEED = dg.StaticPartitionsDefinition([str(seed) for seed in range(MOST_SEEDS)])
SEARCH = dg.MultiPartitionsDefinition({"audit": AUDIT, "seed": SEED})


def partition_key(name: str) -> str:
    """Partition key of a chunk or an audit: its slug, without three dots in a row, which Dagster reads as a range."""
    return slug(name).replace("...", "..%2E")  # a slug holds %2E at its start alone, so keys stay distinct


def chunks_by_key(lake: Warehouse) -> dict[str, str]:
    """Partition key → chunk for all chunks of the lake; a long slug cannot be read back without the lake."""
    return {partition_key(chunk): chunk for chunk in chunks_of_lake(lake)}


def audits_by_key(lake: Warehouse) -> dict[str, str]:
    """Partition key → audit for all audits that the lake holds or has a file of failures for."""
    return {partition_key(audit): audit for audit in audits_of_lake(lake)}


def sync(instance: DagsterInstance, lake: Warehouse) -> list[str]:
    """Make Dagster's partitions those of the lake: new ones are added, those that left are taken out.

    Returns the keys of the chunks.
    """
    wanted = {NAME: list(chunks_by_key(lake)), AUDITS: list(audits_by_key(lake))}
    for name, keys in wanted.items():
        known = set(instance.get_dynamic_partitions(name))
        if new := [one for one in keys if one not in known]:
            instance.add_dynamic_partitions(name, new)
        for gone in known.difference(keys):
            instance.delete_dynamic_partition(name, gone)
    return wanted[NAME]
