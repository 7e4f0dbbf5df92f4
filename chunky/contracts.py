"""Contracts: what the catalog promises of a table, checked on rows before they are visible and on the lake in SQL.

`PartChecker` runs on every write: types, nulls, ranges, allowed values, and the key within the partition.
`queries` gives the SQL that checks the table as a whole, for the blocking asset checks: keys across partitions,
references to other tables, and what else rows keep beside others (`sql/promises/`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from chunky.errors import ContractError
from chunky.files import sql_text
from chunky.tables import COLUMNS, VECTOR, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import numpy.typing as npt

_REMEDY = "nothing was written; this is a fault of the producer, not of the data: report it with this message"


def conform(rows: pa.Table, entry: Table) -> pa.Table:
    """`rows` with the catalog's columns, order and types; ContractError when a column lacks or cannot be cast."""
    missing = [name for name in entry.column_names if name not in rows.column_names]
    extra = [name for name in rows.column_names if name not in entry.column_names]
    if missing or extra:
        raise ContractError(f"{entry.name}: missing columns {missing}, unknown columns {extra}", _REMEDY)
    if len(rows.column_names) != len(entry.column_names):
        raise ContractError(f"{entry.name}: a column comes twice: {rows.column_names}", _REMEDY)
    for field in entry.arrow_schema:
        found = rows.schema.field(field.name).type
        if rows[field.name].null_count and not field.nullable:
            raise ContractError(f"{entry.name}.{field.name} holds {rows[field.name].null_count} nulls", _REMEDY)
        if _family(found) not in (_family(field.type), "null"):
            raise ContractError(f"{entry.name}.{field.name} is {found}, not {field.type}", _REMEDY)
    try:
        return rows.select(entry.column_names).cast(entry.arrow_schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise ContractError(f"{entry.name}: {error}", _REMEDY) from error


def _family(kind: pa.DataType) -> str:
    """What may be cast to what: Arrow would also read text as numbers and numbers as text, which hides mistakes."""
    if pa.types.is_dictionary(kind):
        return _family(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_list_view(kind):
        return f"list<{_family(kind.value_type)}>"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    return str(kind)


class PartChecker:
    """Checks the rows of one partition as they stream by; `finish` checks the key over all of them.

    Keeps no rows: keys that ascend are distinct, others are read again from the finished file. (58 million members side
    by side are 0.9 GB, and their hashes, twice, as much.)
    """

    def __init__(self, entry: Table) -> None:
        self._entry = entry
        self._last: pa.Table | None = None  # the last key, while all ascend
        self._is_ascending = True

    def check(self, rows: pa.Table) -> None:
        """ContractError naming column, promise and an offending value."""
        for name in self._entry.column_names:
            column = COLUMNS[name]
            values = rows[name]
            if column.values:
                strangers = pc.filter(values, pc.invert(pc.is_in(values, pa.array(column.values, values.type))))
                strangers = strangers.drop_null()
                if len(strangers):
                    raise ContractError(f"{self._entry.name}.{name} holds {strangers[0].as_py()!r}", _REMEDY)
            if pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values), min_count=0).as_py():
                raise ContractError(f"{self._entry.name}.{name} holds NaN or infinity: an unknown is null", _REMEDY)
            if column.minimum is not None or column.maximum is not None:
                self._check_range(name, values)
        if self._is_ascending and rows.num_rows:
            keys = rows.select(list(self._entry.key))
            self._is_ascending = _ascends(keys if self._last is None else pa.concat_tables([self._last, keys]))
            self._last = keys.take([keys.num_rows - 1])

    def _check_range(self, name: str, values: Any) -> None:
        column = COLUMNS[name]
        bounds: Any = pc.min_max(values).as_py()
        if bounds["min"] is None:
            return
        low, high = bounds["min"], bounds["max"]
        if column.minimum is not None and low < column.minimum:
            raise ContractError(f"{self._entry.name}.{name} holds {low}, below {column.minimum}", _REMEDY)
        if column.maximum is not None and high > column.maximum:
            raise ContractError(f"{self._entry.name}.{name} holds {high}, above {column.maximum}", _REMEDY)

    def finish(self, written: Callable[[], Iterable[pa.Table]]) -> None:
        """ContractError when a key occurs twice in the partition; `written` gives its key columns again, in tables.

        Memory: 8 bytes a row, twice, where keys do not ascend.
        """
        if self._is_ascending:
            return
        import numpy as np
        import polars as pl

        ordered = np.concatenate([_key_numbers(keys) for keys in written()])
        ordered.sort()
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if not len(twice):
            return
        suspects = [keys.filter(pa.array(np.isin(_key_numbers(keys), twice))) for keys in written()]
        frame = pl.DataFrame(pa.concat_tables(suspects))
        if frame.n_unique() != frame.height:
            repeated = frame.filter(frame.is_duplicated()).row(0)
            raise ContractError(
                f"{self._entry.name}: key {self._entry.key} = {repeated} occurs more than once", _REMEDY
            )


def _ascends(keys: pa.Table) -> bool:
    """Whether each row is greater than the one before, column by column; False where a key holds a null."""
    greater: Any = pa.scalar(False)
    tied: Any = pa.scalar(True)
    for column in keys.columns:
        if column.null_count:
            return False
        values = column.combine_chunks()
        before, after = values.slice(0, len(values) - 1), values.slice(1)
        greater = pc.or_(greater, pc.and_(tied, pc.greater(after, before)))
        tied = pc.and_(tied, pc.equal(after, before))
    return bool(pc.all(greater, min_count=0).as_py())


def _key_numbers(keys: pa.Table) -> npt.NDArray[Any]:
    """One 64-bit number a row, equal for equal keys: the key itself where it is one integer, else its hash."""
    import polars as pl

    if keys.num_columns == 1 and keys.schema.types[0] == pa.int64() and not keys[0].null_count:
        return keys[0].to_numpy()
    return pl.DataFrame(keys).select(pl.struct(pl.all()).hash(0)).to_series().to_numpy()


class ContractQuery(NamedTuple):
    """One promise about a whole table: its name and the SQL that counts the rows breaking it (column `broken`)."""

    name: str
    meaning: str
    sql: str


def queries(entry: Table) -> list[ContractQuery]:
    """SQL checks of `entry`, derived from the catalog: key, nulls, ranges, values, promises, references.

    Identifiers come from the catalog alone, never from data.
    """
    key = ", ".join(f'"{name}"' for name in entry.key)
    found = [
        ContractQuery(
            "key_is_unique",
            f"({', '.join(entry.key)}) is unique",
            f"select count(*) as broken from (select {key} from {_q(entry.name)} group by all having count(*) > 1)",
        )
    ]
    for name in entry.column_names:
        column = COLUMNS[name]
        conditions = []
        if name not in entry.nullable:
            conditions.append(f'"{name}" is null')
        if (
            column.type == VECTOR
        ):  # DuckDB has no NaN that is within bounds; a norm off by 0.001 is off by 0.002 squared
            conditions.append(f'not abs(list_inner_product("{name}", "{name}") - 1) <= 0.002')
        if column.type == "double":
            conditions.append(f'not isfinite("{name}")')
        if column.minimum is not None:
            conditions.append(f'"{name}" < {column.minimum}')
        if column.maximum is not None:
            conditions.append(f'"{name}" > {column.maximum}')
        if column.values:
            allowed = ", ".join("'" + value.replace("'", "''") + "'" for value in column.values)
            conditions.append(f'"{name}" not in ({allowed})')
        if conditions:
            sql = f"select count(*) as broken from {_q(entry.name)} where {' or '.join(conditions)}"
            found.append(ContractQuery(f"{name}_is_valid", column.meaning, sql))
    found += [ContractQuery(each.name, each.meaning, sql_text(f"promises.{each.name}")) for each in entry.promises]
    for reference in entry.references:
        sql = (
            f"select count(*) as broken from {_q(entry.name)} as here anti join {_q(reference.table)} as there "
            f'on here."{reference.column}" = there."{reference.target}" where here."{reference.column}" is not null'
        )
        found.append(
            ContractQuery(f"{reference.column}_refers", f"{reference.column} occurs in {reference.table}", sql)
        )
    return found


def _q(name: str) -> str:
    schema, short = name.split(".")
    return f'"{schema}"."{short}"'


def stored_keys(path: Path, entry: Table, rows: int) -> Iterator[pa.Table]:
    """The key columns of a Parquet file of a table, in tables of at most `rows`."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(rows, columns=list(entry.key)):
            yield pa.Table.from_batches([batch])
