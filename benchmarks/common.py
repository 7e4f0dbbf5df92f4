"""What the benchmarks share: the mix, one child process a measurement, contenders in turn, medians side by side.

A measurement runs in a process of its own and times its work alone (imports are not work). Contenders take turns within
a round, so that a busy minute of the machine hits all of them. The figures are printed, never asserted.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chunky.errors import PrerequisiteError

Contender = Callable[[argparse.Namespace], "dict[str, Any]"]  # does the work in a child process; "seconds" is its time


@dataclass(frozen=True)
class Run:
    """One measurement: seconds of the work, peak memory of its process in bytes, and what else it reported."""

    seconds: float
    peak_bytes: int
    facts: dict[str, Any] = field(default_factory=dict)


def parser(description: str) -> argparse.ArgumentParser:
    """Options of every benchmark: the mix, the number of rounds, and which contenders."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--mix", type=Path, default=os.environ.get("CHUNKY_REAL_MIX"), help="folder of a mix (Parquet)")
    found.add_argument("--rounds", type=int, default=3, help="measurements of each contender, taken in turn")
    found.add_argument("--only", action="append", default=[], help="contender to run (repeat); default all")
    found.add_argument("--contender", help=argparse.SUPPRESS)  # set for the child that does one measurement
    found.add_argument("--work", type=Path, help="folder for what is written (default: a temporary one, removed)")
    return found


@contextmanager
def workplace(options: argparse.Namespace) -> Iterator[Path]:
    """A folder for what a benchmark writes."""
    if options.work is not None:
        options.work.mkdir(parents=True, exist_ok=True)
        yield options.work
        return
    with tempfile.TemporaryDirectory(prefix="chunky-bench-") as folder:
        yield Path(folder)


def mix_folder(options: argparse.Namespace, work: Path) -> Path:
    """The mix to measure: the folder named, or else a planted world of 20,000 conversations."""
    if options.mix is not None:
        return Path(options.mix)
    print("no --mix and no CHUNKY_REAL_MIX: a planted world of 20,000 conversations stands in for it")
    folder = work / "planted"
    if not (folder / "mix").is_dir():
        child("benchmarks.prepare", ["plant", str(folder)])
    return folder / "mix"


def peer(name: str, install: str) -> Any:
    """Import an optional peer; PrerequisiteError says how to get it."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PrerequisiteError(f"{name} is not installed: {error}", f"install it: pip install {install}") from error


def child(module: str, arguments: Sequence[str]) -> Run:
    """Run `python -m module arguments` and read the JSON object that it prints last.

    RuntimeError with the child's last words when it fails. The peak is the kernel's count for that process and those
    it waited for; a child starts with its parent's peak, so the parent must stay small and import nothing heavy.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        output = process.stdout.read()
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)  # its figures alone: RUSAGE_CHILDREN is the peak of all so far
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with {process.returncode}: {errors.strip()[-600:]}")
    facts = json.loads(output.strip().splitlines()[-1])
    return Run(facts.pop("seconds"), usage.ru_maxrss * 1024, facts)


def contest(
    module: str, contenders: Mapping[str, Contender], options: argparse.Namespace, extra: Sequence[str]
) -> dict[str, list[Run]]:
    """Measure every contender `rounds` times, in turn; one that fails is named with its reason and left out."""
    names = [name for name in contenders if not options.only or name in options.only]
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names if number % 2 == 0 else names[::-1]:
            if name not in runs:
                continue
            try:
                run = child(module, ["--contender", name, *extra])
            except RuntimeError as error:
                print(f"  {name}: left out. {error}")
                del runs[name]
                continue
            runs[name].append(run)
            figures = f"{run.seconds:9.2f} s  {run.facts['cpu']:9.2f} CPU s  {run.peak_bytes / 2**20:7,.0f} MiB"
            print(f"  round {number + 1}  {name:<30}{figures}", flush=True)
    return runs


def answer(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Time `work`, wall and CPU (with its own worker processes), and give what it reports beside."""
    started, used = time.perf_counter(), sum(os.times()[:4])
    facts = work()
    return {"seconds": time.perf_counter() - started, "cpu": sum(os.times()[:4]) - used, **facts}


def report(runs: Mapping[str, Sequence[Run]], ours: str, unit: str = "", amount: int = 0) -> None:
    """Print medians and the ratios of each contender's time to ours; with `amount`, also units a second.

    On a busy machine the ratio of CPU seconds says more than that of wall seconds.
    """
    middles = {name: statistics.median(run.seconds for run in found) for name, found in runs.items() if found}
    works = {name: statistics.median(run.facts["cpu"] for run in runs[name]) for name in middles}
    heads = "".join(f"{head:>10}" for head in ("median s", "min", "max", "to ours", "CPU s", "to ours", "peak MiB"))
    print(f"\n{'':<30}{heads}" + (f"{unit + '/s':>12}" if amount else ""))
    for name, middle in middles.items():
        seconds = [run.seconds for run in runs[name]]
        peak = max(run.peak_bytes for run in runs[name]) / 2**20
        times = f"{middle / middles[ours]:.1f}×" if ours in middles else "?"
        loads = f"{works[name] / works[ours]:.1f}×" if ours in middles else "?"
        speed = f"{amount / middle:>12,.0f}" if amount else ""
        figures = f"{middle:>10.2f}{min(seconds):>10.2f}{max(seconds):>10.2f}{times:>10}{works[name]:>10.2f}{loads:>10}"
        print(f"{name:<30}{figures}{peak:>10,.0f}{speed}")


def machine(*packages: str) -> None:
    """Print what was measured on: cores, memory, load, and versions."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{os.cpu_count()} cores, {pages / 2**30:.0f} GiB, load {load}; {platform.system()} {platform.machine()}")
    versions = []
    for name in ("chunky", "duckdb", "polars", "pyarrow", "numpy", *packages):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} (not installed)")
    print(", ".join(("python " + platform.python_version(), *versions)) + "\n")
