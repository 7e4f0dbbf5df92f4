"""Traces: seconds of one failure, of a hundred at once, and of opening a lake, as the mix grows.

The lake comes built (`--lake`). Larger and smaller ones are made of it by copying or leaving out rows with all their
attributes, under new ids: building a million rows takes an hour, and a trace reads nothing that a copy lacks.
`--attributes 5` keeps five a side, as many in all as a model gives; by default all stay that the rules found.
Failures are rows of the lake with the response of another row of the same chunk. Run: `python -m benchmarks.trace
--lake LAKE --copies 0.04 --copies 0.4 --copies 4`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import common

if TYPE_CHECKING:
    from chunky.turf import Failure
    from chunky.warehouse import Warehouse

_KEPT = ("attributes", "clusters", "embeddings", "corpus", "turf")
_WRITTEN = (
    "corpus.rows",
    "attributes.row_attributes",
    "attributes.texts",
    "embeddings.row_sentences",
    "clusters.summaries",
)
_RUBRICS = ("rebuttal", "code", "identity", "math", "refusal", "analytic", "literary_style")
_BATCH = 100
_ONES = 40

_TEXTS = """
select texts.* replace (coalesce(counted.rows, 0) as rows)
from attributes.texts as texts
left join (select attribute_id, count(*) as rows from grown group by all) as counted using (attribute_id)
order by attribute_id
"""
_SUMMARIES = """
select summaries.* replace (coalesce(counted.rows, 0) as rows, coalesce(counted.rows, 0) / ? as row_share)
from clusters.summaries as summaries
left join (
    select cluster_id, count(distinct row_id) as rows
    from grown inner join clusters.assignments using (attribute_id) group by all
) as counted using (cluster_id)
order by cluster_id
"""
_SENTENCES = """
select sentence_id, xor(row_id, number << 50) as row_id, text_part
from embeddings.row_sentences, range(?) as copies (number)
where (row_id & 1023) < ?
order by sentence_id, row_id
"""
_FAILURES = """
select query, lead(response) over (partition by chunk order by hash(row_id)) as response
from corpus.rows where length(query) < 4000 and length(response) < 4000 order by hash(row_id) limit ?
"""


def grown(source: Path, target: Path, copies: float, attributes: int) -> Warehouse:
    """A lake at `target`: the rows of `source` `copies` times, with attributes of rank `attributes` at most."""
    from chunky.lens import Lens
    from chunky.pipeline import STEPS, silent
    from chunky.settings import Settings
    from chunky.warehouse import Warehouse

    for name in _KEPT:
        shutil.copytree(source / name, target / name)
    lake, old = Warehouse(target), Warehouse(source)
    facts = {"fingerprint": f"{copies} {attributes}"}
    numbers = range(max(1, round(copies)))
    kept = round(1024 * min(copies, 1))
    with Lens(old) as lens, lake.transaction(*_WRITTEN) as transaction:
        for table in _WRITTEN:
            transaction.replace_all(table)
        files = []
        for chunk in sorted({key[0] for key in old.parts("corpus.rows")}):
            for table, order in (
                ("corpus.rows", "row_id"),
                ("attributes.row_attributes", "row_id, side, attribute_rank"),
            ):
                limit = "" if table == "corpus.rows" else f"and attribute_rank <= {attributes}"
                sql = (
                    f"select * replace (xor(row_id, ?::bigint << 50) as row_id) from {table} "
                    f"where chunk = ? and (row_id & 1023) < {kept} {limit} order by {order}"
                )
                for number in numbers:
                    key = (chunk, f"copy {number}") if table == "corpus.rows" else (chunk,)
                    if table == "corpus.rows":
                        transaction.write(table, lens.batches(sql, [number, chunk]), facts, key)
                if table != "corpus.rows":
                    parts = (batch for number in numbers for batch in lens.batches(sql, [number, chunk]))
                    files.append(str(lake.root / transaction.write(table, parts, facts, key).file))
        transaction.write("embeddings.row_sentences", lens.batches(_SENTENCES, [len(numbers), kept]), facts)
        rows = sum(part.rows for part in transaction.parts("corpus.rows").values())
        with lens.registered(grown=lens.connection.read_parquet(files, hive_partitioning=False)):
            transaction.write("attributes.texts", lens.batches(_TEXTS), facts)
            transaction.write("clusters.summaries", lens.batches(_SUMMARIES, [rows]), facts)
    for step in ("postings", "null"):
        STEPS[step](lake, Settings(), silent)
    return lake


def failures_of(lake: Warehouse, count: int) -> list[Failure]:
    """Rows of the lake, each with the response of another row of its chunk, under rubrics in turn."""
    from chunky.lens import Lens
    from chunky.rubrics import rubric
    from chunky.turf import Failure

    with Lens(lake) as lens:
        pairs = lens.table(_FAILURES, [2 * count]).to_pylist()
    whole = [pair for pair in pairs if pair["response"]][:count]
    return [
        Failure(pair["query"], pair["response"], rubric(_RUBRICS[number % len(_RUBRICS)]))
        for number, pair in enumerate(whole)
    ]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Open one lake and trace in it; in a child process."""
    from chunky.lens import Lens
    from chunky.pipeline.tracing import Tracer
    from chunky.settings import Settings
    from chunky.warehouse import Warehouse

    lake = Warehouse(options.lake)
    failures = failures_of(lake, _BATCH)
    sql_seconds: list[float] = []

    class Timed(Tracer):
        def _model(self, name: str, **parameters: Any) -> Any:
            started = time.perf_counter()
            found = super()._model(name, **parameters)
            sql_seconds.append(time.perf_counter() - started)
            return found

    started, used = time.perf_counter(), time.process_time()
    with Timed(lake, Settings()) as tracer:
        facts: dict[str, Any] = {"open": time.perf_counter() - started}
        tracer.trace(failures[:1])
        facts["first answer"] = time.perf_counter() - started
        facts["first answer, CPU"] = time.process_time() - used
        ones, cpu, sql = [], [], []
        for failure in failures[1 : _ONES + 1]:
            sql_seconds.clear()
            begun, used = time.perf_counter(), time.process_time()
            tracer.trace([failure])
            ones.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - used)
            sql.append(sum(sql_seconds))
        begun, used = time.perf_counter(), time.process_time()
        tracer.trace(failures)
        facts["batch, each"] = (time.perf_counter() - begun) / len(failures)
        facts["batch, each, CPU"] = (time.process_time() - used) / len(failures)
    for name, values in (("one", ones), ("one, CPU", cpu), ("SQL of one", sql)):
        ordered = sorted(values)
        facts |= {f"{name}, p50": ordered[len(ordered) // 2], f"{name}, p95": ordered[int(0.95 * len(ordered))]}
    with Lens(lake) as lens:
        facts["rows"] = lake.rows("corpus.rows")
        facts["row attributes"] = lake.rows("attributes.row_attributes")
        facts["distinct sentences"] = lens.table("select count(*) as n from attributes.texts")["n"][0].as_py()
    return {"seconds": time.perf_counter() - started, **facts}


def main() -> None:
    """Print one block of figures a size."""
    parser = common.parser(__doc__ or "")
    parser.add_argument("--lake", type=Path, required=True, help="a built lake")
    parser.add_argument("--copies", type=float, action="append", help="sizes, as a multiple of the lake (repeat)")
    parser.add_argument("--attributes", type=int, default=1_000, help="attributes kept of each side of a row")
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(measure(options)))
        return
    with common.workplace(options) as work:
        for copies in options.copies or [1.0]:
            target = work / f"{copies:g}-{options.attributes}"
            if not target.is_dir():
                grown(options.lake, target, copies, options.attributes)
            run = common.child("benchmarks.trace", ["--contender", "chunky", "--lake", str(target)])
            print(f"{copies:g} × {options.lake}: peak {run.peak_bytes / 2**20:,.0f} MiB")
            for name, value in run.facts.items():
                print(f"  {name:20} {value:,.3f}" if isinstance(value, float) else f"  {name:20} {value:,}")


if __name__ == "__main__":
    main()
