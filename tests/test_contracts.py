"""Contracts: every kind of breach is refused with its column named, on write and in SQL; nothing is left visible."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky import contracts
from chunky.errors import ContractError
from chunky.files import sql_text
from chunky.lens import Lens
from chunky.tables import COLUMNS, TABLES, Table
from chunky.warehouse import Warehouse

FACTS = {"fingerprint": "f"}
COUNTS = TABLES["keywords.counts"]


def value(name: str, row: int) -> Any:
    """A value that the catalog allows in column `name`, different in each row where that can be."""
    column = COLUMNS[name]
    if column.values:
        return column.values[row % len(column.values)]
    low = column.minimum if column.minimum is not None else min(0, (column.maximum or 0) - 1)
    return {
        "string": f"{name} {row}",
        "int64": int(low) + row,
        "int32": int(low) + row % 3,
        "double": low + row / 1024,
        "float": low + row / 1024,
        "list<float>": [row / 1024, 1.0],
        "list<double>": [row / 1024, 1.0],
        "bool": row % 2 == 0,
        "list<string>": [f"{row}"],
        "list<int64>": [row],
        "timestamp[us]": datetime(2026, 11, 25, row),
    }[column.type]


def example(entry: Table, rows: int = 3) -> pa.Table:
    """Rows of `entry` that keep every promise."""
    return pa.Table.from_pylist(
        [{name: value(name, row) for name in entry.column_names} for row in range(rows)], schema=entry.arrow_schema
    )


def change(rows: pa.Table, name: str, values: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, pa.array(values, kind or rows.schema.field(name).type))


TABLE_NAMES = [name for name, entry in TABLES.items() if not entry.is_view and entry.storage == "parquet"]


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_good_rows_of_every_table_are_taken(lake: Warehouse, name: str) -> None:
    with lake.transaction(name) as transaction:
        transaction.write(name, example(TABLES[name]), FACTS)
    assert lake.rows(name) == 3


BREACHES: dict[str, tuple[pa.Table, str]] = {
    "missing column": (example(COUNTS).drop_columns(["rows"]), "missing columns .'rows'"),
    "unknown column": (example(COUNTS).append_column("x", pa.array([1, 2, 3])), "unknown columns .'x'"),
    "column twice": (example(COUNTS).append_column("rows", pa.array([1, 2, 3])), "comes twice"),
    "null": (change(example(COUNTS), "phrase", ["a", None, "b"]), r"counts\.phrase holds 1 null"),
    "below": (change(example(COUNTS), "rows", [1, -1, 2]), r"counts\.rows holds -1, below 0"),
    "above": (change(example(COUNTS), "tokens", [1, 6, 2]), r"counts\.tokens holds 6, above 5"),
    "stranger value": (change(example(COUNTS), "side", ["query", "answer", "query"]), "'answer'"),
    "key twice": (pa.concat_tables([example(COUNTS), example(COUNTS, 1)]), "occurs more than once"),
    "text for a number": (change(example(COUNTS), "rows", ["1", "2", "3"], pa.string()), r"counts\.rows is string"),
    "number for text": (change(example(COUNTS), "phrase", [1, 2, 3], pa.int64()), r"counts\.phrase is int64"),
    "boolean for a number": (change(example(COUNTS), "rows", [True] * 3, pa.bool_()), r"counts\.rows is bool"),
    "does not fit": (change(example(COUNTS), "tokens", [1, 2**31, 2], pa.int64()), "keywords.counts"),
    "fraction": (change(example(COUNTS), "rows", [1.0, 2.5, 3.0], pa.float64()), "keywords.counts"),
    "unsigned id": (change(example(COUNTS), "phrase_id", [1, 2**63, 2], pa.uint64()), "keywords.counts"),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_named_and_nothing_is_left(lake: Warehouse, breach: str) -> None:
    rows, message = BREACHES[breach]
    with pytest.raises(ContractError, match=message), lake.transaction("keywords.counts") as transaction:
        transaction.write("keywords.counts", rows, FACTS, ("a",))
    assert lake.parts("keywords.counts") == {}
    assert list(lake.root.rglob("*.parquet*")) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("column", ["p_low", "score", "within_low"])
def test_what_is_no_number_is_refused_in_every_column(lake: Warehouse, column: str, bad: float) -> None:
    rows = change(example(TABLES["correlations.pairs"]), column, [0.5, bad, 0.5])
    with pytest.raises(ContractError, match=column), lake.transaction("correlations.pairs") as transaction:
        transaction.write("correlations.pairs", rows, FACTS)
    assert lake.parts("correlations.pairs") == {}


def test_a_key_that_repeats_in_a_later_batch_is_found(lake: Warehouse) -> None:
    batches = [example(COUNTS), example(COUNTS).slice(2)]
    with pytest.raises(ContractError, match="more than once"), lake.transaction("keywords.counts") as transaction:
        transaction.write("keywords.counts", batches, FACTS)


def test_columns_come_in_any_order_and_any_fitting_type() -> None:
    rows = example(COUNTS)
    loose = pa.table(
        {
            "rows": rows["rows"].cast(pa.float64()),
            "chunk": rows["chunk"].dictionary_encode(),
            "tokens": rows["tokens"].cast(pa.decimal128(20, 0)),
            "position": rows["position"].cast(pa.large_string()),
            "phrase": rows["phrase"].cast(pa.string_view()),
            "side": rows["side"],
            "phrase_id": rows["phrase_id"].cast(pa.float64()),
        }
    )
    assert contracts.conform(loose, COUNTS).equals(rows)


def test_a_column_of_nothing_but_null_is_taken_where_null_is_allowed() -> None:
    rows = change(example(TABLES["corpus.rows"]), "system", [None] * 3, pa.null())
    assert contracts.conform(rows, TABLES["corpus.rows"])["system"].null_count == 3


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b"])), max_size=8), st.integers(1, 4), st.booleans()
)
def test_keys_are_checked_like_the_obvious_oracle(keys: list[tuple[int, str]], step: int, is_ordered: bool) -> None:
    keys = sorted(keys) if is_ordered else keys
    rows = [{**{name: value(name, 0) for name in COUNTS.column_names}, "phrase_id": k, "chunk": c} for k, c in keys]
    table = pa.Table.from_pylist(rows, schema=COUNTS.arrow_schema)
    checker = contracts.PartChecker(COUNTS)
    parts = [table.slice(start, step) for start in range(0, len(rows), step)]
    for part in parts:
        checker.check(part)
    written = [part.select(list(COUNTS.key)) for part in parts]
    if len(set(keys)) == len(keys):
        checker.finish(lambda: written)
    else:
        with pytest.raises(ContractError):
            checker.finish(lambda: written)


def test_keys_that_ascend_are_not_read_again() -> None:
    rows = example(TABLES["correlations.members"])
    checker = contracts.PartChecker(TABLES["correlations.members"])
    checker.check(rows.sort_by([("feature_id", "ascending"), ("row_id", "ascending")]))
    checker.finish(lambda: pytest.fail("read again"))


def broken(lake: Warehouse, entry: Table) -> dict[str, int]:
    with Lens(lake) as lens:
        return {query.name: lens.table(query.sql)["broken"][0].as_py() for query in contracts.queries(entry)}


@pytest.mark.parametrize("entry", TABLES.values(), ids=lambda entry: entry.name)
def test_the_sql_checks_of_every_table_run_on_an_empty_lake(lake: Warehouse, entry: Table) -> None:
    assert set(broken(lake, entry).values()) == {0}


def test_sql_finds_what_crosses_partitions(lake: Warehouse) -> None:
    with lake.transaction("keywords.counts") as transaction:
        for chunk in ("a", "b"):  # each partition keeps its promises, the table does not
            transaction.write("keywords.counts", example(COUNTS, 2), FACTS, (chunk,))
    found = broken(lake, COUNTS)
    assert found["key_is_unique"] == 2
    assert found["chunk_refers"] == 4  # no such rows in the corpus
    assert {name for name, count in found.items() if count} == {"key_is_unique", "chunk_refers"}


def test_sql_finds_nulls_ranges_values_and_infinities() -> None:
    """The same breaches as on write, seen by the queries, for files that somebody else put there."""
    entry = TABLES["correlations.pairs"]
    rows = example(entry, 5)
    rows = change(rows, "trigger_rows", [1, None, -1, 2, 3])
    rows = change(rows, "score", [1.0, float("nan"), float("inf"), 2.0, 3.0])
    rows = change(rows, "p_low", [0.5, 1.5, -0.5, None, 1.0])
    rows = change(rows, "scope", ["within", "inside", None, "mixed", "between"])
    with duckdb.connect(":memory:") as connection:
        connection.execute("create schema correlations")
        connection.register("rows", rows.cast(pa.schema([field.with_nullable(True) for field in rows.schema])))
        connection.execute("create table correlations.pairs as select * from rows")
        connection.execute("create table correlations.features as select trigger_id as feature_id from rows")
        found = {q.name: connection.execute(q.sql).fetchall()[0][0] for q in contracts.queries(entry)}
    assert {name: count for name, count in found.items() if count} == {
        "trigger_rows_is_valid": 2,
        "score_is_valid": 2,
        "p_low_is_valid": 3,
        "scope_is_valid": 1,
    }


def test_no_query_holds_text_from_outside_the_catalog(tmp_path: Path) -> None:
    for entry in TABLES.values():
        for query in contracts.queries(entry):
            if query.name in {promise.name for promise in entry.promises}:
                assert query.sql == sql_text(f"promises.{query.name}")
                assert "select count(*) as broken\nfrom " in query.sql
            else:
                assert query.sql.startswith("select count(*) as broken from ")
            assert ";" not in query.sql
