"""`chunky plant` and `chunky demo`: mixes of which the truth is known."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chunky.cli import work
from chunky.cli.ask import Filters, matching, print_findings
from chunky.cli.output import Head, Printer, count, seconds, visible
from chunky.cli.progress import watching
from chunky.cli.session import Session, session_of
from chunky.errors import InputError

if TYPE_CHECKING:
    from chunky.lens import Lens
    from chunky.planted import Plant, Truth

_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(demo)
    app.command()(plant)


def plant(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for mix/ and truth.json.")],
    seed: Annotated[int, typer.Option(help="All that is drawn is drawn from it.")] = 1,
    rows: Annotated[int, typer.Option(min=200, help="Conversations.")] = 8_000,
    chunks: Annotated[int, typer.Option(min=2, help="Chunks.")] = 12,
    plants: Annotated[int, typer.Option(min=0, help="Planted correlations.")] = 10,
    form: Annotated[str, typer.Option("--format", help="parquet (a file per chunk) or jsonl (one file).")] = "parquet",
) -> None:
    """Write a mix with known spurious correlations, and the truth about them, to test any detector with."""
    from chunky.planted import WorldSpec, plant_world, write_world

    session = session_of(context)
    world = plant_world(WorldSpec(seed=seed, rows=rows, chunks=chunks, plants=plants))
    files = write_world(world, folder, form)
    if session.is_json:
        session.printer.json({
            "mix": str(files.folder), "files": [str(path) for path in files.mix], "truth": str(files.truth),
            "rows": world.rows.height, "plants": [_plant_facts(planted) for planted in world.truth.plants],
        })  # fmt: skip
        return
    _print_plants(session.printer, world.truth.plants)
    session.printer.line(
        f"{count(world.rows.height)} conversations in {_word(files.folder)}, the truth in {_word(files.truth)}"
    )
    session.printer.line(
        f"next: chunky --lake LAKE ingest {_word(files.folder)}; chunky --lake LAKE build; chunky --lake LAKE ask"
    )


def _plant_facts(planted: Plant) -> dict[str, Any]:
    return {
        "plant_id": planted.plant_id, "tier": planted.tier, "trigger": planted.trigger.text,
        "behavior": planted.behavior.text, "chunks": list(planted.chunks), "rows": len(planted.trigger_ids),
        "p_behavior_given_trigger": planted.p_behavior_given_trigger,
    }  # fmt: skip


def _print_plants(printer: Printer, plants: Sequence[Plant]) -> None:
    heads = (
        Head("plant"),
        Head("P", True),
        Head("rows", True),
        Head("chunks"),
        Head("when the query …, the response …"),
    )
    rows = [
        (
            planted.plant_id,
            f"{planted.p_behavior_given_trigger:.0%}",
            len(planted.trigger_ids),
            ", ".join(planted.chunks),
            f"{planted.trigger.text}, {planted.behavior.text}",
        )
        for planted in plants
    ]
    printer.table(heads, rows)


def demo(
    context: typer.Context,
    seed: Annotated[int, typer.Option(help="Another seed plants other correlations.")] = 1,
) -> None:
    """Plant spurious correlations in a small mix, build its lake, and show how many the audit finds by itself.

    Without --lake the lake is made in a new temporary folder, which stays for you to look at.
    """
    session = session_of(context)
    if session.lake_flag is None:
        session.lake_flag = Path(tempfile.mkdtemp(prefix="chunky-demo-")) / "lake"
    if (session.lake / "corpus").exists():
        raise InputError(f"{session.lake} is a lake already", "name a new folder with --lake, or leave --lake out")
    started = time.monotonic()
    with ExitStack() as stack:
        truth = _make(session, seed, stack)
    _show(session, truth, time.monotonic() - started)


def _make(session: Session, seed: int, stack: ExitStack) -> Truth:
    """Plant, ingest and build; the truth of what was planted."""
    from chunky.corpus import ReadOptions
    from chunky.planted import demo_spec, plant_world, write_world

    watcher = stack.enter_context(watching(session.is_quiet))
    watcher("plant", 0, None)
    world = plant_world(demo_spec(seed))
    files = write_world(world, session.lake.parent / f"{session.lake.name}-planted-{seed}")
    # A sentence encoder takes half a minute for these sentences, and with so few each is a cluster of its own anyway.
    session.flags.setdefault("embeddings.embedder", "hashing")
    session.flags.setdefault("correlations.clusters", "true")  # a small mix, and half of its plants share no phrase
    work.ingest(session, [str(files.folder)], ReadOptions(), watcher)
    work.build(session, watcher)
    return world.truth


def _show(session: Session, truth: Truth, passed: float) -> None:
    from chunky.lens import Lens

    lake = session.warehouse()
    with Lens(lake, session.settings) as lens:
        answer = matching(lens, Filters())
        shown = answer.matching[:_SHOWN]
        places = plant_places(lens, truth, answer.matching)
    hits = sum(place is not None and place <= _SHOWN for place in places.values())
    if session.is_json:
        session.printer.json({
            "lake": str(session.lake), "findings": shown, "plants": len(places), "plants_in_top_20": hits,
            "plant_ranks": places, "seconds": passed,
        })  # fmt: skip
        return
    printer = session.printer
    printer.line(f"the {len(shown)} best of {count(len(answer.matching))} findings", "bold")
    print_findings(printer, shown)
    printer.line()
    printer.line(
        f"{hits} of {len(places)} planted correlations are among the {_SHOWN} best findings ({seconds(passed)}).",
        "bold",
    )
    _print_places(printer, truth, places)
    printer.line("try next:")
    chunk = f" {_word(shown[0]['top_chunk'])}" if shown and shown[0]["top_chunk"] else ""
    for command in ("ask --examples 2 --top 3", f"profile{chunk}", "ui"):
        printer.line(f"  chunky --lake {_word(session.lake)} {command}")


def _word(text: Path | str) -> str:
    """`text` as one word of a shell command, safe to show."""
    return visible(shlex.quote(str(text)))


def plant_places(lens: Lens, truth: Truth, findings: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
    """Plant → place (from 1) of the first of `findings` that names it, judged by rows; None when none does."""
    import polars as pl

    from chunky.planted import pair_matches

    pairs = pl.DataFrame(
        [(finding["trigger_id"], finding["behavior_id"]) for finding in findings],
        schema={"trigger_id": pl.Int64, "behavior_id": pl.Int64},
        orient="row",
    )
    rows = pl.DataFrame(lens.table("select row_id, conversation_id from corpus.rows"))
    members = pl.DataFrame(lens.table("select feature_id, row_id from correlations.members"))
    found = pair_matches(truth, rows, members, pairs).group_by("plant_id").agg(pl.col("pair_rank").min())
    ranks = dict(found.iter_rows())
    return {planted.plant_id: ranks.get(planted.plant_id) for planted in truth.plants}


def _print_places(printer: Printer, truth: Truth, places: Mapping[str, int | None]) -> None:
    heads = (Head("found as #", True), Head("planted: when the query …, the response …"), Head("in chunks"))
    rows = [
        ("not found" if places[planted.plant_id] is None else places[planted.plant_id],
         f"{planted.trigger.text}, {planted.behavior.text}", ", ".join(planted.chunks))
        for planted in truth.plants
    ]  # fmt: skip
    printer.table(heads, rows)
