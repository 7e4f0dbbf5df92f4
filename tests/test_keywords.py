"""Run with `pytest tests/test_keywords.py`: phrase counts against counting with a dictionary, and the phrases SQL."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.errors import InputError, SettingsError
from chunky.keywords import count_phrases, count_subset, phrase_ids
from chunky.keywords.grams import Block, Grams
from chunky.keywords.tallies import Sketch, tally_block
from chunky.lens import macro_parts
from chunky.tables import POSITIONS, SIDES, TABLES
from chunky.tokens import phrase_pattern, tokenize_slow

SQL = Path(__file__).parent.parent / "sql" / "keywords" / "phrases.sql"
MACROS = Path(__file__).parent.parent / "sql" / "macros"
WORDS = st.sampled_from(["a", "b", "b", "no", ",", "####", "12", "7.5", "中", "\\frac", " ", " ", "\n"])
TEXTS = st.lists(WORDS, max_size=12).map("".join)
ROWS = st.lists(st.tuples(st.sampled_from(["x", "y", "a/b"]), TEXTS, TEXTS), max_size=25)
Row = tuple[str, str, str]
Counts = dict[tuple[str, str, str, str], int]


def as_batches(rows: list[Row], size: int = 7) -> Callable[[], Iterable[pa.Table]]:
    names = ("chunk", "query", "response")
    columns = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    table = pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
    return lambda: (table.slice(start, size) for start in range(0, len(table), size))


def count_slowly(rows: list[Row], min_rows: int, max_tokens: int = 5) -> Counts:
    """(side, phrase, position, chunk) → rows, with a dictionary."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    for chunk, *texts in rows:
        for side, text in zip(SIDES, texts, strict=True):
            tokens = tokenize_slow(text)
            held = set()
            for size in range(1, max_tokens + 1):
                for at in range(len(tokens) - size + 1):
                    phrase = "".join(tokens[at : at + size]).lstrip(" ")
                    held.add((side, phrase, "anywhere", chunk))
                    if at == 0:
                        held.add((side, phrase, "opening", chunk))
                    if at + size == len(tokens):
                        held.add((side, phrase, "closing", chunk))
            found.update(held)
    mix: Counter[tuple[str, str]] = Counter()
    for (side, phrase, position, _), count in found.items():
        if position == "anywhere":
            mix[side, phrase] += count
    return {key: count for key, count in found.items() if mix[key[:2]] >= min_rows}


def as_counts(tables: Iterable[pa.Table]) -> Counts:
    rows = [row for table in tables for row in table.to_pylist()]
    counts = {(row["side"], row["phrase"], row["position"], row["chunk"]): row["rows"] for row in rows}
    assert len(counts) == len(rows)
    return counts


@settings(deadline=None, max_examples=40)
@given(ROWS, st.integers(1, 4), st.integers(1, 5))
def test_counts_agree_with_a_dictionary(rows: list[Row], min_rows: int, max_tokens: int) -> None:
    counted = count_phrases(as_batches(rows), min_rows=min_rows, max_tokens=max_tokens)
    expected = count_slowly(rows, min_rows, max_tokens)
    assert as_counts(counted.tables()) == expected
    assert counted.read_rows == len(rows)
    totals: Counter[tuple[str, str]] = Counter()
    for (side, phrase, position, _), count in expected.items():
        totals[side, phrase] += count * (position == "anywhere")
    vocabulary = counted.vocabulary.to_pylist()
    assert [(row["side"], row["phrase"]) for row in vocabulary] == sorted(totals)
    assert {(row["side"], row["phrase"]): row["rows"] for row in vocabulary} == dict(totals)
    assert all(row["tokens"] == len(tokenize_slow(row["phrase"].replace("⟨n⟩", "0"))) for row in vocabulary)
    for side in SIDES:
        ours = [row for row in vocabulary if row["side"] == side]
        assert phrase_ids(side, [row["phrase"] for row in ours]).tolist() == [row["phrase_id"] for row in ours]


@settings(deadline=None, max_examples=25)
@given(ROWS, st.randoms(use_true_random=False))
def test_neither_batches_nor_the_order_of_rows_matter(rows: list[Row], draw: random.Random) -> None:
    shuffled = draw.sample(rows, len(rows))
    one, other = count_phrases(as_batches(rows), min_rows=2), count_phrases(as_batches(shuffled, size=3), min_rows=2)
    assert one.chunks == other.chunks
    assert list(one.tables()) == list(other.tables())


@settings(deadline=None, max_examples=25)
@given(ROWS)
def test_a_chunk_counted_alone_has_the_counts_of_the_whole(rows: list[Row]) -> None:
    counted = count_phrases(as_batches(rows), min_rows=2)
    for chunk, table in zip(counted.chunks, counted.tables(), strict=True):
        alone = list(count_subset(as_batches([row for row in rows if row[0] == chunk]), counted.vocabulary))
        assert alone == [table]


def test_tables_keep_the_catalog() -> None:
    rows = [("x", "no, no, no", "#### 4"), ("x", "no,", "#### 51"), ("z", "never", "…")]
    first, empty = count_phrases(as_batches(rows), min_rows=2).tables()
    assert first.schema.equals(TABLES["keywords.counts"].arrow_schema)
    assert empty.num_rows == 0
    keys = [(row["side"], row["phrase"], POSITIONS.index(row["position"])) for row in first.to_pylist()]
    assert keys == sorted(keys)
    counts = as_counts([first])
    assert counts["query", "no,", "anywhere", "x"] == 2, "repeats within a row count once"
    assert counts["response", "#### ⟨n⟩", "closing", "x"] == 2


def test_counts_hold_beyond_what_the_sketch_can_count() -> None:
    rows = [("x", "common", "rare" if row < 299 else "yes") for row in range(600)]
    counts = as_counts(count_phrases(as_batches(rows, 100), min_rows=300).tables())
    assert counts["query", "common", "anywhere", "x"] == 600
    assert counts["response", "yes", "anywhere", "x"] == 301
    assert ("response", "rare", "anywhere", "x") not in counts


def test_blocks_larger_than_their_limits_lose_nothing() -> None:
    long = " ".join(f"w{number}" for number in range(200_000))
    rows = [("x", "short", long), *[("x", "a b", "c")] * 5000, ("y", long, "tail")]
    counted = count_phrases(as_batches(rows, 6000), min_rows=2)
    counts = as_counts(counted.tables())
    assert counts["query", "a b", "opening", "x"] == 5000
    assert ("response", "w7 w8", "anywhere", "x") not in counts, "the two long texts are on different sides"


def test_phrases_that_share_52_bits_of_their_hash_are_kept_apart() -> None:
    near = np.uint64(0xABCDEF0123456000)
    hashes = np.array([near, near + np.uint64(1), near, near + np.uint64(1), near], np.uint64)
    rows = np.array([3, 3, 3, 3, 4], np.uint64)
    found = Grams(hashes, rows, np.arange(5, dtype=np.uint32), hashes[:0], hashes[:0])
    block = Block("x", 0, 10, None, None)
    tally = tally_block(block, found, np.ones(5, np.bool_))
    totals: defaultdict[int, int] = defaultdict(int)
    for value, count in zip(tally.hashes.tolist(), tally.rows.tolist(), strict=True):
        totals[value] += count
    assert totals == {int(near): 2, int(near) + 1: 1}
    sketch = Sketch(2)
    sketch.add(hashes, rows)
    assert sketch.passes(hashes).all(), "a bound from above"


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 1 row"):
        count_phrases(as_batches([]), min_rows=0)
    with pytest.raises(SettingsError, match="1 to 5 tokens"):
        count_phrases(as_batches([]), max_tokens=6)
    with pytest.raises(SettingsError, match="no side"):
        phrase_ids("answer", ["a"])
    with pytest.raises(SettingsError, match="no word"):
        phrase_ids("query", ["a", " "])
    with pytest.raises(InputError, match="no column query, response"):
        count_phrases(lambda: [pa.table({"chunk": ["x"]})])


def test_rows_that_change_between_passes_are_noticed() -> None:
    calls = iter([10, 10, 3])
    with pytest.raises(InputError, match="changed between two passes"):
        count_phrases(lambda: as_batches([("x", "a", "b")] * next(calls))(), min_rows=2)


def phrases_in_sql(tables: Iterable[pa.Table], rows: pa.Table, prior: float | None = None) -> list[dict[str, object]]:
    """Rows of `keywords.phrases`, each with what `keywords.shared_phrases` says of it (its `shared`, else None)."""
    counts = pa.concat_tables([TABLES["keywords.counts"].arrow_schema.empty_table(), *tables])
    with duckdb.connect() as session:
        for schema in ("keywords", "corpus", "stats"):
            session.execute(f"create schema {schema}")
        for macro in ("stats/prior_log_odds", "stats/prior_error"):
            session.execute(macro_parts(MACROS / f"{macro}.sql")[0])
        session.register("counts_table", counts)
        session.register("rows_table", rows)
        session.execute("create view keywords.counts as select * from counts_table")
        session.execute("create view corpus.rows as select * from rows_table")
        if prior is not None:
            session.execute("set variable keyword_prior_rows = ?", [prior])
        table = session.sql(SQL.read_text()).to_arrow_table()
        session.register("phrases_table", table)
        session.execute("create view keywords.phrases as select * from phrases_table")
        session.execute(macro_parts(MACROS / "keywords" / "shared_phrases.sql")[0])
        shared = session.sql("from keywords.shared_phrases(1)").to_arrow_table().to_pylist()
    wanted = TABLES["keywords.phrases"].arrow_schema
    assert table.schema.names == wanted.names
    assert table.schema.types == [wanted.field(name).type for name in table.schema.names]
    found: list[dict[str, object]] = table.to_pylist()
    of_phrase = {(row["phrase_id"], row["position"]): row for row in shared}
    assert len(of_phrase) == len(shared)
    return [row | {"shared": of_phrase.get((row["phrase_id"], row["position"]))} for row in found]


def log_odds(in_top: int, top: int, in_mix: int, mix: int, prior: float) -> tuple[float, float]:
    """Monroe et al. 2008, equations 15 and 19 for two cells, and their z-score, equation 22."""
    with_it, without = prior * (in_mix + 0.5) / (mix + 1), prior * (mix - in_mix + 0.5) / (mix + 1)
    cells = [in_top + with_it, top - in_top + without]
    cells += [in_mix - in_top + with_it, mix - top - (in_mix - in_top) + without]
    odds = math.log(cells[0] / cells[1]) - math.log(cells[2] / cells[3])
    return odds, odds / math.sqrt(sum(1 / cell for cell in cells))


def shared(chunks: dict[str, int], sizes: Counter[str], key: dict[str, object]) -> dict[str, object] | None:
    """What `keywords.shared_phrases` says of a phrase that stands in `chunks[name]` rows of each chunk."""
    if len(chunks) < 2:
        return None
    top, second = sorted(chunks, key=lambda chunk: (-chunks[chunk], chunk))[:2]
    mix, held = sizes.total(), sum(chunks.values())
    scores = [
        log_odds(chunks[one], sizes[one], held - chunks[other], mix - sizes[other], mix / 4)[1]
        for one, other in ((top, second), (second, top))
        if mix > sizes[one] + sizes[other]
    ]
    return {
        **key, "top_chunk": top, "top_chunk_rows": chunks[top], "second_chunk": second,
        "second_chunk_rows": chunks[second],
        "shared_z_score": pytest.approx(min(scores), abs=1e-9) if scores else None,
    }  # fmt: skip


@settings(deadline=None, max_examples=20)
@given(ROWS, st.one_of(st.none(), st.floats(0.5, 100)))
def test_sql_agrees_with_the_formula(rows: list[Row], prior: float | None) -> None:
    counted = count_phrases(as_batches(rows), min_rows=1)
    sizes = Counter(chunk for chunk, _, _ in rows)
    by_phrase: defaultdict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
    for (side, phrase, position, chunk), count in as_counts(counted.tables()).items():
        by_phrase[side, phrase, position][chunk] = count
    found = phrases_in_sql(
        counted.tables(), pa.table({"chunk": pa.array([row[0] for row in rows], pa.string())}), prior
    )
    assert {(row["side"], row["phrase"], row["position"]) for row in found} == set(by_phrase)
    assert len(found) == len(by_phrase)
    for row in found:
        chunks = by_phrase[row["side"], row["phrase"], row["position"]]  # type: ignore[index]
        top = min(chunks, key=lambda chunk: (-chunks[chunk], chunk))
        total = sum(chunks.values())
        assert (row["top_chunk"], row["top_chunk_rows"]) == (top, chunks[top])
        assert (row["rows"], row["chunk_count"]) == (total, len(chunks))
        assert row["top_chunk_share"] == chunks[top] / total
        assert row["shared"] == shared(chunks, sizes, {"phrase_id": row["phrase_id"], "position": row["position"]})
        if sizes[top] == len(rows):
            assert row["phrase_log_odds"] is None
            assert row["phrase_z_score"] is None
        else:
            expected = log_odds(chunks[top], sizes[top], total, len(rows), prior or len(rows) / 4)
            assert (row["phrase_log_odds"], row["phrase_z_score"]) == pytest.approx(expected, abs=1e-9)


def test_a_phrase_of_one_chunk_scores_above_one_that_others_share() -> None:
    rows = [("x", "only" if row < 50 else "shared", "r") for row in range(100)]
    rows += [("y", "shared" if row < 25 else "filler", "r") for row in range(2000)]
    found = phrases_in_sql(
        count_phrases(as_batches(rows), min_rows=1).tables(), pa.table({"chunk": [row[0] for row in rows]})
    )
    scores = {row["phrase"]: row["phrase_z_score"] for row in found if row["position"] == "anywhere"}
    assert scores["only"] > scores["shared"] > 0  # type: ignore[operator]
    assert abs(scores["r"]) < 1, "in all rows everywhere: no excess"  # type: ignore[arg-type]


@pytest.mark.real_mix
def test_counts_of_the_real_mix_agree_with_regular_expressions(real_mix: Path) -> None:
    rows = []
    for path in sorted(real_mix.glob("*.parquet"))[:40:6]:
        frame = pl.read_parquet(path).head(700)
        for messages, chunk in frame.select("messages", "source").iter_rows():
            turns = [message["content"] for message in messages if message["role"] != "system"]
            rows.append((chunk, turns[0], turns[1]))
    counted = count_phrases(as_batches(rows, 1000), min_rows=3)
    texts = {"query": pl.Series([row[1] for row in rows]), "response": pl.Series([row[2] for row in rows])}
    counts: Counter[tuple[str, str, str]] = Counter()
    for (side, phrase, position, _), count in as_counts(counted.tables()).items():
        counts[side, phrase, position] += count
    for side, phrase, position in random.Random(0).sample(sorted(counts), 150):
        matched = texts[side].str.contains(phrase_pattern(phrase, position)).sum()
        assert matched == counts[side, phrase, position], (side, phrase, position)
