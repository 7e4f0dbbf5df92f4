"""Scaling: time and peak memory of every step at 10,000, 100,000 and 1,000,000 rows, each step in a process of its own.

The rows are replicas of the mix in which a third of the rarer words have other names (see `prepare.replicas`), so that
the vocabulary grows as it does in real data. The goal: a million rows in less than 4 GiB, at every step. With
`--together` all steps run in one process, as in `chunky build`, and what stays behind after each is printed too
(Linux alone tells the peak of a step).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import common

STEPS = (
    "ingest", "chunks", "duplicates", "counts", "phrases", "attributes", "embeddings", "sentences", "clusters",
    "postings", "null", "features", "pairs", "findings",
)  # fmt: skip
SIZES = (10_000, 100_000, 1_000_000)


def step(name: str, lake: Path, mix: Path) -> dict[str, Any]:
    """Run one step on the lake; rows of its tables."""
    from chunky import pipeline
    from chunky.settings import Settings
    from chunky.warehouse import Warehouse

    store = Warehouse(lake)

    def work() -> dict[str, Any]:
        if name == "ingest":
            taken = list(pipeline.ingest(store, [str(mix)], Settings()))
            faults = [one.fault for one in taken if one.fault]
            if faults:
                raise RuntimeError(faults[0])
            return {"corpus.rows": sum(one.counts.rows for one in taken)}
        return dict(pipeline.STEPS[name](store, Settings(), pipeline.silent).rows)

    return common.answer(work)


def together(names: Sequence[str], lake: Path, mix: Path) -> dict[str, Any]:
    """Run the steps one after the other in this process: a line for each, which goes to stderr as the step ends too."""
    lines: list[str] = []

    def work() -> dict[str, Any]:
        for name in names:
            Path("/proc/self/clear_refs").write_text("5")  # the kernel counts the peak anew from here
            done = step(name, lake, mix)
            used = f"peak {_memory('VmHWM'):>6,.0f} MiB, {_memory('VmRSS'):>6,.0f} after it"
            lines.append(f"{name:<12}{done['seconds']:>9.1f} s{done['cpu']:>9.1f} CPU s  {used}")
            print(lines[-1], file=sys.stderr, flush=True)
        return {"steps": lines}

    return common.answer(work)


def _memory(field: str) -> float:
    """A field of this process's memory as the kernel counts it, MiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def vocabulary(lake: Path) -> dict[str, Any]:
    """How many distinct words and phrases the finished lake holds."""
    from chunky.lens import Lens
    from chunky.warehouse import Warehouse

    def work() -> dict[str, Any]:
        with Lens(Warehouse(lake)) as lens:
            found = lens.table(
                "select tokens, count(distinct phrase_id) as phrases from keywords.phrases "
                "where position = 'anywhere' group by all order by all"
            )
        return {f"phrases of {tokens}": phrases for tokens, phrases in zip(*found.to_pydict().values(), strict=True)}

    return common.answer(work)


def main() -> None:
    """Measure all sizes, or run one step for the parent."""
    parser = common.parser(__doc__ or "")
    parser.add_argument("--rows", type=int, action="append", default=[], help="sizes (repeat)")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--together", action="store_true", help="all steps in one process")
    parser.add_argument("--keep", action="store_true", help="keep the lakes (with --work)")
    parser.add_argument("--lake", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        if options.contender == "vocabulary":
            done = vocabulary(options.lake)
        elif options.contender == "together":
            done = together(options.steps, options.lake, options.mix)
        else:
            done = step(options.contender, options.lake, options.mix)
        print(json.dumps(done))
        return
    with common.workplace(options) as work:
        mix = common.mix_folder(options, work)
        for size in options.rows or SIZES:
            common.machine()
            _measure(options, mix, work, size)


def _measure(options: argparse.Namespace, mix: Path, work: Path, size: int) -> None:
    replicas, lake = work / f"replicas-{size}", work / f"lake-{size}"
    if not replicas.is_dir():
        made = common.child("benchmarks.prepare", ["replicas", str(mix), str(replicas), str(size)])
        print(f"{size:,} rows asked for: {made.facts} in {made.seconds:.0f} s", flush=True)
    if options.together:
        of = ["--lake", str(lake), "--mix", str(replicas), "--steps", *options.steps]
        run = common.child("benchmarks.scaling", ["--contender", "together", *of])
        print(*run.facts["steps"], f"all {run.seconds:.0f} s, peak {run.peak_bytes / 2**20:,.0f} MiB", sep="\n")
    for name in () if options.together else options.steps:
        try:
            run = common.child("benchmarks.scaling", ["--contender", name, "--lake", str(lake), "--mix", str(replicas)])
        except RuntimeError as error:
            print(f"{name:<12} failed: {error}", flush=True)
            continue
        facts = ", ".join(f"{table} {rows:,}" for table, rows in run.facts.items())
        print(f"{name:<12}{run.seconds:>9.1f} s{run.peak_bytes / 2**20:>9,.0f} MiB  {facts}", flush=True)
    if "phrases" in options.steps:
        found = common.child("benchmarks.scaling", ["--contender", "vocabulary", "--lake", str(lake)])
        print(
            "distinct, kept:", ", ".join(f"{name} {count:,}" for name, count in found.facts.items()), "\n", flush=True
        )
    if not options.keep:
        shutil.rmtree(replicas, ignore_errors=True)
        shutil.rmtree(lake, ignore_errors=True)


if __name__ == "__main__":
    main()
