"""Searches of planted worlds: how many violations SURF holds beside uniform sampling, and whether it finds the trigger.

    python -m benchmarks.surf --world 7301 --seeds 10
    python -m benchmarks.surf --world 7301 --only uniform --only paper --trace

The target is the mix itself, so no key is needed. Plants are rare: one that more than 0.5 % of the rows show, trigger
and behavior, is skipped. Its behavior is the rubric, and the judge knows nothing of the trigger. Contenders have the
same budget of candidates and differ in settings alone: `uniform` draws from the whole pool whatever was found. A
violation is a query with a score above 70, counted once; `with trigger` are those whose query carries the trigger where
that can be decided. With `--trace` the failures of each search are traced: does that name the plant, its chunk?
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import common
from chunky.settings import Settings

CONTENDERS: dict[str, dict[str, Any]] = {
    "uniform": {"exploration": 1.0},
    "paper": {},
    "exploring": {"exploration": 0.3},
    "apart": {"per_group": 1},
    "apart, exploring": {"per_group": 1, "exploration": 0.3},
}
PREVALENCE = (0.03, 0.055)  # of a chunk of a twelfth of the rows: 0.25 to 0.46 % of all
MOST_SHARE = 0.005  # topics are moved whole and some plants span two chunks: one of seed 7401 had 0.66 % of the rows
GOAL = 3  # times the violations of uniform sampling


class Found(NamedTuple):
    """What the searches of one contender brought for one plant, by seed: distinct violating queries, in all and in the
    last buffer, those with the trigger, and groups of like queries among them; the iteration, from 1, that brought the
    first with the trigger, and those of the first iterations (`--within`), each seed's in a list of its own.
    """

    violations: list[int]
    held: list[int]
    triggered: list[int]
    groups: list[int]
    first: list[int | None]
    within: dict[int, list[int]]


def settings_of(options: argparse.Namespace, contender: str) -> Settings:
    """The settings of a contender."""
    surf = {
        "seeds": options.seeds, "iterations": options.iterations, "candidates": options.candidates, "patience": 0,
        "buffer": options.buffer, "fresh_samples": 0, **CONTENDERS[contender],
    }  # fmt: skip
    return Settings.model_validate({"target": "mix", "surf": surf})


def prepare(options: argparse.Namespace, work: Path, seed: int) -> tuple[Any, Path]:
    """A world with rare plants, and its lake."""
    from benchmarks.turf_cases import STEPS
    from chunky import pipeline
    from chunky.planted import WorldSpec, plant_world, write_world
    from chunky.warehouse import Warehouse

    spec = WorldSpec(seed=seed, rows=options.rows, plants=options.plants, prevalence=PREVALENCE)
    world, folder = plant_world(spec), work / str(seed)
    if not (folder / "mix").is_dir():
        write_world(world, folder)
    lake = Warehouse(folder / "lake")
    for one in pipeline.ingest(lake, [str(folder / "mix")], Settings()):
        if one.fault:
            raise RuntimeError(one.fault)
    for step in (*STEPS[:-1], "names", STEPS[-1]):
        pipeline.STEPS[step](lake, Settings(), pipeline.silent)
    return world, folder / "lake"


def search(lake_folder: Path, settings: Settings, plant: Any, name: str, budgets: Sequence[int] = ()) -> Found:
    """Run all seeds of one contender on one plant, and count, in all and within the first iterations of `budgets`."""
    import polars as pl

    from chunky import pipeline
    from chunky.lens import Lens
    from chunky.planted import rubric_of
    from chunky.warehouse import Warehouse

    lake = Warehouse(lake_folder)
    pipeline.set_audit(lake, settings, rubric_of(plant), name)
    pipeline.search_audit(lake, settings, name)
    pipeline.AUDIT_STEPS["outcomes"](lake, settings, name, pipeline.silent)
    with Lens(lake, settings) as lens:
        bad = "from surf.candidates where audit = ? and violation_score > 70"
        all_bad = pl.DataFrame(lens.table(
            f"select seed, query, min(iteration) as iteration {bad} group by seed, query", [name]))  # fmt: skip
        held = pl.DataFrame(lens.table(f"""
            select seed, count(distinct query) as held from surf.buffers as buffers
            inner join surf.candidates as candidates using (audit, seed, candidate_id)
            where audit = ? and buffers.iteration = {settings.surf.iterations - 1} and buffers.violation_score > 70
            group by seed""", [name]))  # fmt: skip
        groups = pl.DataFrame(lens.table(
            "select seed, count(distinct query_group) as groups from surf.failures where audit = ? and is_violation "
            "group by seed", [name]))  # fmt: skip
    carried = plant.trigger.predicate is not None and plant.trigger.is_exact
    if carried:
        has = pl.Series(plant.trigger.predicate.holds_each(all_bad["query"].to_list()), dtype=pl.Boolean)
        all_bad = all_bad.with_columns(has=has)
    else:
        all_bad = all_bad.with_columns(has=pl.lit(None, pl.Boolean))
    seeds = pl.DataFrame({"seed": range(settings.surf.seeds)}, schema={"seed": pl.Int32})
    told = all_bad.group_by("seed").agg(violations=pl.len(), triggered=pl.col("has").sum())
    first = all_bad.filter("has").group_by("seed").agg(first=pl.col("iteration").min() + 1)
    # a search of fewer iterations is the beginning of a longer one, since none of these stops early
    early = [
        all_bad.filter(pl.col("iteration") < number).group_by("seed").agg(pl.len().alias(f"within {number}"))
        for number in budgets
    ]  # fmt: skip
    whole = seeds
    for part in (told, held, groups, first, *early):
        whole = whole.join(part.with_columns(pl.col("seed").cast(pl.Int32)), on="seed", how="left")
    whole = whole.with_columns(pl.exclude("first").fill_null(0)).sort("seed")
    columns = (whole[column].to_list() for column in ("violations", "held", "triggered", "groups", "first"))
    return Found(*columns, {number: whole[f"within {number}"].to_list() for number in budgets})


def traced(lake: Path, settings: Settings, world: Any, plant: Any, name: str) -> str:
    """How many failures of a search were traced, and of how many the first trigger and the first chunk are right; then
    the same of those whose query has the trigger, where that can be decided: no other can be traced to it.
    """
    from benchmarks.turf_cases import Mix
    from benchmarks.turf_ours import extents_of
    from chunky import pipeline
    from chunky.planted import names_chunk, trace_matches
    from chunky.warehouse import Warehouse

    store = Warehouse(lake)
    failures = pipeline.failures_of_audit(store, name)
    if not failures:
        return "; nothing to trace"
    pipeline.trace_again(store, settings, name)
    best = pipeline.traces_of_audit(store, name).triggers.filter(trigger_rank=1)
    extents = extents_of(Mix(world.rows, lake.parent, settings), best["cluster_id"])
    queries = {each.failure_id: each.query for each in failures}
    right = {
        key for key, cluster in best.select("failure_id", "cluster_id").iter_rows()
        if trace_matches(plant, extents[cluster]).is_match
    }  # fmt: skip
    chunk = sum(names_chunk(plant, chunks) for chunks in best["chunks"].to_list())
    told = f"; of {len(queries)} failures traced {best.height}, trigger right {len(right)}, chunk right {chunk}"
    if not plant.trigger.is_exact:
        return told
    held = plant.trigger.predicate.holds_each(list(queries.values()))
    carried = {key for key, has in zip(queries, held, strict=True) if has}
    traced_too = len(carried & set(best["failure_id"]))
    return f"{told}; {len(carried)} have the trigger: traced {traced_too}, right {len(carried & right)}"


def main() -> None:
    """Measure all worlds."""
    parser = common.parser(__doc__ or "")
    parser.add_argument("--world", type=int, action="append", default=[], help="seed of a world (repeat)")
    parser.add_argument("--rows", type=int, default=8_000)
    parser.add_argument("--plants", type=int, default=6)
    parser.add_argument("--plant", action="append", default=[], help="plant to search for (repeat); default all")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--candidates", type=int, default=60)
    parser.add_argument("--buffer", type=int, default=20)
    parser.add_argument("--within", type=int, action="append", default=[], help="count after so many iterations, too")
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    wanted = options.only or list(CONTENDERS)
    ratios: dict[str, list[float]] = {}
    with common.workplace(options) as work:
        common.machine("faiss-cpu")
        for seed in options.world or [7301]:
            world, lake = prepare(options, work, seed)
            clusters = _clusters(lake)
            print(f"world {seed}: {world.truth.rows:,} rows, {clusters:,} attributes in the pool", flush=True)
            for contender, found in _measure(options, world, lake, wanted).items():
                ratios.setdefault(contender, []).extend(found)
            if not options.work:
                shutil.rmtree(lake.parent, ignore_errors=True)
    for contender, found in ratios.items():
        reached = sum(ratio >= GOAL for ratio in found)
        middle = statistics.median(found)
        print(f"{contender}: {reached} of {len(found)} plants at {GOAL}× or more, median {middle:.1f}×")


def _measure(options: argparse.Namespace, world: Any, lake: Path, wanted: Sequence[str]) -> dict[str, list[float]]:
    """Search one world for each of its rare plants; violations as multiples of those of `uniform`, by contender."""
    from chunky.errors import InputError

    ratios: dict[str, list[float]] = {}
    for plant in _rare(options, world):
        means: dict[str, float] = {}
        for contender in wanted:
            settings, started = settings_of(options, contender), time.perf_counter()
            name = f"{plant.plant_id}@{contender}"
            try:
                found = search(lake, settings, plant, name, options.within)
            except InputError as error:  # a behavior that no rule can see
                print(f"  left out: {error.problem}")
                break
            means[contender] = statistics.mean(found.violations)
            parts = [
                f"distinct violations {_told(found.violations)}", f"held {_told(found.held)}",
                f"groups {_told(found.groups)}",
            ]  # fmt: skip
            if plant.trigger.is_exact:
                hit = sum(number > 0 for number in found.triggered)
                parts.append(f"with trigger {_told(found.triggered)}, found by {hit} of {options.seeds}")
                parts.append(f"first in iterations {_in_order(found.first)}")
            parts += [f"within {number} iterations {_told(counts)}" for number, counts in found.within.items()]
            told = traced(lake, settings, world, plant, name) if options.trace else ""
            print(f"  {contender:<16}{', '.join(parts)}{told}; {time.perf_counter() - started:.0f} s", flush=True)
        base = means.pop("uniform", None)
        for contender, mean in means.items() if base is not None else ():
            # where uniform sampling finds none, one violation in all seeds stands for it
            ratio = mean / max(base, 1 / options.seeds)
            ratios.setdefault(contender, []).append(ratio)
            print(f"  {contender} / uniform: {ratio:.1f}×", flush=True)
    return ratios


def _rare(options: argparse.Namespace, world: Any) -> Iterator[Any]:
    """The plants that are measured, each announced with its share of the rows; so are those that are too common."""
    for plant in world.truth.plants:
        rows = len(plant.both_ids)
        share = rows / world.truth.rows
        is_rare = share <= MOST_SHARE
        print(
            f"{plant.plant_id} {plant.tier}, {rows:,} rows ({share:.2%}), in {len(plant.chunks)} chunks: the query "
            f"{plant.trigger.text} → the response {plant.behavior.text}{'' if is_rare else '; skipped: too common'}",
            flush=True,
        )
        if is_rare and (not options.plant or plant.plant_id in options.plant):
            yield plant


def _told(counts: Sequence[int]) -> str:
    return f"{sum(counts) / len(counts):.1f} ({min(counts)}–{max(counts)})"


def _in_order(iterations: Sequence[int | None]) -> str:
    return ", ".join(str(each) for each in sorted(each for each in iterations if each is not None)) or "none"


def _clusters(lake: Path) -> int:
    from chunky.lens import Lens
    from chunky.warehouse import Warehouse

    with Lens(Warehouse(lake)) as lens:
        return len(lens.table("select 1 from clusters.summaries where side = 'query'"))


if __name__ == "__main__":
    main()
