"""Vectors: k-means per iteration, exact search and embedding, against faiss, scikit-learn, LanceDB, DuckDB and torch.

    python -m benchmarks.vectors kmeans --rows 200000 --clusters 2048
    python -m benchmarks.vectors search --rows 1000000 --queries 1
    python -m benchmarks.vectors embedding --rows 2000 --model all-MiniLM-L6-v2
    python -m benchmarks.vectors kmeans --device cuda --rows 9400000 --width 4096 --clusters 25000 --iterations 20

Vectors are generated: unit, float16, around as many centers as a quarter of the clusters, half of them noise; for a
CUDA device on that device, because 9.4 million of 4096 numbers are 77 GB. The machine's own limits (matrix products,
memory) are measured beside, and so is the BLAS kernel that ran: it decides more than anything else. `OPENBLAS_CORETYPE`
in the environment holds for all contenders that are not named after a kernel.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import common, vector_peers

CONTENDERS = {"kmeans": vector_peers.KMEANS, "search": vector_peers.SEARCH, "embedding": vector_peers.EMBEDDING}


def generate(options: argparse.Namespace) -> dict[str, Any]:
    """Write the vectors, block by block."""
    import numpy as np

    def work() -> dict[str, Any]:
        rng = np.random.default_rng(1)
        centers = _unit(rng.standard_normal((max(options.clusters // 4, 1), options.width), dtype=np.float32))
        made = np.lib.format.open_memmap(options.vectors, "w+", dtype=np.float16, shape=(options.rows, options.width))
        for start in range(0, options.rows, 1 << 15):
            count = min(1 << 15, options.rows - start)
            noise = _unit(rng.standard_normal((count, options.width), dtype=np.float32))
            made[start : start + count] = _unit(centers[rng.integers(0, len(centers), count)] + noise)
        made.flush()
        return {}

    return common.answer(work)


def _unit(values: Any) -> Any:
    import numpy as np

    return values / np.linalg.norm(values, axis=1, keepdims=True)


def limits(options: argparse.Namespace) -> dict[str, Any]:
    """The machine's best matrix products in FLOP/s by format, and its memory bandwidth in bytes/s; torch, best of 3."""
    import torch

    from chunky.devices import pick

    device = pick(options.device)
    side = 8192 if device.kind == "cuda" else 1024
    long = torch.randn(1 << (31 if device.kind == "cuda" else 26), dtype=torch.float32, device=device.name)
    found: dict[str, Any] = {"device": f"{device.name}: {device.reason}", "half": device.half}
    for kind in ("float32", "bfloat16"):
        # Random numbers: tensor cores are faster on constant ones, which draw less power.
        matrix = torch.randn((side, side), device=device.name).to(getattr(torch, kind))
        found[kind] = 2 * side**3 / _best(lambda matrix=matrix: matrix @ matrix, device.kind)
    found["bandwidth"] = long.numel() * 4 / _best(long.sum, device.kind)
    return {"seconds": 0.0, "cpu": 0.0, **found, "kernels": vector_peers.kernels()}


def _best(work: Callable[[], Any], kind: str) -> float:
    import torch

    times = []
    for _ in range(4):
        started = time.perf_counter()
        work()
        if kind == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times[1:])


def _parser() -> argparse.ArgumentParser:
    parser = common.parser(__doc__ or "")
    parser.add_argument("what", choices=list(CONTENDERS))
    parser.add_argument("--rows", type=int, default=200_000, help="vectors, or sentences to embed")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--clusters", type=int, default=2048, help="K; a quarter as many centers are generated")
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--queries", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5, help="searches in one process; the best counts")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--model", default="all-MiniLM-L6-v2", help="name or folder for sentence-transformers")
    parser.add_argument("--target", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--vectors", type=Path, help=argparse.SUPPRESS)
    return parser


def main() -> None:
    """Measure all, or do one measurement for the parent."""
    options = _parser().parse_args()
    if options.contender:
        table = {**CONTENDERS[options.what], "generate": generate, "limits": limits}
        print(json.dumps(table[options.contender](options)))
        return
    with common.workplace(options) as work:
        common.machine("torch", "faiss-cpu", "scikit-learn", "lancedb", "sentence-transformers")
        print(f"OPENBLAS_CORETYPE={os.environ.get('OPENBLAS_CORETYPE', '')}")
        extra = [options.what]
        for name in ("rows", "width", "clusters", "iterations", "queries", "repeats", "device", "model"):
            extra += [f"--{name}", str(getattr(options, name))]
        extra += ["--vectors", str(work / f"{options.rows}x{options.width}x{options.clusters}.npy")]
        bounds = common.child("benchmarks.vectors", ["--contender", "limits", *extra]).facts
        print(
            f"{bounds['device']}; measured: float32 {bounds['float32'] / 1e9:,.0f} and bfloat16 "
            f"{bounds['bfloat16'] / 1e9:,.0f} GFLOP/s, memory {bounds['bandwidth'] / 1e9:,.1f} GB/s"
        )
        if options.what != "embedding" and options.device == "cpu" and not Path(extra[-1]).exists():
            common.child("benchmarks.vectors", ["--contender", "generate", *extra])
        _compare(options, extra, bounds)


def _compare(options: argparse.Namespace, extra: list[str], bounds: dict[str, Any]) -> None:
    contenders = CONTENDERS[options.what]
    waits = "sklearn minibatch, in all"
    if options.what == "kmeans" and (waits in options.only or not options.only):
        # Ours first: scikit-learn stops at its inertia.
        first = common.child("benchmarks.vectors", ["--contender", "chunky", *extra])
        extra = [*extra, "--target", str(first.facts["inertia"])]
    runs = common.contest("benchmarks.vectors", contenders, options, extra)
    amount = {"kmeans": options.rows, "search": options.queries, "embedding": options.rows}[options.what]
    common.report(
        runs, "chunky", {"kmeans": "vectors", "search": "queries", "embedding": "sentences"}[options.what], amount
    )
    for name, found in runs.items():
        facts = {key: value for key, value in found[0].facts.items() if key not in ("cpu", "done")} if found else {}
        print(f"  {name}: {facts}")
    if runs.get("chunky"):
        _shares(options, min(run.seconds for run in runs["chunky"]), bounds)


def _shares(options: argparse.Namespace, seconds: float, bounds: dict[str, Any]) -> None:
    """What part of the machine's measured limits our best time is."""
    kind = "bfloat16" if bounds["half"] else "float32"
    if options.what == "kmeans":
        flop = 2 * options.rows * options.width * options.clusters / seconds
        print(f"chunky: {flop / 1e9:,.0f} GFLOP/s, {flop / bounds[kind]:.0%} of the measured {kind} products")
    if options.what == "search":
        size = 2 if options.device.startswith("cuda") else 1  # bytes a number that the first products read
        speed = options.rows * options.width * size / seconds
        print(f"chunky: {speed / 1e9:,.1f} GB/s, {speed / bounds['bandwidth']:.0%} of the measured bandwidth")


if __name__ == "__main__":
    main()
