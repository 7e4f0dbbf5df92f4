"""What the benchmarks measure on, made in a process of its own: planted worlds, JSON lines, replicas, lakes.

`python -m benchmarks.prepare plant FOLDER` · `jsonl MIX FOLDER` · `rows LAKE FOLDER` · `replicas MIX FOLDER ROWS` ·
`lake MIX LAKE STEP…`. Each prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORDS_PER_RENAMED = 3  # one word of three among the rarer ones gets a new name in a replica
COMMON_ROWS = 50  # words in more messages of a file keep their name: they are grammar, or what a source is about


def plant(folder: str) -> dict[str, Any]:
    """Write a planted world of 20,000 conversations to `folder/mix`."""
    from chunky.planted import WorldSpec, plant_world, write_world

    files = write_world(plant_world(WorldSpec(seed=1, rows=20_000)), Path(folder))
    return {"files": len(files.mix)}


def jsonl(mix: str, folder: str) -> dict[str, Any]:
    """Write each Parquet file of a mix as JSON lines of the same records."""
    import polars as pl

    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = sorted(Path(mix).glob("*.parquet"))
    for path in paths:
        with (Path(folder) / f"{path.stem}.jsonl").open("w", encoding="utf-8") as file:
            for row in pl.read_parquet(path).iter_rows(named=True):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return {"files": len(paths)}


def rows(lake: str, folder: str) -> dict[str, Any]:
    """Write `corpus.rows` as JSON lines, a file per chunk and side: what a grep searches."""
    import orjson
    import pyarrow.parquet as pq

    from chunky.warehouse import Warehouse

    store, written = Warehouse(Path(lake)), 0
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number, (_, part) in enumerate(sorted(store.parts("corpus.rows").items())):
        with (
            (Path(folder) / f"{number}.query.jsonl").open("wb") as queries,
            (Path(folder) / f"{number}.response.jsonl").open("wb") as responses,
        ):
            for batch in pq.ParquetFile(store.root / part.file).iter_batches(columns=["query", "response"]):
                for query, response in zip(batch["query"].to_pylist(), batch["response"].to_pylist(), strict=True):
                    queries.write(orjson.dumps(query) + b"\n")
                    responses.write(orjson.dumps(response) + b"\n")
                    written += 1
    return {"rows": written}


def lake(mix: str, folder: str, *steps: str) -> dict[str, Any]:
    """Ingest a mix into a lake and build `steps`."""
    from chunky import pipeline
    from chunky.settings import Settings
    from chunky.warehouse import Warehouse

    store = Warehouse(Path(folder))
    for one in pipeline.ingest(store, [mix], Settings()):
        if one.fault:
            raise RuntimeError(one.fault)
    for step in steps:
        pipeline.STEPS[step](store, Settings(), pipeline.silent)
    return {"rows": store.rows("corpus.rows")}


def replicas(mix: str, folder: str, wanted: str) -> dict[str, Any]:
    """Write about `wanted` conversations: the mix, whole or thinned, and renamed replicas of it.

    Replica 0 is the mix itself. In each other one a third of the rarer words of a file consistently get another name,
    so that words and n-grams grow with the rows, as they do in real data, and repeats of a row are no repeats.
    """
    import polars as pl

    paths = sorted(Path(mix).glob("*.parquet"))
    frames = {path.stem: pl.read_parquet(path) for path in paths}
    held = sum(frame.height for frame in frames.values())
    Path(folder).mkdir(parents=True, exist_ok=True)
    written, replica = 0, 0
    while written < int(wanted):
        share = min(1.0, (int(wanted) - written) / held)
        for name, frame in frames.items():
            part = frame.head(
                max(1, round(frame.height * share))
            )  # no sampling: what repeats in a file goes on to repeat
            part = part if replica == 0 else _renamed(part, replica)
            part.write_parquet(Path(folder) / f"{name}-{replica}.parquet", compression="zstd")
            written += part.height
        replica += 1
    return {"conversations": written, "replicas": replica}


def _renamed(frame: Any, replica: int) -> Any:
    """`frame` with other names for some words, and other ids; the chunk keeps its name."""
    import re

    import polars as pl

    word = re.compile(r"[^\W\d_]{3,}")
    counts: dict[str, int] = {}
    messages = frame["messages"].to_list()
    for turns in messages:
        for found in {found for turn in turns for found in word.findall(turn["content"] or "")}:
            counts[found] = counts.get(found, 0) + 1
    rare = sorted(found for found, count in counts.items() if count <= COMMON_ROWS)
    names = {found: f"{found}{_suffix(replica)}" for found in rare if hash_of(found, replica) % WORDS_PER_RENAMED == 0}

    def rename(text: str | None) -> str | None:
        return None if text is None else word.sub(lambda match: names.get(match[0], match[0]), text)

    changed = [[{**turn, "content": rename(turn["content"])} for turn in turns] for turns in messages]
    return frame.with_columns(
        pl.Series("messages", changed, dtype=frame["messages"].dtype),
        pl.concat_str(pl.lit(f"{replica}-"), pl.col("id").cast(pl.String)).alias("id"),
    )


def hash_of(text: str, replica: int) -> int:
    """A number that is the same in every run."""
    import zlib

    return zlib.crc32(f"{replica} {text}".encode()) >> 4


def _suffix(replica: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(replica)) + "x"


MAKERS: dict[str, Callable[..., dict[str, Any]]] = {
    "plant": plant, "jsonl": jsonl, "rows": rows, "lake": lake, "replicas": replicas,
}  # fmt: skip


def main() -> None:
    """Make one thing."""
    started = time.perf_counter()
    facts = MAKERS[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({"seconds": time.perf_counter() - started, **facts}))


if __name__ == "__main__":
    main()
