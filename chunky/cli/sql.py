"""`chunky sql`, `chunky questions`, `chunky export`: the lake for people who ask in SQL."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from chunky.cli.output import Head, visible
from chunky.cli.session import Session, session_of
from chunky.errors import InputError, QueryError

if TYPE_CHECKING:
    from chunky.sandbox import Answer

_SUFFIXES = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".md": "markdown"}


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(sql)
    ready = typer.Typer(help="Ready questions: list them, read one.", no_args_is_help=False)
    ready.callback(invoke_without_command=True)(_questions)
    ready.command("list")(list_questions)
    ready.command("show")(show_question)
    app.add_typer(ready, name="questions")
    exports = typer.Typer(help="The lake for other programs.", no_args_is_help=True)
    exports.callback()(_exports)
    exports.command("duckdb")(export_duckdb)
    app.add_typer(exports, name="export")


def sql(
    context: typer.Context,
    query: Annotated[str | None, typer.Argument(metavar="SQL", help="One select; `-` reads it from stdin.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read the SQL from a file.")] = None,
    question: Annotated[
        str | None, typer.Option("--question", metavar="NAME", help="A ready question; see: chunky questions.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="For getvariable('NAME'): JSON or text; repeatable."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", min=0, help="Rows shown; 0 = all. Else setting sql.row_cap, and all into --output."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="table, csv, json, parquet or markdown.")] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the rows to a file; format by its name."),
    ] = None,
) -> None:
    """Ask one question in SQL. It can read the lake's tables and nothing else, and change nothing."""
    from chunky.sandbox import Sandbox, bounded_memory, with_parameters

    session = session_of(context)
    wanted = _format(session, form, output)
    given = _parameters(param or [])
    asked = _question(query, file, question, given)
    settings = session.settings
    if question and (audit := asked.parameters.get("audit")):
        _check_audit(session, str(audit))
    with Sandbox(session.warehouse(must_exist=False), settings) as sandbox, bounded_memory(settings.sql.memory_limit):
        with_parameters(sandbox, asked.parameters)
        answer = sandbox.ask(asked.sql, limit if limit is not None else 0 if output else None)
    if question and not session.is_quiet:
        _tell_parameters(asked.parameters, given)
    _write(session, answer, wanted, output)
    _tell(session, answer, output)


def _format(session: Session, form: str, output: Path | None) -> str:
    """The format asked for, or the one that --json or the output file's name stands for."""
    from chunky.cli.answers import FORMATS

    chosen = form or ("json" if session.is_json else _SUFFIXES.get(output.suffix, "csv") if output else "table")
    if chosen not in FORMATS:
        raise QueryError(f"there is no format {chosen!r}", f"use one of {', '.join(FORMATS)}")
    if chosen == "parquet" and output is None:
        raise QueryError("parquet is not for terminals", "name a file: --output FILE")
    if chosen == "table" and output is not None:
        raise QueryError("a table is for reading, not for files", "use --format csv, json, parquet or markdown")
    return chosen


def _parameters(texts: list[str]) -> dict[str, Any]:
    from chunky.sandbox import value_of

    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise QueryError(f"--param {text!r} names no value", "write --param name=value")
        values[name.strip()] = value_of(value)
    return values


class Asked(NamedTuple):
    """SQL and the session variables that it reads."""

    sql: str
    parameters: dict[str, Any]


def _question(query: str | None, file: Path | None, name: str | None, given: dict[str, Any]) -> Asked:
    """What was asked, from the one place that was named."""
    if [query, file, name].count(None) != 2:
        raise QueryError("name exactly one of SQL, --file and --question", "ready questions: chunky questions")
    if name is not None:
        from chunky.sql_files import question

        found = question(name)
        return Asked(found.sql, found.values(given))
    if file is not None:
        try:
            return Asked(file.read_text(encoding="utf-8"), given)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file} cannot be read: {error}", "name a file with SQL in UTF-8") from error
    return Asked(sys.stdin.read() if query == "-" else str(query), given)


def _check_audit(session: Session, audit: str) -> None:
    """QueryError for an audit that the lake does not have: no row would look like no finding."""
    from chunky import pipeline

    known = pipeline.audits_of_lake(session.warehouse(must_exist=False))
    if audit not in known:
        raise QueryError(f"the lake has no audit {audit!r}", f"it has: {', '.join(known) or 'none'}")


def _write(session: Session, answer: Answer, form: str, output: Path | None) -> None:
    from chunky.cli import answers

    if output is not None:
        answers.write_file(answer.table, form, output)
    elif form == "table":
        answers.print_table(session.printer, answer.table)
    elif form == "csv" and sys.stdout.isatty():
        for line in answers.comma_separated(answer.table).split("\r\n")[:-1]:
            sys.stdout.write(f"{visible(line)}\n")
    else:
        sys.stdout.write(answers.rendered(answer.table, form))


def _tell_parameters(used: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """On stderr: the values that a ready question was asked with, so that a default is never mistaken for a choice."""
    if used:
        told = (f"{name} = {json.dumps(value, ensure_ascii=False)}" + " (default)" * (name not in given)
                for name, value in used.items())  # fmt: skip
        sys.stderr.write(f"{visible('with ' + ', '.join(told))}; change with --param NAME=VALUE\n")


def _tell(session: Session, answer: Answer, output: Path | None) -> None:
    """On stderr: what is empty, how much was shown, how long it took."""
    for note in answer.notes:
        sys.stderr.write(f"{visible(note)}\n")
    rows = answer.table.num_rows
    is_cut = answer.total is None or answer.total > rows
    total = "more than that" if answer.total is None else f"{answer.total:,}"
    counted = f"{rows:,} of {total} rows shown (--limit 0 for all)" if is_cut else f"{rows:,} row{'s' * (rows != 1)}"
    place = f" written to {visible(str(output))}" if output else ""
    if is_cut or not session.is_quiet:
        sys.stderr.write(f"{counted}{place} in {answer.seconds:.2f} s\n")


def _questions(context: typer.Context) -> None:
    """Ready questions: list them, read one."""
    if context.invoked_subcommand is None:
        list_questions(context)


def list_questions(context: typer.Context) -> None:
    """List the ready questions."""
    from chunky.sql_files import questions

    session = session_of(context)
    found = questions().values()
    if session.is_json:
        session.printer.json([
            {"name": one.name, "asks": one.asks, "parameters": {entry.name: entry.default for entry in one.parameters}}
            for one in found
        ])  # fmt: skip
        return
    session.printer.table((Head("question"), Head("asks")), [(one.name, one.asks) for one in found])
    session.printer.line("ask one: chunky sql --question NAME; read its SQL: chunky questions show NAME")


def show_question(
    context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", help="A ready question's name.")]
) -> None:
    """Show a ready question: what it asks, its parameters, its SQL."""
    from chunky.sql_files import question

    session = session_of(context)
    found = question(name)
    if session.is_json:
        parameters = [{"name": one.name, "default": one.default, "meaning": one.meaning} for one in found.parameters]
        session.printer.json({"name": found.name, "asks": found.asks, "parameters": parameters, "sql": found.sql})
        return
    session.printer.results.write(found.sql)


def _exports() -> None:
    """The lake for other programs."""


def export_duckdb(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The DuckDB file to write.")],
    relative: Annotated[
        bool, typer.Option("--relative", help="Name the lake's files relative to FILE, so that both can move together.")
    ] = False,
) -> None:
    """Write a DuckDB file of views over the lake: for a DuckDB shell, a notebook, a BI tool. It holds no data."""
    from chunky import export

    session = session_of(context)
    written = export.export_duckdb(session.warehouse(), file, relative)
    if session.is_json:
        counts = {"views": written.views, "macros": written.macros, "left_out": list(written.left_out)}
        session.printer.json({"file": str(written.file)} | counts)
        return
    session.printer.line(f"{visible(str(written.file))}: {written.views} views, {written.macros} macros, no data")
    if written.left_out:
        session.printer.line(f"left out, because DuckDB alone does not read Lance: {', '.join(written.left_out)}")
    if relative:
        session.printer.line("open it from its own folder: DuckDB looks for relative paths in the working folder")
