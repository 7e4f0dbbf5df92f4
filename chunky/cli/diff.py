"""`chunky diff`: what a newer lake teaches that an older one does not, for a person, a pull request or CI."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from chunky.cli.output import Head, Printer, show_error, visible
from chunky.cli.progress import watching
from chunky.cli.session import Session, session_of
from chunky.errors import ChunkyError, LakeError, MissingTable, QueryError, SettingsError

if TYPE_CHECKING:
    from chunky.accepted import Judged
    from chunky.diff import I64, Measure, News, Side
    from chunky.features import Feature
    from chunky.lens import Lens
    from chunky.warehouse import Warehouse

_DIFFERENT, _FAILED = 1, 2
_FOLDED_SHOWN = 3
_ACCEPTED = "accepted.yaml"
_NEEDED = ("report.findings", "correlations.features", "correlations.members", "corpus.rows")


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command()(diff)


def diff(
    context: typer.Context,
    before: Annotated[Path, typer.Argument(metavar="LAKE_A", help="The older lake's folder.")],
    after: Annotated[Path, typer.Argument(metavar="LAKE_B", help="The newer lake's folder.")],
    min_score: Annotated[
        float | None,
        typer.Option(min=0.0, help="Findings count from this score on (lower 95 % bound of log odds; default 0.7)."),
    ] = None,
    accepted: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Intended pairs, told apart and not counted. Else accepted.yaml in LAKE_B."),
    ] = None,
    clusters: Annotated[
        bool,
        typer.Option("--clusters", help="Compare findings of clusters too. They are learned anew from each mix."),
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="A table for a pull request comment.")] = False,
) -> None:
    """Compare two lakes: findings that appeared, moved or went. One line each, synonyms folded beneath.

    Every finding of either lake is counted again in both. It is news when the 95 % intervals of its P do not overlap
    and its odds at least doubled or halved, or when the rows it rests on are new or gone.

    Exit codes: 0 no difference (or accepted ones alone), 1 differences, 2 wrong usage or an error.
    """
    try:
        from chunky.diff import MIN_SCORE  # polars takes 0.3 s to import: not for `chunky --help`

        least = MIN_SCORE if min_score is None else min_score
        is_different = _run(session_of(context), before, after, least, accepted, markdown, clusters)
    except ChunkyError as error:
        show_error(error)
        raise typer.Exit(_FAILED) from error
    if is_different:
        raise typer.Exit(_DIFFERENT)


def _run(
    session: Session,
    before: Path,
    after: Path,
    min_score: float,
    accepted: Path | None,
    is_markdown: bool,
    with_fitted: bool,
) -> bool:
    from datetime import date

    from chunky.accepted import judge, parse

    if is_markdown and session.is_json:
        raise SettingsError("--markdown and --json exclude each other", "choose one")
    path = accepted or after / _ACCEPTED
    if accepted is not None and not accepted.is_file():
        raise SettingsError(f"{accepted} does not exist", "name a YAML file, see docs/diff.md")
    entries = parse(str(path), path.read_text(encoding="utf-8")) if path.is_file() else []
    compared = compare_lakes(session, before, after, min_score, with_fitted=with_fitted)
    judged = judge(compared.news, entries, date.today())
    for line in judged.complaints:
        sys.stderr.write(f"{visible(str(path))}: {visible(line)}\n")
    if compared.left_out:
        sys.stderr.write(
            f"note: {compared.left_out:,} findings of clusters are left out, because each mix has clusters of its own "
            "and the other lake none like them; --clusters compares them\n"
        )
    if session.is_json:
        session.printer.json(as_data(judged, before, after, min_score) | {"left_out": compared.left_out})
    elif is_markdown:
        sys.stdout.write(as_markdown(judged))
    else:
        _print(session.printer, judged)
    return bool(judged.news)


# reading two lakes -------------------------------------------------------------------------------------------------


class Compared(NamedTuple):
    """Headlines, and how many findings of either lake were left out because they rest on a fitted feature."""

    news: list[News]
    left_out: int


def compare_lakes(
    session: Session, before: Path, after: Path, min_score: float, *, with_fitted: bool = False
) -> Compared:
    """What is new between two lakes; LakeError, MissingTable or QueryError when one cannot be compared.

    Findings with a feature that is fitted to the mix (`FITTED_KINDS`) are compared only `with_fitted`.
    """
    import polars as pl

    from chunky.diff import compare, features_needed, worth_telling
    from chunky.lens import Lens
    from chunky.tables import FITTED_KINDS

    lakes = [_lake(path) for path in (before, after)]
    _warn_of_other_code(*lakes)
    with Lens(lakes[0], session.settings) as old, Lens(lakes[1], session.settings) as new:
        were, are = (pl.DataFrame(lens.table("select * from report.findings")) for lens in (old, new))
        known = _features(new) | _features(old)
        fitted = [] if with_fitted else [name for name, feature in known.items() if feature.kind in FITTED_KINDS]
        is_fitted = pl.col("trigger_id").is_in(fitted) | pl.col("behavior_id").is_in(fitted)
        left = pl.concat([worth_telling(side, min_score).filter(is_fitted) for side in (were, are)])
        were, are = were.filter(~is_fitted), are.filter(~is_fitted)
        features = [known[feature_id] for feature_id in features_needed(were, are, min_score)]
        sides = _side(old, were, features, session), _side(new, are, features, session)
    chunk_ids = [feature.feature_id for feature in features if feature.kind == "chunk"]
    least = session.settings.correlations.min_trigger_contents
    news = compare(sides[0], sides[1], chunk_ids, min_contents=least, min_score=min_score)
    return Compared(news, left["finding_id"].n_unique())


def _lake(path: Path) -> Warehouse:
    from chunky.warehouse import Warehouse

    if not path.is_dir():
        raise LakeError(f"{path} is no folder", "name two lakes: chunky diff LAKE_A LAKE_B")
    lake = Warehouse(path)
    for name in _NEEDED:
        if not lake.parts(name):
            raise MissingTable(f"the lake {path} has no {name}", f"run: chunky build --lake {path}")
    return lake


def _warn_of_other_code(before: Warehouse, after: Warehouse) -> None:
    """Differences between programs look like differences between mixes; say so, since nobody can tell them apart."""
    facts = [next(iter(lake.parts("report.findings").values())).provenance for lake in (before, after)]
    others = [name for name in ("contract", "code", "engines", "settings") if facts[0].get(name) != facts[1].get(name)]
    if others:
        sys.stderr.write(f"note: the lakes were built with different {', '.join(others)}; build both anew to be sure\n")


def _features(lens: Lens) -> dict[int, Feature]:
    from chunky.features import Feature

    rows = lens.table("select kind, side, name, text, definition, position, origin from correlations.features")
    features = [Feature(**row) for row in rows.to_pylist()]
    return {feature.feature_id: feature for feature in features}


def _side(lens: Lens, findings: Any, features: Sequence[Feature], session: Session) -> Side:
    """What the comparison needs of one lake; features that it does not have are looked up in its texts."""
    import numpy as np
    import polars as pl

    from chunky.diff import Side
    from chunky.features import find_members

    own = set(lens.table("select feature_id from correlations.features")["feature_id"].to_pylist())
    ids = pl.DataFrame({"feature_id": [f.feature_id for f in features]}, schema={"feature_id": pl.Int64})
    with lens.registered(wanted=ids):
        stored = lens.table(
            "select feature_id, row_id from correlations.members inner join wanted using (feature_id) order by all"
        )
    members: dict[int, I64] = {feature.feature_id: np.zeros(0, np.int64) for feature in features}
    for (feature_id,), rows in pl.DataFrame(stored).group_by("feature_id"):
        members[int(str(feature_id))] = rows["row_id"].to_numpy()
    absent = [feature for feature in features if feature.feature_id not in own]
    if absent:
        with watching(session.is_quiet) as progress:
            members |= find_members(absent, _texts(lens, progress))
        members |= {feature.feature_id: _sql_members(lens, feature) for feature in absent if feature.kind == "sql"}
    corpus = pl.DataFrame(lens.table("select row_id, content_id, chunk from corpus.rows"))
    return Side(findings, corpus, members)


def _texts(lens: Lens, progress: Any) -> Iterator[Any]:
    done, total = 0, lens.lake.rows("corpus.rows")
    for batch in lens.batches("select row_id, chunk, query, response from corpus.rows", rows=10_000):
        yield batch
        done += batch.num_rows
        progress("diff", done, total)


def _sql_members(lens: Lens, feature: Feature) -> I64:
    """Row ids of a user's SQL feature of the other lake: its own file, run as the user."""
    import duckdb

    query = feature.definition
    if not query.lstrip().lower().startswith(("select", "with", "from")):
        query = f"select row_id from corpus.rows where {query}"
    try:
        return lens.table(f"select distinct row_id from ({query}) order by row_id")["row_id"].to_numpy()
    except duckdb.Error as error:
        raise QueryError(f"feature {feature.name!r}: {error}", "correct it in the lake's folder features/") from error


# showing -----------------------------------------------------------------------------------------------------------


def _percent(measure: Measure) -> str:
    from chunky.report import percent

    if measure.p is None:
        return "no rows"
    return f"{percent(measure.p)} of {measure.trigger_rows:,}"


def _sentence(news: News) -> str:
    return f"when the query {news.trigger_text}, the response {news.behavior_text}"


def _change(news: News) -> str:
    scope = ""
    if news.scope_before != news.scope_after and news.kind == "moved":
        scope = f" ({news.scope_before or '?'} → {news.scope_after or '?'})"
    return f"{_percent(news.before)} → {_percent(news.after)}{scope}"


def _where(news: News) -> str:
    from chunky.report import percent

    return f"{news.chunk} ({percent(news.chunk_share)})" if news.chunk is not None else ""


def _summary(judged: Judged) -> str:
    counted = [f"{sum(news.kind == kind for news in judged.news)} {kind}" for kind in ("appeared", "moved", "went")]
    accepted = f", {len(judged.accepted)} accepted" if judged.accepted else ""
    return (", ".join(counted) if judged.news else "no difference") + accepted


def _print(printer: Printer, judged: Judged) -> None:
    heads = (Head("news"), Head("P of rows, before → after"), Head("finding"), Head("changed rows", True),
             Head("most of them from"))  # fmt: skip
    rows: list[tuple[object, ...]] = []
    for news in judged.news:
        rows.append((news.kind, _change(news), _sentence(news), news.changed_rows, _where(news)))
        rows += [("", _change(other), f"· {_sentence(other)}", other.changed_rows, "")
                 for other in news.folded[:_FOLDED_SHOWN]]  # fmt: skip
        if len(news.folded) > _FOLDED_SHOWN:
            rows.append(("", "", f"· and {len(news.folded) - _FOLDED_SHOWN} more on these rows", "", ""))
    rows += [("accepted", _change(news), f"{_sentence(news)}: {entry.reason}", news.changed_rows, _where(news))
             for news, entry in judged.accepted]  # fmt: skip
    if rows:
        printer.table(heads, rows)
    printer.line(_summary(judged), "bold")


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$^=-])")


def escaped(text: str) -> str:
    """`text` as plain words of a Markdown table cell: no markup, no HTML, no mention, no link, one line."""
    text = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    text = text.replace("://", "&#58;//").replace("www.", "www&#46;")
    return _MARKDOWN.sub(r"\\\1", text)


def as_markdown(judged: Judged) -> str:
    """A heading, one table of headlines, and folded details; ends with a line break."""
    lines = [f"**chunky diff**: {_summary(judged)}", ""]
    if judged.news:
        lines += ["| news | finding | P of rows, before → after | changed rows | most of them from |",
                  "|---|---|---|---:|---|"]  # fmt: skip
    for news in judged.news:
        also = f" <br>also: {len(news.folded)} on the same rows" if news.folded else ""
        cells = (news.kind, escaped(_sentence(news)) + also, escaped(_change(news)), f"{news.changed_rows:,}",
                 escaped(_where(news)))  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    if judged.accepted:
        lines += ["", "<details><summary>accepted</summary>", ""]
        lines += [f"- {escaped(_sentence(news))}: {escaped(entry.reason)} ({entry.date})"
                  for news, entry in judged.accepted]  # fmt: skip
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def as_data(judged: Judged, before: Path, after: Path, min_score: float) -> dict[str, Any]:
    """The whole answer as plain values for JSON."""
    return {
        "before": str(before),
        "after": str(after),
        "min_score": min_score,
        "news": [_news_data(news) for news in judged.news],
        "accepted": [
            _news_data(news) | {"reason": entry.reason, "date": entry.date, "until": entry.until}
            for news, entry in judged.accepted
        ],
        "complaints": list(judged.complaints),
    }


def _news_data(news: News) -> dict[str, Any]:
    plain = {
        name: getattr(news, name)
        for name in ("kind", "trigger_id", "behavior_id", "trigger_text", "behavior_text", "is_echo", "scope_before",
                     "scope_after", "changed_rows", "chunk", "chunk_share")
    }  # fmt: skip
    sides = {name: _measure_data(getattr(news, name)) for name in ("before", "after")}
    return plain | sides | {"folded": [_news_data(other) for other in news.folded]}


def _measure_data(measure: Measure) -> dict[str, Any]:
    return {
        "trigger_rows": measure.trigger_rows,
        "both_rows": measure.both_rows,
        "p_behavior_given_trigger": measure.p,
        "p_low": measure.p_low,
        "p_high": measure.p_high,
        "log_odds": measure.log_odds,
        "score": measure.score,
    }
