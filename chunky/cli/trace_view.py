"""Traces for people: the sentence, its numbers, what came second, the cruxes, and rows of the mix that show it."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chunky.cli.output import PIPE_WIDTH, Head, Printer, count, times, visible, wrapped

if TYPE_CHECKING:
    from chunky.turf import Unusable

_TEXT_CHARS = 240
_TRIED = 120  # characters of a sentence in a command to try
_CHUNKS = 3
_QUERY_CHARS = 80  # of a failure that is told on stderr
_LIKE = ("The response opens like “", "The response ends like “")  # cruxes that are sentences of the response
_TOLD = 20  # unusable records told on stderr; JSON has all

_MEANS = {
    "no trigger found": (
        "This is an answer: the mix holds such responses, but nothing about this query goes with them more than with "
        "responses drawn at random. The behavior may be spread over all queries, or come from elsewhere."
    ),
    "not taught by this mix": (
        "This is an answer: too few rows respond so to teach it. Look beyond the mix: pre-training, preference tuning, "
        "the system prompt, another mix."
    ),
}


def show_trace(printer: Printer, trace: Mapping[str, Any], evidence: int, place: str = "") -> None:
    """Print one trace (an object of docs/turf.md); `place` says which of several it is."""
    width = printer.console().width if printer.is_terminal else PIPE_WIDTH
    if place:
        printer.line(f"{place} · {trace['verdict']} · {visible(trace['rubric'], _TRIED)}", "dim")
        _show_failure(printer, trace)
    for line in wrapped(visible(trace["explanation"]), width):
        printer.line(line, "bold")
    if trace["triggers"]:
        _show_numbers(printer, trace)
        _show_others(printer, trace)
    else:
        for line in wrapped(_MEANS[trace["verdict"]], width):
            printer.line(line)
        _show_tries(printer, trace)
    _show_cruxes(printer, trace)
    if trace["triggers"] and evidence:
        _show_evidence(printer, trace, evidence)


def _show_failure(printer: Printer, trace: Mapping[str, Any]) -> None:
    """The failing pair, with what the best trigger and its crux quote of it."""
    from chunky.cli.marking import marked  # numpy takes a while to import: not for `chunky --help`

    trigger, crux = _told(trace)
    printer.marked("  query     ", marked(trace["query"], trigger))
    printer.marked("  response  ", marked(trace["response"], crux))


def _told(trace: Mapping[str, Any]) -> tuple[str, str]:
    """The sentences of the best trigger and of its crux; empty where nothing was traced."""
    if not trace["triggers"]:
        return "", ""
    first = trace["triggers"][0]
    return first["text"], next(each["text"] for each in trace["cruxes"] if each["rank"] == first["crux_rank"])


def show_sum(printer: Printer, verdicts: Sequence[str]) -> None:
    """What became of several failures, in a line."""
    told = ", ".join(f"{count(number)} {verdict}" for verdict, number in Counter(verdicts).most_common())
    printer.line(f"{count(len(verdicts))} failures: {told}")


def chunks_of(chunks: Sequence[Mapping[str, Any]], most: int = _CHUNKS) -> str:
    """The first chunks with their shares, and how many more there are."""
    shown = [f"{visible(each['chunk'])} {each['share']:.0%}" for each in chunks[:most]]
    return ", ".join(shown) + (f" and {count(len(chunks) - most)} more" if len(chunks) > most else "")


def _show_numbers(printer: Printer, trace: Mapping[str, Any]) -> None:
    first = trace["triggers"][0]
    lines = (
        ("hits", f"{count(first['hits'])} of the {count(first['k'])} nearest responses follow such a query; "
                 f"{first['expected']:.1f} expected, {times(first['lift'])}"),
        ("rows", f"{count(first['cluster_rows'])} rows of the mix have the trigger; "
                 f"{first['p_behavior_given_trigger']:.0%} of them respond so"),
        ("chunks", chunks_of(first["chunks"], 5)),
    )  # fmt: skip
    printer.line()
    for name, told in lines:
        printer.line(f"  {name:<7} {told}")


def _show_others(printer: Printer, trace: Mapping[str, Any]) -> None:
    heads = (
        Head("#", True), Head("trigger"), Head("crux", True), Head("hits", True), Head("of", True),
        Head("expected", True), Head("lift", True), Head("rows", True), Head("P", True), Head("chunks"),
    )  # fmt: skip
    rows = [
        (
            each["rank"], each["text"], each["crux_rank"], each["hits"], each["k"], f"{each['expected']:.1f}",
            times(each["lift"]), each["cluster_rows"], f"{each['p_behavior_given_trigger']:.0%}",
            chunks_of(each["chunks"]),
        )
        for each in trace["triggers"][1:]
    ]  # fmt: skip
    if rows:
        printer.line()
        printer.table(heads, rows, "other triggers")


def _show_cruxes(printer: Printer, trace: Mapping[str, Any]) -> None:
    if not trace["cruxes"]:
        return
    heads = (
        Head("#", True),
        Head("crux"),
        Head("neighbors", True),
        Head("of k", True),
        Head("tied", True),
        Head("nearness"),
    )
    rows = [
        (
            each["rank"], each["text"], each["rows"], each["k"], each["tied_rows"],
            "" if each["min_similarity"] is None else f"{each['min_similarity']:.2f}",
        )
        for each in trace["cruxes"]
    ]  # fmt: skip
    printer.line()
    printer.table(heads, rows, "cruxes: what of the response was looked for")


def _show_evidence(printer: Printer, trace: Mapping[str, Any], evidence: int) -> None:
    from chunky.cli.marking import marked

    first, (trigger, crux) = trace["triggers"][0], _told(trace)
    shown = first["evidence"][:evidence]
    printer.line()
    printer.line(f"{count(len(shown))} of the {count(first['hits'])} rows that teach it", "bold")
    for row in shown:
        printer.line(f"  {visible(row['chunk'])} · {visible(row['id'], _TEXT_CHARS)}", "dim")
        printer.marked("    query     ", marked(row["query"], trigger))
        printer.marked("    response  ", marked(row["response"], crux))


def _show_tries(printer: Printer, trace: Mapping[str, Any]) -> None:
    printer.line("try:")
    # rows that open or end alike are found by the sentence itself, which what-triggers does not know
    texts = [each["text"] for each in trace["cruxes"] if not each["text"].startswith(_LIKE)]
    if crux := next(iter(texts), None):
        printer.line(f"  chunky what-triggers {_quoted(crux)}   # which queries of the mix go with it")
    printer.line('  chunky near "The response …"   # which responses the mix has; say the behavior in other words')
    printer.line(
        "  --method paper   # the most frequent trigger without a gate;  --rubric: other words lead to other cruxes"
    )


def _quoted(sentence: str) -> str:
    return shlex.quote(visible(sentence, _TRIED))


def tell_left_out(unusable: Sequence[Unusable], repeated: int) -> None:
    """Say on stderr which records are not traced, and why."""
    for each in unusable[:_TOLD]:
        sys.stderr.write(f"{each.place} cannot be traced: {visible(each.problem)}\n")
    if len(unusable) > _TOLD:
        sys.stderr.write(f"and {count(len(unusable) - _TOLD)} more; all of them: --json\n")
    if repeated == 1:
        sys.stderr.write("1 record repeats a failure before it, which is traced once\n")
    elif repeated:
        sys.stderr.write(f"{count(repeated)} records repeat failures before them, which are traced once\n")


def tell_untraced(untraced: Sequence[Unusable]) -> None:
    """Say on stderr which failures a model gave no usable answer about."""
    for each in untraced[:_TOLD]:
        query = visible(each.query or "", _QUERY_CHARS)
        sys.stderr.write(f"the failure “{query}” cannot be traced: {visible(each.problem)}\n")
    if len(untraced) > _TOLD:
        sys.stderr.write(f"and {count(len(untraced) - _TOLD)} more; all of them: --json\n")
