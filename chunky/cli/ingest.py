"""`chunky ingest`, `chunky remove`, `chunky vacuum`: what is in the lake."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chunky.cli import work
from chunky.cli.output import Head, Printer, count, seconds, size, visible
from chunky.cli.progress import watching
from chunky.cli.session import Session, session_of

if TYPE_CHECKING:
    from chunky.pipeline import Ingested
    from chunky.warehouse import Warehouse

_SHAPES_HELP = "Force a record shape: messages, conversations, preference, instruction or prompt."
_HEADS = (
    Head("file"), Head("records", True), Head("conversations", True), Head("rows", True), Head("quarantined", True),
    Head("chunks", True), Head("time", True), Head("rows/s", True),
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(ingest)
    app.command()(remove)
    app.command()(vacuum)


def ingest(
    context: typer.Context,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Files, folders, globs or hf://datasets/ORG/NAME.")
    ],
    chunk: Annotated[str | None, typer.Option(help="Name of the chunk for every record.")] = None,
    chunk_column: Annotated[str | None, typer.Option(help="Column that holds the chunk.")] = None,
    shape: Annotated[str | None, typer.Option(help=_SHAPES_HELP)] = None,
    query_column: Annotated[str | None, typer.Option(help="Column that holds the query.")] = None,
    response_column: Annotated[str | None, typer.Option(help="Column that holds the response.")] = None,
    system_column: Annotated[str | None, typer.Option(help="Column that holds the system message.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column that holds the conversation's id.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only the first records of each file.")] = None,
) -> None:
    """Take input files into the lake: Parquet, JSONL, JSON, CSV and TSV, also .gz and .zst.

    Record shape and chunk are recognized; what cannot be taken is quarantined with its reason, and counted. A file that
    was taken before and has not changed is left alone; a changed file replaces its own rows. Exit code 1 when a file as
    a whole could not be read; the other files are taken all the same.
    """
    from chunky.corpus import ReadOptions

    session = session_of(context)
    options = ReadOptions(
        shape=shape, query_column=query_column, response_column=response_column, system_column=system_column,
        chunk=chunk, chunk_column=chunk_column, id_column=id_column, limit=limit,
        max_record_chars=session.settings.corpus.max_record_chars,
    )  # fmt: skip
    started = time.monotonic()
    with watching(session.is_quiet, "B") as watcher:
        taken = work.ingest(session, paths, options, watcher)
    show_ingested(session, taken, time.monotonic() - started)
    if any(file.fault or _is_all_lost(file) for file in taken):
        raise typer.Exit(1)


def show_ingested(session: Session, taken: Sequence[Ingested], passed: float) -> None:
    """Print what became of each file, reasons of quarantine, faults, and what to do next."""
    printer = session.printer
    reasons = _quarantine_reasons(session.warehouse(must_exist=False), {file.file for file in taken if file.is_new})
    if session.is_json:
        printer.json({"files": [_as_json(file, reasons.get(file.file, {})) for file in taken], "seconds": passed})
        return
    folder = _common_folder([file.file for file in taken])
    rows = [_row(file, folder) for file in taken if not file.fault]
    printer.table(_HEADS, rows, f"from {visible(folder)}" if folder else "")
    for file in taken:
        if not file.fault:
            _print_left_out(printer, file, reasons.get(file.file, {}))
    for file in taken:
        if file.fault:
            printer.line(f"fault: {_fault(file.fault)}", "bold red")
    _show_sum(printer, taken, passed)


def _common_folder(files: Sequence[str]) -> str:
    """The folder that holds all local files, with its last slash; empty for one file and for addresses."""
    if len(files) < 2 or not all(file.startswith("/") for file in files):
        return ""
    return os.path.join(os.path.commonpath([os.path.dirname(file) for file in files]), "")


def _row(file: Ingested, folder: str) -> tuple[object, ...]:
    counts, name = file.counts, file.file.removeprefix(folder)
    if not file.is_new:
        return (name, "unchanged", "", "", "", len(file.chunks), "", "")
    speed = f"{counts.rows / file.seconds:,.0f}" if file.seconds > 0 else ""
    return (
        name, counts.records, counts.conversations, counts.rows, counts.quarantined, len(file.chunks),
        seconds(file.seconds), speed,
    )  # fmt: skip


def _print_left_out(printer: Printer, file: Ingested, reasons: dict[str, int]) -> None:
    """What of a file did not become rows, where anything did not."""
    left = {f"quarantined: {reason}": records for reason, records in reasons.items()}
    left |= {"skipped": file.counts.skipped, "user turns without an answer": file.counts.unanswered_turns}
    left |= {"assistant turns before any user turn": file.counts.unprompted_turns}
    for what, number in left.items():
        if number:
            printer.line(f"  {visible(file.file)}: {count(number)} {what}", "yellow")


def _is_all_lost(file: Ingested) -> bool:
    """True for a file of which every record was quarantined: its columns or shape are not what was expected."""
    return file.is_new and bool(file.counts.quarantined) and not file.counts.rows


def _fault(fault: str) -> str:
    return "\n  ".join(visible(line.strip()) for line in fault.splitlines())


def _show_sum(printer: Printer, taken: Sequence[Ingested], passed: float) -> None:
    new = [file for file in taken if file.is_new and not file.fault]
    rows, faults = sum(file.counts.rows for file in new), sum(bool(file.fault) for file in taken)
    known = len(taken) - len(new) - faults
    parts = [f"{count(rows)} rows taken from {len(new)} file{'s' * (len(new) != 1)} in {seconds(passed)}"]
    parts += [f"{known} unchanged"] if known else []
    parts += [f"{faults} could not be read"] if faults else []
    printer.line("; ".join(parts) + ".")
    if any(file.counts.quarantined for file in new) or faults:
        printer.line('see why: chunky sql "select reason, detail, excerpt from corpus.quarantine"')
    for file in filter(_is_all_lost, new):
        printer.line(
            f"nothing of {visible(file.file)} was taken: "
            "name its columns with --query-column and --response-column, or its --shape",
            "red",
        )
    if rows:
        printer.line("next: chunky build")


def _quarantine_reasons(lake: Warehouse, files: set[str]) -> dict[str, dict[str, int]]:
    """File → reason → records, most frequent first, of the files named."""
    import pyarrow.parquet as pq

    found: dict[str, dict[str, int]] = {}
    for (file,), part in lake.parts("corpus.quarantine").items():
        if file in files and part.rows:
            reasons = pq.read_table(lake.root / part.file, columns=["reason"], partitioning=None)["reason"]
            found[file] = dict(Counter(str(reason) for reason in reasons.to_pylist()).most_common())
    return found


def _as_json(file: Ingested, reasons: dict[str, int]) -> dict[str, Any]:
    counts = asdict(file.counts)
    return {
        "file": file.file, "chunks": list(file.chunks), "is_new": file.is_new, "fault": file.fault,
        "seconds": file.seconds, **counts, "reasons": reasons,
    }  # fmt: skip


def remove(
    context: typer.Context,
    chunk: Annotated[str, typer.Argument(metavar="CHUNK", help="The chunk's name, as `chunky profile` lists it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="The name is that of an audit: take its traces out, and no row of the mix.")
    ] = False,
) -> None:
    """Take a chunk out of the lake; run `chunky build` afterwards. Ingesting its files again brings it back."""
    from chunky import pipeline

    session = session_of(context)
    lake = session.warehouse()
    if audit:
        _remove_audit(session, lake, chunk, yes)
        return
    rows = sum(part.rows for key, part in lake.parts("corpus.rows").items() if key[0] == chunk)
    if rows and not yes:
        typer.confirm(
            f"Remove {visible(chunk)} ({count(rows)} rows) from {visible(str(session.lake))}?", abort=True, err=True
        )
    removed = pipeline.remove_chunk(lake, chunk)
    if session.is_json:
        session.printer.json({"chunk": chunk, "rows": removed})
        return
    session.printer.line(f"removed {visible(chunk)}: {count(removed)} rows. next: chunky build")


def _remove_audit(session: Session, lake: Warehouse, audit: str, yes: bool) -> None:
    from chunky import pipeline

    if (audit,) in lake.parts("turf.failures") and not yes:
        typer.confirm(f"Remove the audit {visible(audit)} from {visible(str(session.lake))}?", abort=True, err=True)
    removed = pipeline.remove_audit(lake, audit)
    if session.is_json:
        session.printer.json({"audit": audit, "failures": removed})
        return
    session.printer.line(f"removed the audit {visible(audit)}: {count(removed)} failure{'' if removed == 1 else 's'}")


def vacuum(
    context: typer.Context,
    older_than: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Keep files younger than this: readers may hold them.")
    ] = 3600,
) -> None:
    """Delete data files that no table uses any more (earlier versions, leftovers of killed runs)."""
    session = session_of(context)
    lake = session.warehouse()
    before = _data_bytes(lake)
    removed = lake.vacuum(older_than)
    freed = before - _data_bytes(lake)
    if session.is_json:
        session.printer.json({"files": [str(path.relative_to(lake.root)) for path in removed], "bytes": freed})
        return
    session.printer.line(f"removed {count(len(removed))} file{'s' * (len(removed) != 1)}, {size(freed)} freed")


def _data_bytes(lake: Warehouse) -> int:
    return sum(path.stat().st_size for path in lake.root.rglob("*.parquet*") if path.is_file())
