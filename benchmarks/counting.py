"""Counting: rows by chunk that hold a phrase or match a regular expression, cold and warm.

Ours is a question to the sandbox, straight from the Parquet files. Peers: ripgrep over JSON lines of the same rows (a
file a chunk), pandas and polars with the texts in memory. The counts must agree, and the script says whether they do.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import common

REPEATS = 5


class Question(NamedTuple):
    """One pattern on one side; `grep` is the pattern for a line that is a JSON string."""

    name: str
    side: str
    is_regex: bool
    pattern: str
    grep: str


QUESTIONS = (
    Question("phrase, rare", "response", False, "I hope this helps", "I hope this helps"),
    Question("phrase, common", "response", False, "the answer is", "the answer is"),
    Question("regex, anchored", "query", True, "^(Are|Do|Have|Were) you ", '^"(Are|Do|Have|Were) you '),
    Question("regex, any case", "response", True, "(?i)as an ai language model", "(?i)as an ai language model"),
    Question("regex, alternatives", "query", True, r"\\frac|\\sqrt|\\begin\{", r"\\\\frac|\\\\sqrt|\\\\begin\{"),
)


def _timed(ask: Callable[[Question], dict[str, int]], opening: float) -> dict[str, Any]:
    """Cold: opening and the first question; warm: medians of the questions' times, in one pass after another."""
    started, used = time.perf_counter(), sum(os.times()[:4])
    first = ask(QUESTIONS[0])
    cold = opening + time.perf_counter() - started
    times: dict[str, list[float]] = {question.name: [] for question in QUESTIONS}
    totals = {}
    for _ in range(REPEATS):
        for question in QUESTIONS:
            started = time.perf_counter()
            found = ask(question)
            times[question.name].append(time.perf_counter() - started)
            totals[question.name] = [sum(found.values()), len(found)]
    if sum(first.values()) != totals[QUESTIONS[0].name][0]:
        raise RuntimeError("the first answer differs from later ones")
    warm = {name: statistics.median(values) for name, values in times.items()}
    return {
        "seconds": statistics.median(warm.values()), "cpu": sum(os.times()[:4]) - used, "cold": cold, "warm": warm,
        "rows and chunks": totals,
    }  # fmt: skip


def chunky(options: argparse.Namespace) -> dict[str, Any]:
    """Questions to the sandbox; the pattern is a session variable."""
    from chunky.sandbox import Sandbox
    from chunky.warehouse import Warehouse

    started = time.perf_counter()
    with Sandbox(Warehouse(options.lake)) as sandbox:
        opening = time.perf_counter() - started

        def ask(question: Question) -> dict[str, int]:
            test = "regexp_matches" if question.is_regex else "contains"
            sandbox.set({"pattern": question.pattern})
            sql = (
                f"select chunk, count(*) as rows from corpus.rows "
                f"where {test}({question.side}, getvariable('pattern')) group by chunk"
            )
            found = sandbox.ask(sql, rows=0).table
            return dict(zip(found["chunk"].to_pylist(), found["rows"].to_pylist(), strict=True))

        return _timed(ask, opening)


def ripgrep(options: argparse.Namespace) -> dict[str, Any]:
    """`rg -c` over one file a chunk and side; opening is nothing, the page cache is warm after the first."""

    def ask(question: Question) -> dict[str, int]:
        command = [
            "rg",
            "--count",
            "--no-messages",
            "--glob",
            f"*.{question.side}.jsonl",
            question.grep,
            str(options.lines),
        ]
        if not question.is_regex:
            command.insert(1, "--fixed-strings")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode > 1:
            raise RuntimeError(done.stderr)
        pairs = (line.rsplit(":", 1) for line in done.stdout.splitlines())
        return {path: int(count) for path, count in pairs}

    return _timed(ask, 0.0)


def pandas(options: argparse.Namespace) -> dict[str, Any]:
    """`Series.str.contains` and a grouped sum, texts in memory; opening is reading them."""
    import pandas as pd
    import pyarrow.parquet as pq

    from chunky.warehouse import Warehouse

    started = time.perf_counter()
    columns = ["chunk", "query", "response"]
    files = Warehouse(options.lake).files("corpus.rows")
    frame = pd.concat([pq.read_table(file, columns=columns, partitioning=None).to_pandas() for file in files])
    frame["chunk"] = frame["chunk"].astype("category")
    opening = time.perf_counter() - started

    def ask(question: Question) -> dict[str, int]:
        hits = frame[question.side].str.contains(question.pattern, regex=question.is_regex)
        counts = hits.groupby(frame["chunk"], observed=True).sum()
        return {str(chunk): int(count) for chunk, count in counts[counts > 0].items()}

    return _timed(ask, opening)


def polars(options: argparse.Namespace) -> dict[str, Any]:
    """`str.contains` and a group-by, texts in memory; opening is reading them."""
    import polars as pl

    from chunky.warehouse import Warehouse

    started = time.perf_counter()
    files = Warehouse(options.lake).files("corpus.rows")
    frame = pl.concat(
        [pl.read_parquet(file, columns=["chunk", "query", "response"], hive_partitioning=False) for file in files]
    )
    opening = time.perf_counter() - started

    def ask(question: Question) -> dict[str, int]:
        hits = pl.col(question.side).str.contains(question.pattern, literal=not question.is_regex)
        found = frame.lazy().filter(hits).group_by("chunk").len().collect()
        return {str(chunk): int(count) for chunk, count in found.iter_rows()}

    return _timed(ask, opening)


CONTENDERS: dict[str, common.Contender] = {
    "chunky": chunky,
    "ripgrep": ripgrep,
    "pandas": pandas,
    "polars": polars,
}


def main() -> None:
    """Measure all, or do one measurement for the parent."""
    parser = common.parser(__doc__ or "")
    parser.add_argument("--lake", type=Path, help="lake to ask (default: one made of the mix)")
    parser.add_argument("--lines", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(CONTENDERS[options.contender](options)))
        return
    with common.workplace(options) as work:
        common.machine("pandas")
        if shutil.which("rg"):
            version = subprocess.run(["rg", "--version"], capture_output=True, text=True, check=True).stdout
            print(version.splitlines()[0])
        else:
            print("ripgrep is not installed: apt-get install ripgrep")
        if options.lake is None:
            options.lake = work / "lake"
            common.child("benchmarks.prepare", ["lake", str(common.mix_folder(options, work)), str(options.lake)])
        made = common.child("benchmarks.prepare", ["rows", str(options.lake), str(work / "lines")])
        print(f"{made.facts['rows']:,} rows")
        runs = common.contest(
            "benchmarks.counting", CONTENDERS, options, ["--lake", str(options.lake), "--lines", str(work / "lines")]
        )
        _print(runs)


def _print(runs: dict[str, list[common.Run]]) -> None:
    names = [question.name for question in QUESTIONS]
    print(f"\nwarm, ms: median over rounds of the median of {REPEATS}")
    print(f"{'':<12}{'cold':>9}" + "".join(f"{name:>21}" for name in names))
    for contender, found in runs.items():
        warm = [statistics.median(run.facts["warm"][name] for run in found) * 1000 for name in names]
        cold = statistics.median(run.facts["cold"] for run in found) * 1000
        print(f"{contender:<12}{cold:>9,.0f}" + "".join(f"{value:>21,.0f}" for value in warm))
    counts = {name: run[0].facts["rows and chunks"] for name, run in runs.items() if run}
    first = next(iter(counts.values()), {})
    print(f"rows and chunks {first}")
    for name, found in counts.items():
        print(f"  {name}: {'agrees' if found == first else f'differs: {found}'}")


if __name__ == "__main__":
    main()
