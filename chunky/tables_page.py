"""`python -m chunky.tables_page`: docs/tables.md, written from the catalog; a test fails when the file is stale."""

from __future__ import annotations

import sys
from pathlib import Path

from chunky.stages import BY_TABLE
from chunky.tables import COLUMNS, TABLES, Column, Promise, Reference, Table, Watch

PAGE = Path(__file__).parent.parent / "docs" / "tables.md"
_HEAD = """# Tables

Written by `python -m chunky.tables_page` from the catalog (`chunky/tables.py`); do not edit. The same text stands in
the lake as DuckDB comments (`chunky tables`). A column means the same thing in every table that has it.

Null is allowed only where the column says so. *Partition* is how the table is cut on disk: the pointer of a table
names one file for each partition (`corpus.rows` has one for each chunk and input file). A *promise* is what rows keep
beside other tables; it blocks. A *watch* is a distribution that warns when it leaves its range and blocks nothing.

"""


def render() -> str:
    """The whole page as Markdown."""
    index = [f"- [`{name}`](#{_anchor(name)}): {entry.grain}\n" for name, entry in TABLES.items()]
    return _HEAD + "".join(index) + "".join(_section(entry) for entry in TABLES.values())


def _anchor(name: str) -> str:
    """The anchor that Markdown viewers give a heading: lower case, dots dropped."""
    return name.replace(".", "").lower()


def _section(entry: Table) -> str:
    rows = [_row(column, entry) for column in (COLUMNS[name] for name in entry.column_names)]
    facts = [f"Key: {_names(entry.key)}.", _origin(entry)]
    facts += [_reference(reference) for reference in entry.references]
    facts += [_promise(promise) for promise in entry.promises]
    facts += [_watch(watch) for watch in entry.watches]
    return (
        f"\n## {entry.name}\n\nA row is {entry.grain}.\n\n"
        "| column | type | meaning |\n| --- | --- | --- |\n" + "".join(rows) + "\n" + "\n".join(facts) + "\n"
    )


def _origin(entry: Table) -> str:
    if entry.is_view:
        return f"A view: `sql/{entry.schema_name}/{entry.short_name}.sql`; it holds no files."
    step = BY_TABLE[entry.name].name
    if entry.storage == "lance":
        place = f"{entry.schema_name}/{entry.short_name}.lance"
        return f"Made by the step `{step}`; a Lance table, `{place}`, of which the pointer names a version."
    return f"Made by the step `{step}`; partition: {entry.partition or 'none, one file'}."


def _row(column: Column, entry: Table) -> str:
    kind = column.type + (", null" if column.name in entry.nullable else "")
    meaning = column.meaning
    if column.values:
        meaning += f"; one of {', '.join(f'`{value}`' for value in column.values)}"
    limits = [
        f"{sign} {limit:g}" for sign, limit in (("≥", column.minimum), ("≤", column.maximum)) if limit is not None
    ]
    if limits:
        meaning += f" ({', '.join(limits)})"
    return f"| `{column.name}` | {kind} | {_cell(meaning)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _reference(reference: Reference) -> str:
    return f"`{reference.column}` refers to `{reference.table}.{reference.target}`."


def _promise(promise: Promise) -> str:
    return f"Promise `{promise.name}`: {promise.meaning}."


def _watch(watch: Watch) -> str:
    return f"Watch: {watch.kind.replace('_', ' ')} of `{watch.column}` in {watch.low:g} to {watch.high:g}."


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(), encoding="utf-8")
    sys.stderr.write(f"wrote {PAGE}\n")


if __name__ == "__main__":
    main()
