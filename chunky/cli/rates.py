"""`chunky rates`: how often each model violates each rubric, all audits of a lake as models × behaviors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chunky.cli.output import Head, count, visible
from chunky.cli.session import Session, session_of
from chunky.errors import InputError

if TYPE_CHECKING:
    from chunky.surf.matrix import Cell, Matrix

_HIGHEST = -1.0


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(rates)


def rates(
    context: typer.Context,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Scores above it are violations; else the highest an audit was counted at."),
    ] = None,
    svg: Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Draw the table into this file.")] = None,
) -> None:
    """Say how often each model violates each rubric: a row a model, a column a rubric, over all audits of the lake.

    A cell has the share of the outputs that violate the rubric, its 95 % interval (bootstrapped over the runs) and the
    number of outputs; `—` where nothing was run, `?` where nothing was scored. A second table has the share of new
    responses to the same queries, where there are any.
    """
    from chunky.surf.matrix import matrix

    session = session_of(context)
    found = _rates(session, _HIGHEST if threshold is None else threshold)
    shown = matrix(found)
    if svg is not None:
        _draw(svg, shown, found)
    if session.is_json:
        session.printer.json({"rates": found})
        return
    if not found:
        session.printer.line("nothing was audited yet: chunky audit, or chunky surf")
    else:
        _print(session, shown, f"Outputs that violate the rubric ({_above(found)})")
        if any(each["fresh_samples"] for each in found):
            _print(session, matrix(found, "fresh"), "New responses to the same queries that violate it")
        for row, column, audit in shown.repeated:
            session.printer.line(f"{visible(row.label)}, {visible(column)}: audit {visible(audit)}")
        if len({each["threshold"] for each in found} - {None}) > 1:
            told = (f"{each['audit']} above {each['threshold']:g}" for each in found if each["threshold"] is not None)
            session.printer.line(f"their thresholds differ, so they do not compare: {visible(', '.join(told))}")
        session.printer.line("share, 95 % interval over runs, number; by SQL: chunky sql --question violation_rates")
    if svg is not None:
        session.printer.line(f"drawn into {visible(str(svg))}")


def _rates(session: Session, threshold: float) -> list[dict[str, Any]]:
    from chunky.lens import Lens
    from chunky.sql_files import question

    asked = question("violation_rates")
    with Lens(session.warehouse(), session.settings) as lens:
        lens.set(asked.values({"threshold": threshold}))
        rows: list[dict[str, Any]] = lens.table(asked.sql).to_pylist()
    return rows


def _above(found: Sequence[dict[str, Any]]) -> str:
    thresholds = sorted({each["threshold"] for each in found if each["threshold"] is not None})
    if not thresholds:
        return "no audit was counted at this threshold"
    return f"scores above {' or '.join(f'{each:g}' for each in thresholds)}"


def _print(session: Session, shown: Matrix, title: str) -> None:
    heads = [Head("model"), *(Head(visible(column), True) for column in shown.columns)]
    rows = [[row.label, *(_told(shown.cells.get((row, column))) for column in shown.columns)] for row in shown.rows]
    session.printer.table(heads, rows, title)


def _told(cell: Cell | None) -> str:
    from chunky.surf.matrix import percent

    if cell is None:
        return "—"
    if cell.rate is None:
        return "?"
    between = f" ({cell.interval})" if cell.interval else ""
    return f"{percent(cell.rate)} %{between} n {count(cell.of)}"


def _draw(path: Path, shown: Matrix, found: Sequence[dict[str, Any]]) -> None:
    from chunky.durable import replace_text
    from chunky.surf.plot import svg

    text = svg(
        shown,
        "Outputs that violate the rubric",
        f"{_above(found)}; share, 95 % interval over runs, number of outputs",
    )
    try:
        replace_text(path, text)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}", "name a file in a folder that is there"
        ) from error
