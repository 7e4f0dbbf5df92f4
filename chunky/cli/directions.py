"""`chunky what-triggers` and `chunky what-does`: from a behavior to its cues, from a cue to what it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chunky.cli.ask import share, warn_if_behind
from chunky.cli.output import Head, count, times, visible
from chunky.cli.session import Session, session_of
from chunky.cli.trace_view import chunks_of
from chunky.errors import InputError

if TYPE_CHECKING:
    from chunky.pipeline.tracing_directions import Direction

_VERBS = {"response": "what-triggers", "query": "what-does"}


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("what-triggers")(what_triggers)
    app.command("what-does")(what_does)


def what_triggers(
    context: typer.Context,
    sentence: Annotated[str, typer.Argument(metavar="SENTENCE", help="A behavior, such as “The response apologizes.”")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Triggers shown.")] = 20,
) -> None:
    """Rank what in a query goes with a behavior, over the whole mix: which queries get such responses?

    An attribute of the mix (`chunky near` lists them) stands for its very rows, any other sentence for the k rows whose
    responses are nearest to it. Ranked by the excess of hits over expectation, with the gates of traces; a trigger that
    names what the behavior names is an echo and comes last.
    """
    _run(session_of(context), sentence, "response", limit)


def what_does(
    context: typer.Context,
    sentence: Annotated[
        str, typer.Argument(metavar="SENTENCE", help="A trigger, such as “The query ends with a question mark.”")
    ],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Behaviors shown.")] = 20,
) -> None:
    """Rank what in a response goes with a trigger, over the whole mix: what do such queries get?

    The other direction of what-triggers, with the same counts, gates and order.
    """
    _run(session_of(context), sentence, "query", limit)


def _run(session: Session, sentence: str, side: str, limit: int) -> None:
    other = "query" if side == "response" else "response"
    if sentence.casefold().startswith(f"the {other} "):
        raise InputError(
            f"the sentence is about the {other}, and {_VERBS[side]} asks about a {side}",
            f"begin it with “The {side} …”, or ask: chunky {_VERBS[other]}",
        )
    lake = session.warehouse()
    from chunky.pipeline.tracing_directions import goes_with

    warn_if_behind(session, lake)
    found = goes_with(lake, session.settings, sentence, side, limit)
    if session.is_json:
        session.printer.json(_object(sentence, found))
    else:
        _show(session, sentence, found)


def _object(sentence: str, found: Direction) -> dict[str, Any]:
    """The answer as plain values; the keys of a partner are those of a trigger of `chunky trace`."""
    partners = [
        {
            "rank": each["rank"], "text": each["cluster_name"], "also": each["also"],
            "cluster_id": each["cluster_id"], "hits": each["hits"], "k": each["neighbors"],
            "expected": each["expected"], "lift": each["lift"], "trigger_score": each["trigger_score"],
            "cluster_rows": each["cluster_rows"], "both_rows": each["both_rows"],
            "p_behavior_given_trigger": each["p_behavior_given_trigger"], "chunks": _chunks(each),
            "is_echo": each["is_echo"],
        }
        for each in found.partners.iter_rows(named=True)
    ]  # fmt: skip
    return {
        "sentence": sentence, "side": found.side, "kind": found.kind, "k": found.k, "rows": found.neighbors,
        "tied_rows": found.tied_rows, "min_similarity": found.min_similarity, "all_rows": found.rows,
        "row_share": found.row_share, "is_common": found.is_common, "engine": found.engine,
        "triggers" if found.side == "response" else "behaviors": partners,
    }  # fmt: skip


def _chunks(partner: dict[str, Any]) -> list[dict[str, Any]]:
    shares = zip(partner["chunks"] or (), partner["chunk_shares"] or (), strict=True)
    return [{"chunk": chunk, "share": each} for chunk, each in shares]


def _show(session: Session, sentence: str, found: Direction) -> None:
    printer = session.printer
    if found.kind == "same attribute":
        how = f"{count(found.rows)} rows of the mix have the very attribute"
    else:
        how = f"{count(found.neighbors)} rows are near to it, of k = {count(found.k)}"
        how += "" if found.min_similarity is None else f"; the last at {found.min_similarity:.2f}"
    printer.line(f"“{visible(sentence)}”: {how}", "bold")
    if found.partners.is_empty():
        printer.line(_nothing(found))
        return
    what = "query" if found.side == "response" else "response"
    heads = (
        Head(what), Head("hits", True), Head("of", True), Head("expected", True), Head("lift", True),
        Head("score", True), Head("P", True), Head("chunks"),
    )  # fmt: skip
    rows = [
        (
            f"{each['cluster_name']}{' (echo)' if each['is_echo'] else ''}{_others(each['also'])}",
            each["hits"], each["neighbors"], f"{each['expected']:.1f}", times(each["lift"]),
            f"{each['trigger_score']:.1f}", share(each["p_behavior_given_trigger"]), chunks_of(_chunks(each)),
        )
        for each in found.partners.iter_rows(named=True)
    ]  # fmt: skip
    printer.table(heads, rows)
    printer.line("P: share of the rows with the trigger that show the behavior, of the whole mix")


def _others(also: list[str]) -> str:
    return f" (and {count(len(also))} more for the same rows)" if also else ""


def _nothing(found: Direction) -> str:
    """Why nothing is ranked, and what to try."""
    near = 'which sentences the mix has: chunky near "The '
    if not found.neighbors:
        return f'nothing in the mix is near to that sentence. {near}{found.side} …"'
    if found.is_common:
        return (
            f"rows as near as these are {share(found.row_share)} of the mix: too common to be a cue or a behavior. "
            f'Say it more narrowly; {near}{found.side} …"'
        )
    return "nothing goes with it beyond chance (settings turf.min_hits, turf.min_lift, turf.max_cluster_share)"
