"""`chunky ask`: what the mix teaches by accident, ranked, with where it comes from."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from chunky.cli.output import PIPE_WIDTH, Printer, count, times, visible, wrapped
from chunky.cli.session import Session, session_of
from chunky.errors import MissingTable, SettingsError
from chunky.tables import SCOPES

if TYPE_CHECKING:
    from chunky.lens import Lens
    from chunky.warehouse import Warehouse

Finding = Mapping[str, Any]

# filters are session variables; a null one lets everything through. Echoes are told apart from the rest.
_MATCHING = """
select findings.*, triggers.kind as trigger_kind
from report.findings as findings
inner join correlations.features as triggers on findings.trigger_id = triggers.feature_id
where findings.is_echo = getvariable('echoes')
    and (getvariable('chunk') is null or findings.top_chunk = getvariable('chunk'))
    and (getvariable('scope') is null or findings.scope = getvariable('scope'))
    and contains(lower(findings.trigger_text), lower(getvariable('trigger')))
    and contains(lower(findings.behavior_text), lower(getvariable('behavior')))
    and findings.trigger_rows >= getvariable('min_rows')
    and coalesce(findings.top_chunk_share, 0) >= getvariable('min_share')
    and (not getvariable('cues') or triggers.kind <> 'chunk')
    and len(list_filter(
        getvariable('words')::varchar[],
        lambda word: not contains(
            lower(concat_ws(' ', trigger_text, behavior_text, other_triggers::varchar, other_behaviors::varchar)),
            lower(word)
        )
    )) = 0
order by findings.finding_rank
"""

# ids are hashes, so their order is a fixed random one: the first rows are a fair sample
_EXAMPLES = """
select corpus.rows.chunk, corpus.rows.query, corpus.rows.response, corpus.rows.file, corpus.rows.record_number
from corpus.rows
inner join correlations.members as triggered
    on corpus.rows.row_id = triggered.row_id and triggered.feature_id = getvariable('trigger_id')
inner join correlations.members as behaving
    on corpus.rows.row_id = behaving.row_id and behaving.feature_id = getvariable('behavior_id')
qualify row_number() over (partition by corpus.rows.content_id order by corpus.rows.row_id) = 1
order by corpus.rows.row_id
limit getvariable('examples')
"""

_COUNTS = "select count(*), count(*) filter (where is_echo) from report.findings"
_OTHERS = 3  # other behaviors of nearly the same rows, shown under a finding
_HEADER = "  #       P   95 % interval  elsewhere    lift         n  chunk (its share) · scope"


class Filters(NamedTuple):
    """What `ask` was asked for; None and empty text let everything through."""

    words: Sequence[str] = ()
    chunk: str | None = None
    scope: str | None = None
    trigger: str = ""
    behavior: str = ""
    min_rows: int = 0
    min_share: float = 0
    echoes: bool = False
    cues: bool = False


class Answer(NamedTuple):
    """Findings that match, best first, the number of all findings but echoes, and the number of echoes."""

    matching: list[dict[str, Any]]
    findings: int
    echoes: int


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(ask)


def ask(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORDS", help="Words that trigger or behavior must contain.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="Findings shown; 0 = all.")] = 20,
    chunk: Annotated[str | None, typer.Option(help="Findings that this chunk leads.")] = None,
    scope: Annotated[
        str | None, typer.Option(help="within (holds inside chunks), between (the chunk does both) or mixed.")
    ] = None,
    trigger: Annotated[str, typer.Option(metavar="TEXT", help="Text that the trigger must contain.")] = "",
    behavior: Annotated[str, typer.Option(metavar="TEXT", help="Text that the behavior must contain.")] = "",
    min_rows: Annotated[int, typer.Option(min=0, help="Least number of rows with the trigger.")] = 0,
    min_share: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of its rows that one chunk holds, e.g. 0.5.")
    ] = 0,
    examples: Annotated[int, typer.Option(min=0, help="Example rows shown under each finding.")] = 0,
    echoes: Annotated[
        bool, typer.Option("--echoes", help="Findings of one feature seen on both sides, e.g. one language.")
    ] = False,
    cues: Annotated[
        bool, typer.Option("--cues", help="Only triggers that a model can see: leave out whole chunks.")
    ] = False,
) -> None:
    """Rank what the mix teaches by accident: when the query …, the response …, how often, and which chunk is behind it.

    P is the share of the rows with the trigger that show the behavior, `elsewhere` the same without the trigger, lift
    P over the whole mix, n the rows with the trigger. Ranked by the lower 95 % bound of the log odds ratio.
    """
    session = session_of(context)
    filters = Filters(tuple(words or ()), chunk, scope, trigger, behavior, min_rows, min_share, echoes, cues)
    lake = session.warehouse()
    _check(lake, filters)
    from chunky.lens import Lens

    warn_if_behind(session, lake)
    with Lens(lake, session.settings) as lens:
        answer = matching(lens, filters)
        shown = answer.matching[: top or None]
        found = [finding | {"examples": example_rows(lens, finding, examples)} for finding in shown]
    _print(session, filters, answer, found)


def matching(lens: Lens, filters: Filters) -> Answer:
    """All findings that pass `filters`, with the catalog's columns and `trigger_kind`."""
    lens.set({**filters._asdict(), "words": list(filters.words)})
    found = lens.table(_MATCHING).to_pylist()
    total, echoes = lens.connection.execute(_COUNTS).fetchall()[0]
    return Answer(found, total - echoes, echoes)


def example_rows(lens: Lens, finding: Finding, number: int) -> list[dict[str, Any]]:
    """Up to `number` distinct rows that carry trigger and behavior: chunk, query, response, file, record_number."""
    if not number:
        return []
    lens.set({"trigger_id": finding["trigger_id"], "behavior_id": finding["behavior_id"], "examples": number})
    return lens.table(_EXAMPLES).to_pylist()


def _check(lake: Warehouse, filters: Filters) -> None:
    if filters.scope is not None and filters.scope not in SCOPES:
        raise SettingsError(f"there is no scope {filters.scope!r}", f"use one of: {', '.join(SCOPES)}")
    if not lake.parts("report.findings"):
        raise MissingTable("the lake has no findings yet (report.findings)", "make them with: chunky build")
    if filters.chunk is not None:
        check_chunk(lake, filters.chunk)


def warn_if_behind(session: Session, lake: Warehouse) -> None:
    """Say on stderr when tables rest on rows that have changed since."""
    from chunky.doctor import behind

    steps = behind(lake)
    if steps and not session.is_quiet:
        sys.stderr.write(
            f"warning: the lake changed after {', '.join(steps)} was built; bring it up to date: chunky build\n"
        )


def check_chunk(lake: Warehouse, chunk: str) -> None:
    """MissingTable, with the nearest names, when the lake has no such chunk."""
    chunks = sorted({key[0] for key in lake.parts("corpus.rows")})
    if chunk in chunks:
        return
    from difflib import get_close_matches

    near = get_close_matches(chunk, chunks, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise MissingTable(f"the lake has no chunk {chunk!r}", f"{hint}list them with: chunky profile")


# printing ----------------------------------------------------------------------------------------------------------


def _print(session: Session, filters: Filters, answer: Answer, shown: list[dict[str, Any]]) -> None:
    printer = session.printer
    if session.is_json:
        printer.json({
            "findings": shown, "shown": len(shown), "matching": len(answer.matching), "all_findings": answer.findings,
            "echoes": answer.echoes,
        })  # fmt: skip
        return
    what = "echoes" if filters.echoes else "findings"
    printer.line(f"{count(len(shown))} of {count(len(answer.matching))} matching {what}, best first", "bold")
    if shown:
        print_findings(printer, shown)
        _print_chunks(printer, shown)
    elif not answer.findings and not filters.echoes:
        printer.line("the mix has no findings: no pair is strong and frequent enough (settings report.*)")
    else:
        printer.line("nothing matches; ask for less: fewer words, a lower --min-rows, or no --scope")
    if answer.echoes and not filters.echoes:
        printer.line(
            f"{count(answer.echoes)} echoes (one feature on both sides, e.g. one language) apart: chunky ask --echoes"
        )


def print_findings(printer: Printer, findings: Sequence[Finding]) -> None:
    """Two lines a finding, the statement and its numbers, then its examples where it has any."""
    width = printer.console().width if printer.is_terminal else PIPE_WIDTH
    printer.line(_HEADER, "dim")
    for finding in findings:
        statement = (
            f"when the query {visible(finding['trigger_text'])}, the response {visible(finding['behavior_text'])}"
        )
        for line in wrapped(statement, width, f"{finding['finding_rank']:>3}  "):
            printer.line(line, "bold")
        printer.line(_numbers(finding))
        if others := [visible(text) for text in finding["other_behaviors"][:_OTHERS]]:
            for line in wrapped(f"also {'; '.join(others)}", width, "     "):
                printer.line(line, "dim")
        for example in finding.get("examples", ()):
            _print_example(printer, example, width)


def _numbers(finding: Finding) -> str:
    interval = f"{share(finding['p_low'])} – {share(finding['p_high'])}"
    chunk = (
        "" if finding["top_chunk"] is None else f"{visible(finding['top_chunk'])} ({share(finding['top_chunk_share'])})"
    )
    notes = [chunk, finding["scope"] or ""]
    notes.append("reversed inside chunks" if finding["is_reversed"] else "")
    if not finding["p_low"] <= finding["p_behavior_given_trigger"] <= finding["p_high"]:
        notes.append(f"interval of {count(finding['trigger_contents'])} distinct contents: many rows repeat")
    rest = " · ".join(note for note in notes if note)
    return (
        f"{share(finding['p_behavior_given_trigger']):>9}  {interval:>14}  {share(finding['base_rate']):>9}"
        f"  {times(finding['lift']):>6}  {count(finding['trigger_rows']):>8}  {rest}"
    )


def share(value: float | None) -> str:
    """A share as a narrow percentage: `93%`, `4.1%`, `0.13%`; `?` for unknown."""
    from chunky.report import percent

    return percent(value).replace(" ", "")


def _print_example(printer: Printer, example: Mapping[str, Any], width: int) -> None:
    printer.line(
        f"       {visible(example['chunk'])} · {visible(example['file'])}, record {count(example['record_number'])}",
        "dim",
    )
    for side in ("query", "response"):
        label, text = f"         {side:<8}  ", excerpt(example[side])
        for line in wrapped(text, width, label) if printer.is_terminal else (label + text,):
            printer.line(line)


def excerpt(text: str, limit: int = 240) -> str:
    """Beginning and end of a text on one safe line: cues sit at either."""
    if len(text) <= limit:
        return visible(text)
    return f"{visible(text[: limit * 2 // 3])} […] {visible(text[-limit // 3 :])}"


def _print_chunks(printer: Printer, findings: Sequence[Finding]) -> None:
    leaders = Counter(finding["top_chunk"] for finding in findings if finding["top_chunk"] is not None)
    if leaders:
        names = ", ".join(f"{visible(chunk)} ({number})" for chunk, number in leaders.most_common(5))
        printer.line(f"chunks behind them: {names}")
        printer.line("look closer: chunky ask --examples 2 --top 3; chunky profile CHUNK")
