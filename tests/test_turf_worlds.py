"""Failures of planted worlds are traced to the trigger and chunk that taught them; what nothing taught is not traced.

Seeds are numbered on from a fixed base, never chosen by result; traces are judged by extent (`chunky.planted`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from chunky import pipeline
from chunky.lens import Lens
from chunky.pipeline.tracing import Tracer
from chunky.planted import (
    PlantedFailure,
    Truth,
    World,
    WorldSpec,
    draw_controls,
    draw_failures,
    names_chunk,
    permute_responses,
    plant_world,
    trace_matches,
    write_world,
)
from chunky.rubrics import rubric
from chunky.settings import Settings
from chunky.turf import Failure
from chunky.warehouse import Warehouse

SEED = 20_261_200  # worlds are SEED, SEED + 1
ROWS, FAILURES, CONTROLS = 6_000, 100, 40
PERMUTED_ROWS = 3_000  # a lake takes most of the time of this test
STEPS = ("counts", "phrases", "attributes", "embeddings", "sentences", "clusters", "postings", "null")
_EXTENTS = """
select distinct cluster_id, conversation_id
from clusters.postings inner join first using (cluster_id) inner join corpus.rows using (row_id)
"""

Counts = Counter[tuple[str, str]]


def lake_of(world: World, folder: Path) -> Warehouse:
    """The lake of a world as far as traces need it, at the default settings."""
    lake, settings = Warehouse(folder / "lake"), Settings()
    files = write_world(world, folder)
    assert all(taken.fault is None for taken in pipeline.ingest(lake, [str(files.folder)], settings))
    for step in STEPS:
        pipeline.STEPS[step](lake, settings, pipeline.silent)
    return lake


def judged(lake: Warehouse, truth: Truth, failures: Sequence[PlantedFailure]) -> Counts:
    """How many failures of a tier, or of a control, were traced, named by trigger, and by chunk."""
    asked = [Failure(each.query, each.response, rubric(each.rubric)) for each in failures]
    with Tracer(lake, Settings()) as tracer:
        triggers = tracer.trace(asked).triggers.filter(pl.col("trigger_rank") == 1)
    first = {each["failure_id"]: each for each in triggers.iter_rows(named=True)}
    with Lens(lake) as lens, lens.registered(first=triggers.select("cluster_id").unique().to_arrow()):
        extents = pl.DataFrame(lens.table(_EXTENTS)).group_by("cluster_id").agg("conversation_id")
    carried = dict(extents.iter_rows())
    counts: Counts = Counter()
    for planted, failure in zip(failures, asked, strict=True):
        kind, found = planted.control or planted.tier or "", first.get(failure.failure_id)
        counts[kind, "of"] += 1
        counts[kind, "traced"] += found is not None
        if found is not None and planted.plant_id is not None:
            plant = truth.plant(planted.plant_id)
            counts[kind, "trigger"] += trace_matches(plant, carried[found["cluster_id"]]).is_match
            counts[kind, "chunk"] += names_chunk(plant, found["chunks"])
    return counts


def share(counts: Counts, figure: str, *kinds: str) -> float:
    """Share of the failures of some kinds."""
    return sum(counts[kind, figure] for kind in kinds) / sum(counts[kind, "of"] for kind in kinds)


@pytest.mark.slow
def test_failures_are_traced_to_what_taught_them_and_nothing_else_is(tmp_path: Path) -> None:
    counts: Counts = Counter()
    for seed in (SEED, SEED + 1):
        world = plant_world(WorldSpec(seed=seed, rows=ROWS))
        failures = draw_failures(world, FAILURES, seed) + draw_controls(world, "swapped response", CONTROLS, seed)
        counts += judged(lake_of(world, tmp_path / str(seed)), world.truth, failures)
    world = plant_world(WorldSpec(seed=SEED, rows=PERMUTED_ROWS))
    untaught = [replace(each, plant_id=None, control="permuted") for each in draw_failures(world, CONTROLS, SEED)]
    permuted = permute_responses(world, SEED)
    counts += judged(lake_of(permuted, tmp_path / "permuted"), permuted.truth, untaught)
    told = dict(counts)
    assert share(counts, "trigger", "plain") >= 0.90, told
    assert share(counts, "trigger", "semantic") >= 0.50, told
    assert share(counts, "chunk", "plain") >= 0.90, told
    assert share(counts, "traced", "swapped response", "permuted") <= 0.10, told
