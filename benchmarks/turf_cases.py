"""What contenders of tracing are given, and how their answers are judged: planted worlds, by extent.

A case is a world with failures, all of one kind: failures of its plants with controls beside them, or controls alone
(`--permuted`: failures of the plants traced where nothing goes with anything; `--independent`: a behavior that goes
with no query).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.worlds import first_exchanges
from chunky.errors import InputError
from chunky.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from chunky.planted import PlantedFailure, Truth, World
    from chunky.warehouse import Warehouse

TIERS = ("plain", "semantic")
FIGURES = ("traced", "trigger@1", "trigger@3", "chunk@1")
CONTROLS = ("absent behavior", "independent behavior", "swapped response", "permuted")
STEPS = ("counts", "phrases", "attributes", "embeddings", "sentences", "clusters", "postings", "null")

Counts = Counter[tuple[str, str]]


class Trace(NamedTuple):
    """One suspected cause: ids of all rows that carry the trigger, whatever they answer, and chunks, best first."""

    carried: frozenset[str]
    chunks: tuple[str, ...]


@dataclass(frozen=True)
class Mix:
    """What a contender may look at: the rows (id, source, query, response), or a lake of them in `folder`."""

    rows: pl.DataFrame
    folder: Path
    settings: Settings

    @cached_property
    def lake(self) -> Warehouse:
        """The lake of the files in `folder/mix`, built as far as traces need it; a built one is taken as it is."""
        from chunky import pipeline
        from chunky.warehouse import Warehouse

        lake = Warehouse(self.folder / "lake")
        taken = pipeline.ingest(lake, [str(self.folder / "mix")], self.settings)
        if faults := [one.fault for one in taken if one.fault]:
            raise RuntimeError(faults[0])
        for step in STEPS:
            pipeline.STEPS[step](lake, self.settings, pipeline.silent)
        return lake


# what a contender says of each failure, in order: traces, best first; an empty list is “no trigger”
Tracer = Callable[["Sequence[PlantedFailure]"], "list[Sequence[Trace]]"]
# a contender is given the mix and may prepare
Contender = Callable[[Mix], Tracer]


class Case(NamedTuple):
    """A world, and what is to be traced in it. The truth is the judge's alone."""

    name: str
    world: World
    failures: list[PlantedFailure]

    def mix(self, work: Path, settings: Settings) -> Mix:
        """The world as a contender sees it, written to a folder of `work` where it is not there yet."""
        from chunky.planted import write_world

        folder = work / self.name
        if not (folder / "mix").is_dir():
            write_world(self.world, folder)
        return Mix(self.world.rows, folder, settings)


def case(options: argparse.Namespace, seed: int, rows: int) -> Case:
    """The case of `options` and one seed."""
    from chunky.planted import WorldSpec, draw_failures, permute_responses, plant_world, with_independent_behavior

    kinds = [kind for kind in ("real", "permuted", "independent") if getattr(options, kind)]
    spec = WorldSpec(seed=seed, rows=rows, chunks=options.chunks, plants=options.plants)
    world = plant_world(spec, first_exchanges(options.mix) if options.real else None)
    name = "-".join([str(seed), str(rows), *kinds])
    if options.independent:
        world, _ = with_independent_behavior(world, seed)
        return Case(name, world, _controls(world, ("independent behavior",), options.controls, seed))
    failures = draw_failures(world, options.failures, seed)
    if options.permuted:
        untaught = [replace(each, plant_id=None, control="permuted") for each in failures]
        return Case(name, permute_responses(world, seed), untaught)
    controls = _controls(world, ("absent behavior", "swapped response"), options.controls, seed)
    return Case(name, world, failures + controls)


def _controls(world: World, kinds: Sequence[str], count: int, seed: int) -> list[PlantedFailure]:
    from chunky.planted import draw_controls

    found: list[PlantedFailure] = []
    for kind in kinds:
        try:
            found += draw_controls(world, kind, count, seed)
        except InputError as error:  # a mix may show every kind of behavior
            print(f"  no controls of {kind}: {error.problem}")
    return found


def group(failure: PlantedFailure) -> str:
    """What a failure is counted under: its control, or the tier of its plant."""
    return failure.control or failure.tier or "?"


def is_named(truth: Truth, failure: PlantedFailure, trace: Trace) -> bool:
    """Whether a trace names what taught the failure; nothing names the cause of a control."""
    from chunky.planted import trace_matches

    return failure.plant_id is not None and trace_matches(truth.plant(failure.plant_id), trace.carried).is_match


def judge(truth: Truth, failures: Sequence[PlantedFailure], told: Sequence[Sequence[Trace]]) -> Counts:
    """How often each of `FIGURES` holds of the traces of each failure, and failures as `of`, by `group`.

    Of a control every trace is false: only `traced` is counted.
    """
    from chunky.planted import names_chunk

    counts: Counts = Counter()
    for failure, traces in zip(failures, told, strict=True):
        kind = group(failure)
        counts[kind, "of"] += 1
        counts[kind, "traced"] += bool(traces)
        if failure.plant_id is None:
            continue
        named = [is_named(truth, failure, trace) for trace in traces[:3]]
        counts[kind, "trigger@1"] += any(named[:1])
        counts[kind, "trigger@3"] += any(named)
        counts[kind, "chunk@1"] += bool(traces) and names_chunk(truth.plant(failure.plant_id), traces[0].chunks)
    return counts
