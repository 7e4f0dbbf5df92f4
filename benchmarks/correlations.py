"""Correlations: all pairs of 300 trigger and 300 behavior features, counted by chunk and tested.

Ours is `sql/correlations/pairs.sql`: counts by rows and by distinct contents, whole mix and inside every chunk, odds
ratios, intervals, Mantel–Haenszel, q-values. The peers only count rows: a matrix product a chunk (numpy, float32, the
best that dense algebra can do) with pooled and Mantel–Haenszel odds ratios, and pandas crosstabs, pair by pair, on a
sample of the pairs and extrapolated. Whether the counts of rows agree is printed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import common

CROSSTABS = 200  # pairs that pandas counts; its time goes in proportion to the pairs


def _chosen(lens: Any, count: int) -> tuple[list[int], list[int]]:
    """The `count` features with the most rows on each side, synonyms left out."""
    sides = []
    for side in ("query", "response"):
        found = lens.table(
            "select feature_id from correlations.features where side = ? and synonym_of is null "
            "order by rows desc, feature_id limit ?",
            [side, count],
        )
        sides.append(found["feature_id"].to_pylist())
    return sides[0], sides[1]


def _restricted(lens: Any, count: int) -> None:
    """Let the views of the session show the chosen features alone, so that the model counts no others."""
    ids = [feature for side in _chosen(lens, count) for feature in side]
    lens.set({"chosen": ids})
    connection = lens.connection
    for name in ("features", "members"):
        connection.execute(
            f"create table memory.main.chosen_{name} as select * from correlations.{name} "
            "where list_contains(getvariable('chosen'), feature_id)"
        )
        connection.execute(f"create or replace view correlations.{name} as from memory.main.chosen_{name}")


def chunky(options: argparse.Namespace) -> dict[str, Any]:
    """The SQL model over the chosen features."""
    from chunky.lens import Lens
    from chunky.settings import Settings
    from chunky.warehouse import Warehouse

    limits = Settings().correlations
    with Lens(Warehouse(options.lake)) as lens:
        _restricted(lens, options.features)

        def work() -> dict[str, Any]:
            rows = both = 0
            parameters = {"min_both_rows": limits.min_both_rows, "min_trigger_contents": limits.min_trigger_contents}
            for batch in lens.model("correlations.pairs", **parameters):
                rows += batch.num_rows
                both += sum(map(int, batch["both_rows"].to_pylist()))
            return {"pairs": rows, "both": both}

        return common.answer(work)


def _matrices(options: argparse.Namespace) -> tuple[Any, Any, Any]:
    """0/1 matrices (rows × features, float32) of both sides, and the chunk number of each row, ascending."""
    import numpy as np

    from chunky.lens import Lens
    from chunky.warehouse import Warehouse

    with Lens(Warehouse(options.lake)) as lens:
        sides = _chosen(lens, options.features)
        rows = lens.table(
            "select row_id, dense_rank() over (order by chunk) - 1 as chunk from corpus.rows order by chunk"
        )
        ids, chunks = rows["row_id"].to_numpy(), rows["chunk"].to_numpy()
        order = np.argsort(ids)
        found = []
        for features in sides:
            matrix = np.zeros((len(ids), len(features)), np.float32)
            for place, feature in enumerate(features):
                members = lens.table("select row_id from correlations.members where feature_id = ?", [feature])
                matrix[order[np.searchsorted(ids[order], members["row_id"].to_numpy())], place] = 1
            found.append(matrix)
    return found[0], found[1], chunks


def numpy(options: argparse.Namespace) -> dict[str, Any]:
    """A product a chunk and Mantel–Haenszel log odds ratios. The matrices are given: making them takes longer."""
    import numpy as np

    from chunky.settings import Settings

    triggers, behaviors, chunks = _matrices(options)
    limits = Settings().correlations

    def work() -> dict[str, Any]:
        shape = (triggers.shape[1], behaviors.shape[1])
        both, r, s = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        starts = np.flatnonzero(np.diff(chunks, prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(chunks)], strict=True):
            here, there, n = triggers[start:stop], behaviors[start:stop], float(stop - start)
            a = (here.T @ there).astype(np.float64)
            x, y = here.sum(axis=0, dtype=np.float64), there.sum(axis=0, dtype=np.float64)
            b, c = x[:, None] - a, y[None, :] - a
            both += a
            r += a * (n - a - b - c) / n
            s += b * c / n
        with np.errstate(divide="ignore", invalid="ignore"):
            within = np.log(r / s)
        kept = both >= limits.min_both_rows
        return {"pairs": int(kept.sum()), "both": int(both[kept].sum()), "within": int(np.isfinite(within).sum())}

    return common.answer(work)


def pandas(options: argparse.Namespace) -> dict[str, Any]:
    """`pd.crosstab` of chunk, trigger and behavior, pair by pair, on a sample of the pairs."""
    import numpy as np
    import pandas as pd

    triggers, behaviors, chunks = _matrices(options)
    pairs = np.random.default_rng(0).integers(0, (triggers.shape[1], behaviors.shape[1]), (CROSSTABS, 2))
    queries, responses = triggers.astype(np.int8), behaviors.astype(np.int8)

    def work() -> dict[str, Any]:
        met = 0
        for trigger, behavior in pairs:
            table = pd.crosstab([chunks, queries[:, trigger]], responses[:, behavior])
            met += bool(table.to_numpy().any())
        return {"pairs": len(pairs), "both": 0, "met": met}

    return common.answer(work)


CONTENDERS: dict[str, common.Contender] = {
    "chunky": chunky,
    "numpy, products": numpy,
    "pandas, sample of pairs": pandas,
}


def main() -> None:
    """Measure all, or do one measurement for the parent."""
    parser = common.parser(__doc__ or "")
    parser.add_argument("--lake", type=Path, help="lake with features (default: one built from the mix)")
    parser.add_argument("--features", type=int, default=300, help="features a side")
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(CONTENDERS[options.contender](options)))
        return
    with common.workplace(options) as work:
        common.machine("pandas")
        if options.lake is None:
            options.lake = work / "lake"
            steps = ["counts", "phrases", "features"]
            mix = str(common.mix_folder(options, work))
            common.child("benchmarks.prepare", ["lake", mix, str(options.lake), *steps])
        extra = ["--lake", str(options.lake), "--features", str(options.features)]
        runs = common.contest("benchmarks.correlations", CONTENDERS, options, extra)
        common.report(runs, "chunky")
        for name, found in runs.items():
            print(f"{name}: {found[0].facts}")
        if sampled := runs.get("pandas, sample of pairs"):
            seconds = sampled[0].seconds * options.features**2 / CROSSTABS
            print(f"pandas for all {options.features**2:,} pairs: {seconds:,.0f} s, extrapolated")


if __name__ == "__main__":
    main()
