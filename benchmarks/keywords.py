"""Keywords: row counts of all 1- to 5-grams of a mix, by side and chunk; time and peak memory, a process each.

Peers: a plain Python `Counter` and scikit-learn's `CountVectorizer`, on a sample of the rows, since neither fits the
mix into memory; their times are extrapolated in proportion to the rows, which flatters them (their dictionaries grow).
Both peers cut words by a regular expression alone and know neither positions nor chunks.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import common

LONGEST = 5


def _batches(lake: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    from chunky.warehouse import Warehouse

    for file in Warehouse(lake).files("corpus.rows"):
        yield from pq.ParquetFile(file).iter_batches(8_192, columns=["chunk", "query", "response"])


def _sample(options: argparse.Namespace) -> tuple[list[str], int]:
    """Texts of every n-th row, query and response after each other, and the number of rows they come from."""
    step, texts, rows = round(1 / options.share), [], 0
    for batch in _batches(options.lake):
        for query, response in list(zip(batch["query"].to_pylist(), batch["response"].to_pylist(), strict=True))[
            ::step
        ]:
            texts += [query, response]
            rows += 1
    return texts, rows


def chunky(options: argparse.Namespace) -> dict[str, Any]:
    """`keywords.count_phrases` over all rows, tables made; rows of the result."""
    from chunky.keywords import count_phrases

    def work() -> dict[str, Any]:
        counted = count_phrases(lambda: _batches(options.lake))
        kept = sum(table.num_rows for table in counted.tables())
        return {"rows": counted.read_rows, "phrases": counted.vocabulary.num_rows, "counts": kept}

    return common.answer(work)


def counter(options: argparse.Namespace) -> dict[str, Any]:
    """A dictionary of n-gram → rows, on a sample."""
    import re

    word = re.compile(r"\w+|[^\w\s]")
    texts, rows = _sample(options)

    def work() -> dict[str, Any]:
        counts: Counter[tuple[int, tuple[str, ...]]] = Counter()
        for place, text in enumerate(texts):
            words = word.findall(text.lower())
            found = {tuple(words[i : i + n]) for n in range(1, LONGEST + 1) for i in range(len(words) - n + 1)}
            counts.update((place % 2, gram) for gram in found)
        return {"rows": rows, "phrases": sum(count >= 5 for count in counts.values())}

    return common.answer(work)


def vectorizer(options: argparse.Namespace) -> dict[str, Any]:
    """scikit-learn's CountVectorizer, binary, n-grams 1 to 5, one run a side, on a sample."""
    text = common.peer("sklearn.feature_extraction.text", "scikit-learn")
    texts, rows = _sample(options)

    def work() -> dict[str, Any]:
        phrases = 0
        for side in (0, 1):
            model = text.CountVectorizer(ngram_range=(1, LONGEST), binary=True, token_pattern=r"\w+|[^\w\s]", min_df=5)
            phrases += model.fit_transform(texts[side::2]).shape[1]
        return {"rows": rows, "phrases": phrases}

    return common.answer(work)


CONTENDERS: dict[str, common.Contender] = {
    "chunky": chunky,
    "Counter, sample": counter,
    "CountVectorizer, sample": vectorizer,
}


def main() -> None:
    """Measure all, or do one measurement for the parent."""
    parser = common.parser(__doc__ or "")
    parser.set_defaults(rounds=1)
    parser.add_argument("--lake", type=Path, help="lake with rows (default: one made of the mix)")
    parser.add_argument("--share", type=float, default=0.02, help="share of the rows that the peers count")
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(CONTENDERS[options.contender](options)))
        return
    with common.workplace(options) as work:
        common.machine("scikit-learn")
        if options.lake is None:
            options.lake = work / "lake"
            common.child("benchmarks.prepare", ["lake", str(common.mix_folder(options, work)), str(options.lake)])
        extra = ["--lake", str(options.lake), "--share", str(options.share)]
        runs = common.contest("benchmarks.keywords", CONTENDERS, options, extra)
        total = max((run.facts["rows"] for found in runs.values() for run in found), default=0)
        common.report(runs, "chunky")
        for name, found in runs.items():
            facts = found[0].facts
            factor = total / facts["rows"]
            note = f", ×{factor:.0f} for all rows: {found[0].seconds * factor:,.0f} s" if factor > 1.01 else ""
            print(f"{name}: {facts['rows']:,} rows, {facts['phrases']:,} phrases in 5 rows or more{note}")


if __name__ == "__main__":
    main()
