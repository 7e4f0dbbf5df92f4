"""Checks: counts of broken promises, and Great Expectations against figures worked out in plain Python."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chunky.errors import LakeError
from chunky.lens import Lens
from chunky.tables import TABLES, Watch
from chunky.warehouse import Warehouse
from dagster_project import expectations
from dagster_project.checks import broken_rows, contract_result, distribution_result
from dagster_project.expectations import judge
from dagster_project.resources import LakeResource

CHUNKS = TABLES["corpus.chunks"]
ROWS = TABLES["corpus.rows"]
FACTS = {"fingerprint": "f"}


def corpus_rows(values: list[tuple[str, str | None, int]]) -> pa.Table:
    """corpus.rows of (chunk, system, query_chars)."""
    same = {"conversation_id": "c", "turn": 1, "turns": 1, "copy": 0, "query": "q", "response": "r"}
    same |= {"response_chars": 1, "file": "f", "record_number": 1}
    rows = [
        {
            "row_id": n,
            "content_id": n,
            "chunk": c,
            "system": s,
            "query_chars": q,
            **same,
        }
        for n, (c, s, q) in enumerate(values)
    ]
    return pa.Table.from_pylist(rows, schema=ROWS.arrow_schema)


def put(lake: Warehouse, name: str, rows: pa.Table, key: tuple[str, ...] = ()) -> Path:
    with lake.transaction(name) as transaction:
        part = transaction.write(name, rows, FACTS, key)
    return lake.root / part.file


def smuggle(lake: Warehouse, name: str, rows: pa.Table, key: tuple[str, ...] = ()) -> None:
    """A part that no writer would let through: its file and pointer are made by hand."""
    good = {k: p for k, p in lake.parts(name).items() if k != key}
    path = lake.folder(name) / "smuggled.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path)
    part = {
        "key": list(key), "file": str(path.relative_to(lake.root)), "rows": rows.num_rows, "bytes": path.stat().st_size,
        "fingerprint": "smuggled", "written_at": "2020-01-01T00:00:00+00:00", "provenance": {},
    }  # fmt: skip
    entries = [*(asdict(p) for p in good.values()), part]
    (lake.folder(name) / "current").write_text(json.dumps({"table": name, "parts": entries}))


def test_each_promise_is_counted(lake: Warehouse) -> None:
    rows = corpus_rows([("a", None, 5), ("a", None, 5), ("a", None, 5)])
    bad = rows.set_column(0, "row_id", pa.array([1, 1, 2], pa.int64()))
    bad = bad.set_column(4, "turn", pa.array([0, 1, None], pa.int32()))
    smuggle(lake, "corpus.rows", bad, ("a", "f"))
    broken = broken_rows(LakeResource(path=str(lake.root)), ROWS)
    expected = {"key_is_unique": 1, "turn_is_valid": 2, "file_refers": 3}
    assert {name: count for name, count in broken.items() if count} == expected
    result = contract_result(ROWS, broken)
    assert not result.passed
    assert "turn_is_valid: 2 rows" in result.description
    assert result.metadata["broken"].value == 6
    assert len(result.metadata["promises"].records) == len(broken)


def test_an_empty_lake_keeps_every_promise(lake: Warehouse) -> None:
    for entry in TABLES.values():
        broken = broken_rows(LakeResource(path=str(lake.root)), entry)
        assert contract_result(entry, broken).passed
        assert sum(broken.values()) == 0


def test_an_unreadable_file_is_an_error_with_a_remedy(lake: Warehouse) -> None:
    path = put(lake, "corpus.rows", corpus_rows([("a", None, 5)]), ("a", "f"))
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(LakeError, match=r"corpus\.rows cannot be checked") as caught:
        broken_rows(LakeResource(path=str(lake.root)), ROWS)
    assert "again" in caught.value.remedy


WATCHES = (
    Watch("null_share", "system", 0.25, 0.75),
    Watch("mean", "query_chars", 10, 50),
    Watch("median", "query_chars", 10, 50),
    Watch("max_share", "chunk", 0, 0.6),
    Watch("mean", "query_chars", 0, 1),
    Watch("rows", "row_id", 5, 20),
)
VALUES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([None, "s", ""]), st.integers(1, 100)), min_size=1, max_size=30
)


@given(values=VALUES)
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_observed_values_are_those_worked_out_by_hand(lake: Warehouse, values) -> None:
    put(lake, "corpus.rows", corpus_rows(values), ("all", "f"))
    with Lens(lake) as lens:
        verdicts = judge(replace(ROWS, watches=WATCHES), lens)
    lengths = [length for _, _, length in values]
    wanted = [
        sum(system is None for _, system, _ in values) / len(values),
        statistics.fmean(lengths),
        statistics.median(lengths),
        max(Counter(chunk for chunk, _, _ in values).values()) / len(values),
        statistics.fmean(lengths),
        len(values),
    ]
    assert [verdict.observed for verdict in verdicts] == pytest.approx(wanted)
    edges = [abs(seen - bound) < 1e-9 for seen, w in zip(wanted, WATCHES, strict=True) for bound in (w.low, w.high)]
    if not any(edges[:2]):  # a share of exactly 1/4 may fall on either side after 1 - share
        kept = [watch.low <= seen <= watch.high for seen, watch in zip(wanted, WATCHES, strict=True)]
        assert [verdict.is_kept for verdict in verdicts] == kept


def test_nothing_to_observe_is_no_surprise_but_a_wanted_row_count_is(lake: Warehouse) -> None:
    with Lens(lake) as lens:
        verdicts = judge(replace(ROWS, watches=WATCHES), lens)
    assert [verdict.is_kept for verdict in verdicts] == [None, None, None, None, None, False]
    assert [verdict.observed for verdict in verdicts] == [None] * 5 + [0]
    assert distribution_result(verdicts[:5]).passed
    assert not distribution_result(verdicts).passed


def test_a_surprise_warns_with_observed_value_and_bounds(lake: Warehouse) -> None:
    put(lake, "corpus.rows", corpus_rows([("a", "s", 7), ("a", None, 9), ("b", None, 11)]), ("all", "f"))
    with Lens(lake) as lens:
        result = distribution_result(judge(replace(ROWS, watches=WATCHES), lens))
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert "max_share of chunk: 0.6667 (expected 0 to 0.6)" in result.description
    assert result.metadata["median query_chars"].value == 9
    records = {(r.data["kind"], r.data["high"]): r.data for r in result.metadata["expectations"].records}
    assert records["mean", 1]["observed"] == 9
    assert records["mean", 1]["is_kept"] is False
    assert records["null_share", 0.75]["is_kept"] is True


def test_a_long_table_is_looked_at_by_a_fixed_sample(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lake, "corpus.rows", corpus_rows([("a", None, n % 100 + 1) for n in range(20_000)]), ("all", "f"))
    monkeypatch.setattr(expectations, "SAMPLE_ROWS", 5_000)
    watched = replace(ROWS, watches=WATCHES)
    lengths = {name: watch for name, watch in expectations.named(watched).items() if watch.column == "query_chars"}
    sql = expectations.projection(watched, lengths, 20_000)
    with Lens(lake) as lens:
        assert 4_000 < lens.table(sql).num_rows < 6_000
        first, second = judge(watched, lens), judge(watched, lens)
    assert first == second
    assert [expectations.Verdict.of(verdict.record()) for verdict in first] == first
    assert first[1].observed == pytest.approx(50.5, abs=2)
    assert first[5].observed == 20_000


@pytest.mark.parametrize("entry", [entry for entry in TABLES.values() if entry.watches], ids=lambda entry: entry.name)
def test_every_watch_of_the_catalog_is_understood(lake: Warehouse, entry) -> None:
    assert {watch.kind for watch in entry.watches} <= set(expectations.KINDS)
    with Lens(lake) as lens:
        assert len(judge(entry, lens)) == len(entry.watches)
