"""`chunky profile`: what one chunk is, what sets it apart, and what it is responsible for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chunky.cli.ask import check_chunk, print_findings, share, warn_if_behind
from chunky.cli.output import Head, Printer, count, times, visible
from chunky.cli.session import Session, session_of
from chunky.errors import MissingTable

if TYPE_CHECKING:
    from chunky.lens import Lens

Row = Mapping[str, Any]

_CHUNKS = "select * from corpus.chunks order by rows desc, chunk"
_CHUNK = "select * from corpus.chunks where chunk = getvariable('chunk')"

# of phrases with equal counts the longest tells the most; nested ones are dropped afterwards
_PHRASES = """
select side, phrase, position, rows, top_chunk_rows, top_chunk_share, phrase_z_score
from keywords.phrases
where top_chunk = getvariable('chunk') and phrase_z_score > 0
qualify row_number() over (
    partition by side, position, rows, top_chunk_rows order by tokens desc, phrase
) = 1
    and row_number() over (partition by side order by phrase_z_score desc, phrase, position) <= 200
order by side, phrase_z_score desc, phrase, position
"""

# ranked like findings: by the lower 95 % bound of the log odds ratio
_SHAPES = """
with
shapes as (
    select feature_id, side, text, rows
    from correlations.features
    where kind = 'shape' and rows > 0
),

inside as (
    select correlations.members.feature_id, count(*) as chunk_rows
    from correlations.members
    inner join shapes on correlations.members.feature_id = shapes.feature_id
    inner join corpus.rows on correlations.members.row_id = corpus.rows.row_id
    where corpus.rows.chunk = getvariable('chunk')
    group by all
),

sizes as (
    select count(*) as mix, count(*) filter (where chunk = getvariable('chunk')) as chunk
    from corpus.rows
),

tables as (
    select
        shapes.side,
        shapes.text,
        inside.chunk_rows as with_both,
        sizes.chunk - inside.chunk_rows as only_chunk,
        shapes.rows - inside.chunk_rows as only_shape,
        sizes.mix - sizes.chunk - shapes.rows + inside.chunk_rows as with_neither,
    from shapes
    inner join inside on shapes.feature_id = inside.feature_id
    cross join sizes
)

select
    side,
    text,
    with_both as rows,
    with_both / (with_both + only_chunk) as chunk_share,
    only_shape / nullif(only_shape + with_neither, 0) as share_elsewhere,
    stats.log_odds(with_both, only_chunk, only_shape, with_neither)
    - 1.96 * stats.log_odds_error(with_both, only_chunk, only_shape, with_neither) as score,
from tables
where with_both >= 5 and score > 1 and only_shape + with_neither > 0  -- a lone chunk has no rest to stand above
order by score desc, text
limit getvariable('shapes')
"""

_FINDINGS = """
select *
from report.findings
where top_chunk = getvariable('chunk') and not is_echo
order by finding_rank
limit getvariable('findings')
"""

_SHARED = """
with
others as (
    select group_id, kind, rows, unnest(chunks) as other
    from corpus.duplicates
    where chunk_count > 1 and list_contains(chunks, getvariable('chunk'))
)

select kind, other as chunk, count(*) as groups, sum(rows)::bigint as rows
from others
where other <> getvariable('chunk')
group by all
order by groups desc, kind, chunk
limit 20
"""


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(profile)


def profile(
    context: typer.Context,
    chunk: Annotated[
        str | None, typer.Argument(metavar="CHUNK", help="The chunk's name; without one all are listed.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Phrases, shapes and findings shown.")] = 10,
) -> None:
    """Say what a chunk is: its size, typical phrases, shapes far above the mix, findings it leads, shared rows."""
    session = session_of(context)
    lake = session.warehouse()
    if chunk is not None:
        check_chunk(lake, chunk)
    if not lake.parts("corpus.chunks"):
        raise MissingTable("the lake does not describe its chunks yet (corpus.chunks)", "make it with: chunky build")
    from chunky.lens import Lens

    warn_if_behind(session, lake)
    with Lens(lake, session.settings) as lens:
        if chunk is None:
            _print_list(session, lens.table(_CHUNKS).to_pylist())
            return
        facts = gather(lens, chunk, top)
    if facts["chunk"] is None:
        raise MissingTable(f"{chunk!r} was taken in after the last build", "bring the tables up to date: chunky build")
    if session.is_json:
        session.printer.json(facts)
        return
    _print_profile(session.printer, facts)


def gather(lens: Lens, chunk: str, top: int) -> dict[str, Any]:
    """All that the lake knows about `chunk`: its row of corpus.chunks, phrases, shapes, findings, shared rows."""
    lens.set({"chunk": chunk, "shapes": top, "findings": top})
    described = lens.table(_CHUNK).to_pylist()
    return {
        "chunk": described[0] if described else None,
        "phrases": _distinct_phrases(lens.table(_PHRASES).to_pylist(), top),
        "shapes": lens.table(_SHAPES).to_pylist(),
        "findings": lens.table(_FINDINGS).to_pylist(),
        "shared": lens.table(_SHARED).to_pylist(),
    }


def _distinct_phrases(phrases: Sequence[Row], top: int) -> list[Row]:
    """The `top` phrases of each side, without those that are part of, or hold, a better one."""
    chosen: list[Row] = []
    for side in ("query", "response"):
        kept: list[Row] = []
        for row in phrases:
            nested = any(row["phrase"] in other["phrase"] or other["phrase"] in row["phrase"] for other in kept)
            if row["side"] == side and not nested and len(kept) < top:
                kept.append(row)
        chosen += kept
    return chosen


def _print_list(session: Session, chunks: Sequence[Row]) -> None:
    if session.is_json:
        session.printer.json({"chunks": chunks})
        return
    heads = (
        Head("chunk"), Head("rows", True), Head("share", True), Head("conversations", True), Head("query", True),
        Head("response", True), Head("repeated", True), Head("shared", True),
    )  # fmt: skip
    rows = [
        (row["chunk"], row["rows"], share(row["mix_share"]), row["conversations"], count(row["query_chars_mean"]),
         count(row["response_chars_mean"]), row["duplicate_rows"], row["shared_rows"])
        for row in chunks
    ]  # fmt: skip
    session.printer.table(heads, rows)
    session.printer.line(
        "query, response: mean characters; repeated: rows that occur again word for word; shared: in another chunk"
    )


def _print_profile(printer: Printer, facts: Mapping[str, Any]) -> None:
    chunk = facts["chunk"]
    printer.line(visible(chunk["chunk"]), "bold")
    printer.line(
        f"  {count(chunk['rows'])} rows ({share(chunk['mix_share'])} of the mix) in {count(chunk['conversations'])} "
        f"conversations from {count(chunk['files'])} file{'s' * (chunk['files'] != 1)}; "
        f"{share(chunk['multi_turn_share'])} multi-turn, {share(chunk['system_share'])} under a system message"
    )
    printer.line(
        f"  mean characters: query {count(chunk['query_chars_mean'])}, response {count(chunk['response_chars_mean'])}; "
        f"{count(chunk['duplicate_rows'])} rows repeat another word for word, {count(chunk['shared_rows'])} one of "
        "another chunk"
    )
    for side in ("query", "response"):
        phrases = [row for row in facts["phrases"] if row["side"] == side]
        if phrases:
            heads = (Head("rows here", True), Head("of all rows with it", True), Head("phrase"), Head("where"))
            rows = [
                (row["top_chunk_rows"], share(row["top_chunk_share"]), f"“{row['phrase']}”", row["position"])
                for row in phrases
            ]
            printer.line()
            printer.table(heads, rows, f"typical of its {'queries' if side == 'query' else 'responses'}")
    _print_shapes(printer, facts["shapes"])
    if facts["findings"]:
        printer.line()
        printer.line("findings it leads (when …, the response …)", "bold")
        print_findings(printer, facts["findings"])
    if facts["shared"]:
        printer.line()
        heads = (Head("with chunk"), Head("equal in"), Head("groups", True), Head("rows", True))
        shared = [(row["chunk"], row["kind"], row["groups"], row["rows"]) for row in facts["shared"]]
        printer.table(heads, shared, "duplicates shared with other chunks")


def _print_shapes(printer: Printer, shapes: Sequence[Row]) -> None:
    if not shapes:
        return
    heads = (Head("here", True), Head("elsewhere", True), Head("times", True), Head("shape"))
    rows = [
        (
            share(row["chunk_share"]),
            share(row["share_elsewhere"]),
            times(_ratio(row)),
            f"the {row['side']} {row['text']}",
        )
        for row in shapes
    ]
    printer.line()
    printer.table(heads, rows, "shapes far above the rest of the mix")


def _ratio(row: Row) -> float | None:
    return row["chunk_share"] / row["share_elsewhere"] if row["share_elsewhere"] else None
