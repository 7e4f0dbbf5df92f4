"""`chunky agreement`: how far judges and people agree about the failures of an audit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chunky.cli.output import Head, count, visible
from chunky.cli.progress import watching
from chunky.cli.session import Session, session_of

if TYPE_CHECKING:
    import polars as pl

    from chunky.pipeline.agreement import Rated

_TOLD = 20  # unusable rows told on stderr; JSON has all


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(agreement)


def agreement(
    context: typer.Context,
    audit: Annotated[str, typer.Argument(metavar="AUDIT", help="The audit, such as rebuttal@mix.")],
    repeats: Annotated[int, typer.Option(min=0, help="Readings by the judge of the audit.")] = 2,
    judge: Annotated[
        list[str] | None, typer.Option("--judge", metavar="MODEL", help="Another judge that reads once; repeatable.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Scores by people: CSV with failure_id or query and response, score, maybe rater."
        ),
    ] = None,
) -> None:
    """Score the failures of an audit again, and say how far the raters agree: Krippendorff's alpha.

    1 is agreement, 0 as by chance; in brackets the 95 % interval over failures. Ratings stay in the lake: what a judge
    has read is paid once, and another judge or another file adds to it. The search's own scores are told beside them
    and not compared, because failures were chosen by them.

    Exit code 1 when a row of the labels cannot be used; the others are.
    """
    from chunky import pipeline
    from chunky.pipeline.agreement import rate_audit

    session = session_of(context)
    lake, settings = session.warehouse(), session.settings
    with watching(session.is_quiet) as watcher:
        found = rate_audit(
            lake, settings, audit, repeats, judge or (), labels, pipeline.Metered(watcher, watcher.calls)
        )
    raters = _raters(found.ratings, settings.surf.violation)
    if session.is_json:
        _print_json(session, audit, found, raters)
    else:
        _print(session, audit, found, raters, settings.surf.violation)
    for each in found.unusable[:_TOLD]:
        sys.stderr.write(f"line {each.line:,}: {visible(each.problem)}; {visible(each.remedy)}\n")
    if len(found.unusable) > _TOLD:
        sys.stderr.write(f"and {count(len(found.unusable) - _TOLD)} rows more; all of them: --json\n")
    if found.unusable:
        raise typer.Exit(1)


def _raters(ratings: pl.DataFrame, violation: float) -> list[dict[str, Any]]:
    """Each rater beside the search, on the failures that the rater scored."""
    import polars as pl

    score, search = pl.col("violation_score"), pl.col("search_score")
    rows: list[dict[str, Any]] = (
        ratings.group_by("rater")
        .agg(
            scored=score.count(),
            failed=score.is_null().sum(),
            mean_score=score.mean(),
            search_mean=search.filter(score.is_not_null()).mean(),
            violations=(score > violation).sum(),
            search_violations=((search > violation) & score.is_not_null()).sum(),
        )
        .sort("rater")
        .to_dicts()
    )
    return rows


def _print_json(session: Session, audit: str, found: Rated, raters: list[dict[str, Any]]) -> None:
    session.printer.json(
        {
            "audit": audit,
            "is_new": found.built.is_new,
            "raters": raters,
            "agreement": found.agreement.to_dicts(),
            "unusable": [each._asdict() for each in found.unusable],
        }
    )


def _print(session: Session, audit: str, found: Rated, raters: list[dict[str, Any]], violation: float) -> None:
    printer = session.printer
    heads = (
        Head("rater"), Head("scored", True), Head("failed", True), Head("mean", True), Head("the search's", True),
        Head(f"above {violation:g}", True), Head("the search's", True),
    )  # fmt: skip
    rows = [
        (each["rater"], each["scored"], each["failed"], _score(each["mean_score"]), _score(each["search_mean"]),
         each["violations"], each["search_violations"])
        for each in raters
    ]  # fmt: skip
    printer.table(heads, rows, f"ratings of the failures of {visible(audit)}")
    _print_alphas(session, found.agreement.to_dicts(), len(raters), violation)


def _print_alphas(session: Session, told: list[dict[str, Any]], raters: int, violation: float) -> None:
    if not told:
        session.printer.line("one rater agrees with nobody: --repeats 2, --judge MODEL or --labels FILE.csv")
        return
    heads = (
        Head("who"), Head("alpha of scores", True), Head(f"of being above {violation:g}", True), Head("failures", True),
        Head("ratings", True),
    )  # fmt: skip
    rows = [
        (_who(each["raters"], raters), _alpha(each, "alpha"), _alpha(each, "violation_alpha"), each["units"],
         each["ratings"])
        for each in told
    ]  # fmt: skip
    session.printer.table(heads, rows, "Krippendorff's alpha, 95 % interval over failures")


def _who(raters: list[str], of: int) -> str:
    if len(raters) > 2 and len(raters) == of:
        return f"all {of}"
    return " · ".join(raters)


def _alpha(row: dict[str, Any], name: str) -> str:
    if row[name] is None:
        return "?"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[name]:.2f}" + ("" if low is None else f" ({low:.2f} to {high:.2f})")


def _score(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"
