"""`chunky tables`, `chunky settings`, `chunky version`: what there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chunky.cli.output import Head, ago, size, visible
from chunky.cli.session import Session, session_of
from chunky.tables import COLUMNS, TABLES, Table, table

if TYPE_CHECKING:
    from chunky.warehouse import Part, Warehouse

_PARTS_SHOWN = 20
_FACTS = ("contract", "code", "engines", "settings", "inputs", "seed", "device", "device_reason")


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(tables)
    app.command()(settings)
    app.command()(version)


def tables(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A table, e.g. corpus.rows.")] = None,
) -> None:
    """List all tables with what one row is, rows, size and age; or describe one: columns, key, version, provenance."""
    session = session_of(context)
    lake = session.warehouse(must_exist=False)
    if name is None:
        _list(session, lake)
    else:
        _describe(session, lake, table(name))


def _list(session: Session, lake: Warehouse) -> None:
    entries = [_summary(lake, entry) for entry in TABLES.values()]
    if session.is_json:
        session.printer.json({"lake": str(session.lake), "tables": entries})
        return
    heads = (Head("table"), Head("rows", True), Head("size", True), Head("written"), Head("one row is"))
    sizes = ["" if entry["bytes"] is None else size(entry["bytes"]) for entry in entries]
    listed = zip(entries, sizes, strict=True)
    rows = [(entry["table"], entry["rows"], taken, _age(entry), entry["grain"]) for entry, taken in listed]
    session.printer.table(heads, rows)
    session.printer.line('ask any of them: chunky sql "select …"; one in detail: chunky tables NAME')


def _age(entry: Mapping[str, Any]) -> str:
    if entry["is_view"]:
        return "a view"
    return ago(entry["written_at"]) if entry["written_at"] else "not yet"


def _summary(lake: Warehouse, entry: Table) -> dict[str, Any]:
    parts = [] if entry.is_view else list(lake.parts(entry.name).values())
    return {
        "table": entry.name,
        "grain": entry.grain,
        "is_view": entry.is_view,
        "rows": sum(part.rows for part in parts) if parts else None,
        "bytes": sum(part.bytes for part in parts) if parts else None,
        "files": len(parts),
        "written_at": max((part.written_at for part in parts), default=None),
    }


def _describe(session: Session, lake: Warehouse, entry: Table) -> None:
    columns = [_column(entry, name) for name in entry.column_names]
    parts = [] if entry.is_view else [part for _, part in sorted(lake.parts(entry.name).items())]
    if session.is_json:
        version = lake.version(entry.name) if parts else None
        files = [_part(lake, part) for part in parts]
        session.printer.json(
            _summary(lake, entry) | {"version": version, "key": list(entry.key), "columns": columns, "parts": files}
        )
        return
    printer = session.printer
    printer.line(f"{entry.name}: one row is {entry.grain}", "bold")
    heads = (Head("column"), Head("type"), Head("null"), Head("meaning"))
    marks = [" (key)" if column["is_key"] else "" for column in columns]
    nulls = ["may be" if column["is_nullable"] else "" for column in columns]
    described = zip(columns, marks, nulls, strict=True)
    printer.table(heads, [(f"{c['column']}{mark}", c["type"], null, c["meaning"]) for c, mark, null in described])
    printer.line()
    if not parts:
        printer.line("a view over other tables" if entry.is_view else "not built yet: chunky build")
        return
    heads = (Head("partition"), Head("rows", True), Head("size", True), Head("written"))
    largest = sorted(parts, key=lambda part: (-part.rows, part.key))[:_PARTS_SHOWN]
    rows = [
        (" · ".join(part.key) or "whole table", part.rows, size(part.bytes), ago(part.written_at)) for part in largest
    ]
    printer.table(heads, rows, f"version {lake.version(entry.name)}")
    if len(parts) > len(largest):
        printer.line(f"and {len(parts) - len(largest):,} smaller ones; all: chunky tables {entry.name} --json")
    printer.line()
    _print_provenance(session, lake, parts)


def _column(entry: Table, name: str) -> dict[str, Any]:
    return {
        "column": name,
        "type": COLUMNS[name].type,
        "is_nullable": name in entry.nullable,
        "is_key": name in entry.key,
        "meaning": COLUMNS[name].meaning,
    }


def _print_provenance(session: Session, lake: Warehouse, parts: list[Part]) -> None:
    """What the newest file depends on, read from the file itself: the pointer merely repeats it."""
    from chunky.metadata import read_provenance
    from chunky.warehouse import LANCE_VERSION

    newest = max(parts, key=lambda part: part.written_at)
    pinned = newest.provenance.get(LANCE_VERSION)
    facts = read_provenance(lake.root / newest.file, None if pinned is None else int(pinned))
    heads = (Head("depends on"), Head("value"))
    rows = [(name, facts[name]) for name in _FACTS if name in facts]
    session.printer.table(heads, rows, f"provenance, from the metadata of {visible(newest.file)}")


def _part(lake: Warehouse, part: Part) -> dict[str, Any]:
    return {
        "key": list(part.key), "file": part.file, "rows": part.rows, "bytes": part.bytes,
        "written_at": part.written_at, "fingerprint": part.fingerprint, "provenance": dict(part.provenance),
    }  # fmt: skip


def settings(context: typer.Context) -> None:
    """List every setting with its value and where it came from: default, chunky.toml, CHUNKY_… or a flag."""
    session = session_of(context)
    origins = session.loaded().origins
    if session.is_json:
        session.printer.json({"lake": str(session.lake), "settings": [origin._asdict() for origin in origins]})
        return
    heads = (Head("setting"), Head("value", True), Head("from"), Head("meaning"))
    session.printer.table(
        heads, [(origin.name, str(origin.value), origin.source, origin.description) for origin in origins]
    )
    session.printer.line(
        f"lake: {visible(str(session.lake))}. Change one with --set NAME=VALUE, CHUNKY_SECTION_NAME=… or chunky.toml."
    )


def version(context: typer.Context) -> None:
    """Print the version of chunky and of the catalog's contract."""
    from chunky import __version__
    from chunky.tables import CONTRACT_VERSION

    session = session_of(context)
    if session.is_json:
        session.printer.json({"chunky": __version__, "contract": CONTRACT_VERSION})
        return
    session.printer.line(f"chunky {__version__} (contract {CONTRACT_VERSION})")
