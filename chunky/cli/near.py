"""`chunky near`: which attribute sentences are nearest to a sentence, in how many rows, of which chunks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from chunky.cli.output import Head, count, visible
from chunky.cli.session import session_of
from chunky.errors import InputError

_ROWS = """
select
    place,
    attribute_id,
    attribute,
    family,
    texts.rows,
    cluster,
    list(chunk order by chunk_rows desc, chunk)[:3] as chunks,
    list(chunk_rows / texts.rows order by chunk_rows desc, chunk)[:3] as chunk_shares,
from (
    select
        place,
        attribute_id,
        chunk,
        count(*) as chunk_rows,
    from near_sentences
    inner join attributes.row_attributes using (attribute_id)
    group by all
)
inner join attributes.texts using (attribute_id)
left join clusters.assignments using (attribute_id)
left join clusters.summaries using (cluster_id)
group by all
order by place
"""


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(near)


def near(
    context: typer.Context,
    sentence: Annotated[
        str,
        typer.Argument(metavar="SENTENCE", help="A sentence such as “The response provides code nobody asked for”."),
    ],
    side: Annotated[
        str, typer.Option("--side", help="query or response; else read from the sentence's first words.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Sentences shown.")] = 10,
) -> None:
    """List the attributes whose meaning is nearest to a sentence, with their rows and chunks."""
    from chunky import pipeline
    from chunky.lens import Lens

    session = session_of(context)
    lake, settings = session.warehouse(), session.settings
    asked = _side(sentence, side)
    found = pipeline.nearest_sentences(lake, settings, sentence, asked, limit)
    with Lens(lake, settings) as lens, lens.registered(near_sentences=found.table()):
        rows = lens.table(_ROWS).to_pylist()
    told = [row | {"similarity": float(found.similarities[row["place"]])} for row in rows]
    if session.is_json:
        session.printer.json({"sentence": sentence, "side": asked, "embedder": found.embedder, "near": told})
        return
    heads = (Head("near", True), Head("attribute"), Head("rows", True), Head("chunks"))
    lines = [(f"{row['similarity']:.3f}", visible(row["attribute"]), count(row["rows"]), _chunks(row)) for row in told]
    session.printer.table(heads, lines, f"{asked} attributes nearest to “{visible(sentence)}”")


def _side(sentence: str, side: str) -> str:
    """The side asked for, or the one that the sentence speaks of; InputError when neither says."""
    from chunky.tables import SIDES

    if side in SIDES:
        return side
    words = sentence.casefold().split()[:2]
    said = [name for name in SIDES if words == ["the", name]]
    if side or not said:
        problem = f"there is no side {side!r}" if side else "the sentence does not say which side it is about"
        raise InputError(problem, "begin it with “The query …” or “The response …”, or say --side query|response")
    return said[0]


def _chunks(row: dict[str, Any]) -> str:
    shares = zip(row["chunks"], row["chunk_shares"], strict=True)
    return ", ".join(f"{visible(chunk)} {share:.0%}" for chunk, share in shares)
