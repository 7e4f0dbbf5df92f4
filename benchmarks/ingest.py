"""Ingest: rows a second into a fresh lake, against Hugging Face `datasets` and pandas doing the same work.

All start from the same files and end with Parquet on disk, one row per assistant turn: id, chunk, conversation, turn,
query, response and their lengths. Ours also checks every record, numbers repeats, digests the files and syncs to disk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import common

BATCH = 1_000  # the default of datasets; 10,000 was no faster


def chunky(options: argparse.Namespace) -> dict[str, Any]:
    """`pipeline.ingest` into a fresh lake."""
    import pandas  # noqa: F401 (pyarrow imports it at its first conversion, as `datasets` does when imported)

    from chunky import pipeline
    from chunky.settings import Settings
    from chunky.warehouse import Warehouse

    lake = Warehouse(options.out / "lake")
    files = [str(path) for path in options.files]

    def work() -> dict[str, Any]:
        done = list(pipeline.ingest(lake, files, Settings()))
        faults = [one.fault for one in done if one.fault]
        if faults:
            raise RuntimeError(faults[0])
        return {"rows": sum(one.counts.rows for one in done)}

    return common.answer(work)


def explode(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """One row per assistant turn of a batch of conversations: what a `map` function of `datasets` is."""
    rows: dict[str, list[Any]] = {
        name: []
        for name in ("row_id", "chunk", "conversation_id", "turn", "system", "query", "response",
                     "query_chars", "response_chars")
    }  # fmt: skip
    for conversation, messages, source in zip(batch["id"], batch["messages"], batch["source"], strict=True):
        system, query, turn = None, None, 0
        for message in messages:
            role, text = message["role"], message["content"]
            if role == "system":
                system = text
            elif role == "user":
                query = text if query is None else query + "\n\n" + text
            elif role == "assistant" and query is not None:
                turn += 1
                key = f"{source}\0{conversation}\0{turn}".encode()
                rows["row_id"].append(
                    int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little", signed=True)
                )
                rows["chunk"].append(source)
                rows["conversation_id"].append(conversation)
                rows["turn"].append(turn)
                rows["system"].append(system)
                rows["query"].append(query)
                rows["response"].append(text)
                rows["query_chars"].append(len(query))
                rows["response_chars"].append(len(text))
                query = None
    return rows


def _datasets(options: argparse.Namespace, processes: int) -> dict[str, Any]:
    datasets = common.peer("datasets", "datasets")
    datasets.disable_progress_bars()
    kind = "json" if options.files[0].suffix == ".jsonl" else "parquet"
    features = datasets.Features({  # null in every row of one file must not become a column of nulls
        **{name: datasets.Value("string") for name in ("chunk", "conversation_id", "system", "query", "response")},
        "row_id": datasets.Value("int64"),
        **{name: datasets.Value("int32") for name in ("turn", "query_chars", "response_chars")},
    })  # fmt: skip

    def work() -> dict[str, Any]:
        files = [str(path) for path in options.files]
        workers = processes if processes > 1 else None
        loaded = datasets.load_dataset(
            kind, data_files=files, split="train", cache_dir=str(options.out / "cache"), num_proc=workers
        )
        rows = loaded.map(
            explode,
            batched=True,
            batch_size=BATCH,
            remove_columns=loaded.column_names,
            features=features,
            num_proc=workers,
        )
        rows.to_parquet(str(options.out / "rows.parquet"))
        return {"rows": len(rows)}

    return common.answer(work)


def datasets_1(options: argparse.Namespace) -> dict[str, Any]:
    """`datasets` in one process."""
    return _datasets(options, 1)


def datasets_2(options: argparse.Namespace) -> dict[str, Any]:
    """`datasets` with two worker processes."""
    return _datasets(options, 2)


def pandas(options: argparse.Namespace) -> dict[str, Any]:
    """pandas: read a file, explode it, write it."""
    import pandas as pd

    def work() -> dict[str, Any]:
        total = 0
        for number, path in enumerate(options.files):
            frame = pd.read_json(path, lines=True) if path.suffix == ".jsonl" else pd.read_parquet(path)
            columns = {name: frame[name].tolist() for name in ("id", "messages", "source")}
            rows = pd.DataFrame(explode(columns))
            rows.to_parquet(options.out / f"{number}.parquet", compression="zstd")
            total += len(rows)
        return {"rows": total}

    return common.answer(work)


CONTENDERS: dict[str, common.Contender] = {
    "chunky": chunky,
    "datasets, 1 process": datasets_1,
    "datasets, 2 processes": datasets_2,
    "pandas": pandas,
}


def main() -> None:
    """Measure both formats, or do one measurement for the parent."""
    parser = common.parser(__doc__ or "")
    parser.add_argument("--format", choices=("parquet", "jsonl"), action="append", default=[])
    parser.add_argument("--files", type=Path, help="folder of input files (child)")
    options = parser.parse_args()
    if options.contender:
        options.files = sorted(options.files.iterdir())
        with tempfile.TemporaryDirectory(prefix="chunky-bench-") as out:
            options.out = Path(out)
            print(json.dumps(CONTENDERS[options.contender](options)))
        return
    with common.workplace(options) as work:
        common.machine("datasets", "pandas")
        mix = common.mix_folder(options, work)
        for kind in options.format or ("parquet", "jsonl"):
            _measure(options, mix, work, kind)


def _measure(options: argparse.Namespace, mix: Path, work: Path, kind: str) -> None:
    folder = work / f"bench-{kind}"
    shutil.rmtree(folder, ignore_errors=True)
    if kind == "jsonl":
        common.child("benchmarks.prepare", ["jsonl", str(mix), str(folder)])
    else:
        folder.mkdir()
        for path in sorted(mix.glob("*.parquet")):
            (folder / path.name).symlink_to(path.resolve())
    files = list(folder.iterdir())
    size = sum(path.stat().st_size for path in files)
    print(f"{kind}: {len(files)} files, {size / 2**20:,.0f} MiB")
    runs = common.contest("benchmarks.ingest", CONTENDERS, options, ["--files", str(folder)])
    counts = {name: {run.facts["rows"] for run in found} for name, found in runs.items()}
    print(f"  rows: {counts}")
    common.report(runs, "chunky", "rows", next(iter(counts["chunky"])) if "chunky" in counts else 0)
    print()


if __name__ == "__main__":
    main()
