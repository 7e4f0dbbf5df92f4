"""Rows of an answer in the formats that `chunky sql` writes: table, CSV, JSON, Markdown, Parquet."""

from __future__ import annotations

import csv
import io
import math
import os
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chunky.cli.output import Head, Printer, json_text, visible
from chunky.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("table", "csv", "json", "parquet", "markdown")
_TERMINAL_CHARS = 300  # a longer text is cut on a terminal alone; pipes and files get all of it


def plain(value: Any) -> Any:
    """A value as JSON has it: whole decimals as exact integers, NaN and infinities as null, times as ISO 8601 text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value


def names_of(table: pa.Table) -> list[str]:
    """Column names, repeated ones numbered (`n`, `n_2`), so that no column is lost in an object."""
    names: list[str] = []
    for name in table.column_names:
        wanted, number = name, 2
        while wanted in names:
            wanted, number = f"{name}_{number}", number + 1
        names.append(wanted)
    return names


def records(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as objects of plain values."""
    columns = [[plain(value) for value in column.to_pylist()] for column in table.columns]
    names = names_of(table)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def shown(value: Any, name: str, limit: int | None = None) -> str:
    """A value for people: counts with separators, ids without, six digits of a fraction, `null` for an unknown."""
    value = plain(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if name.endswith("_id") or name == "id" else f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return visible(value if isinstance(value, str) else json_text(value, indent=None), limit)


def print_table(printer: Printer, table: pa.Table) -> None:
    """Rows as a table on the results stream."""
    import pyarrow.types as kinds

    names = names_of(table)
    heads = [Head(visible(name), _is_number(kinds, kind)) for name, kind in zip(names, table.schema.types, strict=True)]
    limit = _TERMINAL_CHARS if printer.is_terminal else None
    printer.table(heads, [[shown(row[name], name, limit) for name in names] for row in records(table)])


def _is_number(kinds: Any, kind: Any) -> bool:
    return bool(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind))


def markdown(table: pa.Table) -> str:
    """Rows as a Markdown table; bars and line breaks inside values cannot break it."""
    names = names_of(table)
    lines = [_row([visible(name) for name in names]), _row(["---"] * len(names))]
    lines += [_row([shown(row[name], name) for name in names]) for row in records(table)]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells) + " |"


def comma_separated(table: pa.Table) -> str:
    """Rows as CSV (RFC 4180): texts untouched, null as an empty field, lists as JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names_of(table))
    for row in records(table):
        writer.writerow([_csv(value) for value in row.values()])
    return text.getvalue()


def _csv(value: Any) -> Any:
    return json_text(value, indent=None) if isinstance(value, list | dict | bool) else value


def rendered(table: pa.Table, form: str) -> str:
    """Rows as text of the format `csv`, `json` or `markdown`."""
    if form == "csv":
        return comma_separated(table)
    return markdown(table) if form == "markdown" else json_text(records(table)) + "\n"


def write_file(table: pa.Table, form: str, path: Path) -> None:
    """Write rows to `path` by rename; InputError when the folder cannot be written."""
    import pyarrow.parquet as pq

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if form == "parquet":
            pq.write_table(table.rename_columns(names_of(table)), temporary, compression="zstd")
        else:
            temporary.write_text(rendered(table, form), encoding="utf-8", newline="")
        os.replace(temporary, path)
    except OSError as error:
        problem = f"{path} cannot be written: {error.strerror or error}"
        raise InputError(problem, "name a file in a folder that you can write") from error
    finally:
        temporary.unlink(missing_ok=True)
