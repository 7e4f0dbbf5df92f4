"""Planted worlds end to end: what was planted is found near the top, what merely distracts is not, and noise is silent.

Seeds are numbered on from a fixed base, never chosen by result. Finds are judged by extent (`chunky.planted.matching`):
no test here knows a planted string.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pytest

from chunky import pipeline
from chunky.lens import Lens
from chunky.planted import (
    Truth,
    World,
    WorldSpec,
    feature_matches,
    lured_ranks,
    pair_matches,
    permute_responses,
    plant_world,
    write_world,
)
from chunky.settings import Settings
from chunky.warehouse import Warehouse
from tests.conftest import QUICK

SEED = 20_261_100  # worlds are SEED, SEED + 1, …
TOP = 20  # findings that people read
STEPS = [step for step in pipeline.STEPS if step not in ("chunks", "duplicates")]  # all that findings rest on
FEW_TOPICS = Settings.model_validate(QUICK.model_dump() | {"attributes": {"topics": 40, "word_vectors": "mix"}})
MAX_FALSE = 5  # pairs of a permuted world, where none is true


class Audit(NamedTuple):
    """What the lake of a world says: its findings best first, rows, members, and pairs that pass the test.

    `clusters`: feature_id (the cluster's) and row_id of the rows that have a sentence of a query cluster.
    """

    findings: pl.DataFrame
    rows: pl.DataFrame
    members: pl.DataFrame
    kinds: dict[int, str]
    clusters: pl.DataFrame
    significant: int


def audit(world: World, folder: Path, values: Settings = QUICK) -> Audit:
    """Write the world as files, take them in, and build everything that findings need."""
    lake = Warehouse(folder / "lake")
    assert all(taken.fault is None for taken in pipeline.ingest(lake, [str(write_world(world, folder).folder)], values))
    for step in STEPS:
        pipeline.STEPS[step](lake, values, pipeline.silent)
    with Lens(lake, values) as lens:
        kinds = lens.table("select feature_id, kind from correlations.features")
        significant = lens.table("select 1 from correlations.pairs where q_value < 0.05 and score > 0").num_rows
        return Audit(
            pl.DataFrame(lens.table("select * from report.findings order by finding_rank")),
            pl.DataFrame(lens.table("select row_id, conversation_id from corpus.rows")),
            pl.DataFrame(lens.table("select * from correlations.members")),
            dict(zip(*(column.to_pylist() for column in kinds.columns), strict=True)),
            pl.DataFrame(
                lens.table(
                    "select distinct cluster_id as feature_id, row_id from attributes.row_attributes "
                    "inner join clusters.assignments using (attribute_id, side) where side = 'query'"
                )
            ),
            significant,
        )


def pairs(folder: Path, threads: int) -> pa.Table:
    """`correlations.pairs` computed anew from the lake of an audit."""
    limits = Settings().correlations
    with Lens(Warehouse(folder / "lake"), Settings.model_validate({"engine": {"threads": threads}})) as lens:
        batches = lens.model(
            "correlations.pairs",
            min_both_rows=limits.min_both_rows,
            min_trigger_contents=limits.min_trigger_contents,
        )
        return pa.Table.from_batches(list(batches)).combine_chunks()


def ranks(truth: Truth, told: Audit) -> dict[str, int | None]:
    """plant_id of every plain plant → rank of the first finding that names it; None where none does."""
    matches = pair_matches(truth, told.rows, told.members, told.findings)
    best = dict(matches.group_by("plant_id").agg(pl.col("pair_rank").min()).iter_rows())
    return {plant.plant_id: best.get(plant.plant_id) for plant in truth.plants if plant.tier == "plain"}


def distractor_ranks(truth: Truth, told: Audit) -> list[int]:
    """Ranks of findings that fall for a distractor, ascending."""
    chunk_ids = {feature_id for feature_id, kind in told.kinds.items() if kind == "chunk"}
    return lured_ranks(truth, told.rows, told.members, told.findings, chunk_ids)


def unclustered(truth: Truth, told: Audit) -> dict[str, str]:
    """plant_id → trigger of every plain plant whose trigger no single query cluster holds (purity .9, cover .8)."""
    matches = feature_matches(truth, told.rows, told.clusters).filter(
        (pl.col("role") == "trigger") & (pl.col("precision") >= 0.9) & (pl.col("recall") >= 0.8)
    )
    held = set(matches["plant_id"])
    return {one.plant_id: one.trigger.text for one in truth.plants if one.tier == "plain" and one.plant_id not in held}


def recall(found: Iterable[int | None]) -> float:
    """Share of plants that the first `TOP` findings name."""
    places = list(found)
    return sum(place is not None and place <= TOP for place in places) / len(places)


def test_a_small_world_is_found(tmp_path: Path) -> None:
    spec = WorldSpec(seed=SEED - 1, rows=2_400, chunks=6, plants=4, cues=2, tiers=("plain",), prevalence=(0.2, 0.3))
    world = plant_world(spec)
    told = audit(world, tmp_path, FEW_TOPICS)
    found = ranks(world.truth, told)
    assert len(found) == 4
    assert recall(found.values()) >= 0.75
    assert not unclustered(world.truth, told)
    assert told.significant > 100
    assert pairs(tmp_path, threads=1).equals(pairs(tmp_path, threads=2))  # sums do not follow the order of threads


def test_a_small_permuted_world_is_silent(tmp_path: Path) -> None:
    spec = WorldSpec(seed=SEED - 2, rows=1_500, chunks=4, plants=3, cues=1)
    told = audit(permute_responses(plant_world(spec), seed=SEED), tmp_path, FEW_TOPICS)
    assert told.significant <= MAX_FALSE
    assert told.findings.height <= MAX_FALSE


@pytest.mark.slow
def test_plain_plants_are_among_the_first_findings_and_above_all_distractors(tmp_path: Path) -> None:
    found: dict[tuple[int, str], int | None] = {}
    fooled: dict[int, int] = {}
    loose: dict[tuple[int, str], str] = {}
    for number in range(12):
        world = plant_world(WorldSpec(seed=SEED + number))
        assert sum(plant.tier == "plain" for plant in world.truth.plants) == 5
        told = audit(world, tmp_path / str(number))
        places = ranks(world.truth, told)
        found |= {(number, plant): place for plant, place in places.items()}
        loose |= {(number, plant): trigger for plant, trigger in unclustered(world.truth, told).items()}
        last = max((place for place in places.values() if place is not None), default=0)
        first = min(distractor_ranks(world.truth, told), default=last)
        fooled |= {number: first} if first < last else {}
    missed = {plant: place for plant, place in found.items() if place is None or place > TOP}
    assert recall(found.values()) >= 0.95, missed
    assert not fooled
    assert len(loose) <= 0.05 * len(found), loose


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
def test_permuted_worlds_are_silent(number: int, tmp_path: Path) -> None:
    world = plant_world(WorldSpec(seed=SEED + 100 + number))
    assert audit(permute_responses(world, seed=SEED + number), tmp_path).significant <= MAX_FALSE


@pytest.mark.slow
@pytest.mark.real_mix
def test_a_permuted_real_mix_is_silent(real_mix: Path, tmp_path: Path) -> None:
    turns = pl.col("messages").list
    first = pl.scan_parquet(real_mix / "*.parquet").select(
        source=pl.col("source"),
        query=turns.get(0, null_on_oob=True).struct.field("content"),
        response=turns.get(1, null_on_oob=True).struct.field("content"),
    )
    spec = WorldSpec(seed=SEED, rows=30_000, chunks=100, plants=0, cues=0)
    world = plant_world(spec, first.collect())
    assert world.rows.height == 30_000
    assert audit(permute_responses(world, seed=SEED), tmp_path).significant <= MAX_FALSE
