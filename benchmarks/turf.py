"""Tracing: does a contender name the trigger, and the chunk, that taught a failure? Planted worlds, judged by extent.

    python -m benchmarks.turf --seed 1 --seed 2 --rows 12000

For each seed a world is planted and failures with known causes are drawn from it (`chunky.planted.failures`). A
contender sees the mix, then one failure at a time: query, response and rubric. `trigger@1` counts failures whose first
trace holds the plant's trigger rows (`chunky.planted.trace_matches`), `@3` those where one of three does, `chunk@1`
those whose first trace has one of the planted chunks first. Ten failures of one plant stand or fall together, so
figures of one world are worth as many trials as it has plants.

A contender that joins is one more line of `CONTENDERS`.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import common, turf_peer

if TYPE_CHECKING:
    import polars as pl

    from chunky.planted import PlantedFailure, World

TIERS = ("plain", "semantic")
FIGURES = ("trigger@1", "trigger@3", "chunk@1")


class Trace(NamedTuple):
    """One suspected cause: ids of all rows that carry the trigger, whatever they answer, and chunks, best first."""

    carried: frozenset[str]
    chunks: tuple[str, ...]


# what a contender says of one failure: traces, best first; an empty list is “no trigger”
Tracer = Callable[["PlantedFailure"], Sequence[Trace]]
# a contender is given the mix (id, source, query, response) and may prepare
Contender = Callable[["pl.DataFrame"], Tracer]


def of_peer(make: Callable[[pl.DataFrame], Callable[[str, str], list[turf_peer.PeerTrigger]]]) -> Contender:
    """A contender of one that names rows by position."""

    def contender(rows: pl.DataFrame) -> Tracer:
        ids, trace = rows["id"].to_list(), make(rows)
        return lambda failure: [Trace(frozenset(ids[row] for row in found.rows), (found.chunk,))
                                for found in trace(failure.query, failure.response)[:3]]  # fmt: skip

    return contender


CONTENDERS: dict[str, Contender] = {
    "peer": of_peer(turf_peer.peer),
    "peer, whole tokens": of_peer(lambda rows: turf_peer.peer(rows, turf_peer.TOKENS)),
    "no skill": of_peer(turf_peer.no_skill),
}


def recipes() -> dict[str, Contender]:
    """The peer at every setting that was tried."""
    return {
        name: of_peer(lambda rows, recipe=recipe: turf_peer.peer(rows, recipe))  # type: ignore[misc]
        for name, recipe in turf_peer.RECIPES.items()
    }


def judge(world: World, failures: Sequence[PlantedFailure], tracer: Tracer) -> Counter[tuple[str, str]]:
    """How often each of `FIGURES` holds, and failures as `of`, by tier."""
    from chunky.planted import names_chunk, trace_matches

    counts: Counter[tuple[str, str]] = Counter()
    for failure in failures:
        plant = world.truth.plant(failure.plant_id or "")
        traces = list(tracer(failure))
        named = [trace_matches(plant, trace.carried).is_match for trace in traces[:3]]
        counts[plant.tier, "of"] += 1
        counts[plant.tier, "trigger@1"] += any(named[:1])
        counts[plant.tier, "trigger@3"] += any(named)
        counts[plant.tier, "chunk@1"] += bool(traces) and names_chunk(plant, traces[0].chunks)
    return counts


def compete(
    options: argparse.Namespace, contenders: Mapping[str, Contender]
) -> dict[str, list[Counter[tuple[str, str]]]]:
    """Counts of each contender on each world, printed as they come."""
    from chunky.planted import WorldSpec, draw_failures, plant_world

    found: dict[str, list[Counter[tuple[str, str]]]] = {name: [] for name in contenders}
    for seed in options.seed:
        spec = WorldSpec(seed=seed, rows=options.rows, chunks=options.chunks, plants=options.plants)
        world = plant_world(spec)
        failures = draw_failures(world, options.failures, seed)
        plants = Counter(plant.tier for plant in world.truth.plants)
        print(f"world {seed}: {world.rows.height:,} rows, {len(failures)} failures of "
              f"{' and '.join(f'{plants[tier]} {tier}' for tier in TIERS)} plants")  # fmt: skip
        for name, contender in contenders.items():
            started = time.process_time()
            tracer = contender(world.rows)
            ready = time.process_time()
            found[name].append(judge(world, failures, tracer))
            each = (time.process_time() - ready) / len(failures)
            print(f"  {name:<36}{_line(found[name][-1])}  {ready - started:6.1f} CPU s, {1000 * each:6.1f} ms each",
                  flush=True)  # fmt: skip
    return found


def _line(counts: Counter[tuple[str, str]]) -> str:
    told = (", ".join(f"{figure} {counts[tier, figure]:>3}" for figure in FIGURES) for tier in TIERS)
    return "; ".join(f"{tier} {figures} of {counts[tier, 'of']:<3}" for tier, figures in zip(TIERS, told, strict=True))


def report(found: Mapping[str, Sequence[Counter[tuple[str, str]]]]) -> None:
    """Shares over all worlds."""
    heads = "".join(f"{tier + ' ' + figure:>20}" for tier in TIERS for figure in FIGURES)
    print(f"\n{'':<36}{heads}")
    for name, worlds in found.items():
        total = sum(worlds, Counter[tuple[str, str]]())
        cells = [f"{total[tier, figure] / max(1, total[tier, 'of']):.2f} of {total[tier, 'of']}"
                 for tier in TIERS for figure in FIGURES]  # fmt: skip
        print(f"{name:<36}" + "".join(f"{cell:>20}" for cell in cells))


def main() -> None:
    """Plant the worlds and let the contenders trace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, action="append", default=[], help="seeds of worlds (repeat; default 1)")
    parser.add_argument("--rows", type=int, default=12_000, help="rows of a world")
    parser.add_argument("--chunks", type=int, default=12, help="chunks of a world")
    parser.add_argument("--plants", type=int, default=10, help="plants of a world")
    parser.add_argument("--failures", type=int, default=120, help="failures of a world")
    parser.add_argument("--only", action="append", default=[], help="contender to run (repeat); default all")
    parser.add_argument("--recipes", action="store_true", help="the peer at every setting instead")
    options = parser.parse_args()
    options.seed = options.seed or [1]
    common.machine("scikit-learn")
    known = recipes() if options.recipes else CONTENDERS
    report(compete(options, {name: known[name] for name in known if not options.only or name in options.only}))


if __name__ == "__main__":
    main()
