"""The step `agreement`: the failures of an audit scored again, by its judge, by other models and by people.

A reading is `SPECIFICATION#N`: the judge asked for the N-th time, where the search asked for the 0-th. The search's own
scores are no ratings here: failures were kept because those were high, so that any second reading is lower on average.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from chunky import rubrics
from chunky.by_model import Asker
from chunky.errors import InputError, MissingTable
from chunky.fingerprints import code_digest, digest_of
from chunky.lens import Lens
from chunky.llm import Ledger, get_model
from chunky.llm.providers.registry import check_role
from chunky.llm.roles import judge
from chunky.llm.roles.judge import Exchange
from chunky.llm.tally import Tally
from chunky.pipeline.frame import Built, Progress, frame_of, meter, run_step, silent
from chunky.pipeline.models import ledger_path, model_of
from chunky.rubrics import Rubric
from chunky.settings import RULES, Settings
from chunky.surf.agreement import agreements
from chunky.surf.labels import RATINGS, READING, BadLabel, Labels, labels_of
from chunky.tables import TABLES
from chunky.warehouse import Transaction, Warehouse

__all__ = ["Rated", "rate_audit"]

_FAILURES = """
select failure_id, any_value(query) as query, any_value(response) as response, max(violation_score) as search_score
from surf.failures where audit = ? group by all order by failure_id
"""
_AUDIT = "select rubric, rubric_source, judge from surf.audits where audit = ?"
_RATINGS = "select failure_id, rater, violation_score, call_error from surf.ratings where audit = ? order by all"
_AGREEMENT = "select * exclude (audit) from surf.agreement where audit = ? order by comparison_rank"
_JUDGING = ("chunky.llm.roles.judge", "chunky.llm.rules")
_COLUMNS = {"failure_id": pl.Int64, "rater": pl.String, "violation_score": pl.Float64, "call_error": pl.String}


class Rated(NamedTuple):
    """What came of it: the step, the rows of `surf.agreement` and of `surf.ratings` beside the search's own score
    (failure_id, rater, violation_score, call_error, search_score), and the labels that cannot be used.
    """

    built: Built
    agreement: pl.DataFrame
    ratings: pl.DataFrame
    unusable: list[BadLabel]


class _Audit(NamedTuple):
    name: str
    rubric: Rubric
    judge: str
    failures: pl.DataFrame
    held: pl.DataFrame


def rate_audit(
    lake: Warehouse,
    settings: Settings,
    audit: str,
    repeats: int = 2,
    judges: Sequence[str] = (),
    labels: Path | None = None,
    progress: Progress = silent,
) -> Rated:
    """Rate the failures of an audit again, and write who agrees how far (`surf.ratings`, `surf.agreement`).

    Ratings that were there stay, but those of models under another text of the rubric.

    Args:
        lake: with the audit's rows of `surf.audits` and `surf.failures`.
        settings: `surf.violation` tells violations; the models' limits are those of `llm`.
        audit: its name.
        repeats: readings by the audit's own judge.
        judges: specifications of models that read once.
        labels: a CSV of people's scores (`chunky.surf.labels`); its name is the rater where a row names none.
        progress: told of the calls.

    Raises:
        MissingTable: the lake has no failures of that audit.
        InputError: nobody rates; the file of labels cannot be read.
        SettingsError, PrerequisiteError, EngineError, BudgetError: a model cannot be asked.

    """
    for model in judges:
        check_role(model, "judge")
    mine = _audit(lake, settings, audit)
    told = _labels(labels, mine.failures)
    readings = [(mine.judge, number) for number in range(1, repeats + 1)] + [(each, 1) for each in judges]
    asked = {f"{model}#{number}": (model, number) for model, number in readings}
    if not asked and told.ratings.is_empty() and mine.held.is_empty():
        raise InputError(
            f"nobody rates the failures of {audit}", "let judges read: --repeats 2, --judge MODEL, --labels FILE.csv"
        )

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        new = [told.ratings.with_columns(call_error=pl.lit(None, pl.String))]
        new += _read(lake, settings, mine, asked, progress)
        ratings = _merged(_held(lake, lens, mine), pl.concat(new))
        groups = _groups(ratings)
        found = agreements(ratings, settings.surf.violation, groups)
        for name, frame in (("surf.ratings", ratings), ("surf.agreement", found)):
            whole = frame.with_columns(audit=pl.lit(audit)).select(TABLES[name].column_names)
            transaction.write(name, whole.to_arrow(), facts, (audit,))

    failed = mine.held.filter(pl.col("rater").is_in(list(asked)) & pl.col("violation_score").is_null())
    extra = {
        "rubric": mine.rubric.version,
        "judging": code_digest(_JUDGING) if asked else "",
        "raters": digest_of(sorted(asked)),
        "labels": digest_of(told.ratings.sort("failure_id", "rater").rows()),
        # asked again, as they may succeed now
        **({"failed": lake.version("surf.ratings", (audit,))} if len(failed) else {}),
    }
    built = run_step(lake, settings, "agreement", work, extra, audit)
    with Lens(lake, settings) as lens:
        ratings = frame_of(lens.table(_RATINGS, [audit]))
        beside = ratings.join(
            mine.failures.select("failure_id", "search_score"), on="failure_id", maintain_order="left"
        )
        return Rated(built, frame_of(lens.table(_AGREEMENT, [audit])), beside, told.unusable)


def _audit(lake: Warehouse, settings: Settings, audit: str) -> _Audit:
    with Lens(lake, settings) as lens:
        failures = frame_of(lens.table(_FAILURES, [audit]))
        about = lens.table(_AUDIT, [audit]).to_pylist()
        held = frame_of(lens.table(_RATINGS, [audit]))
    if failures.is_empty() or not about:
        known = ", ".join(sorted({key[0] for key in lake.parts("surf.failures")}))
        raise MissingTable(f"the lake has no failures of an audit {audit!r}", f"it has those of: {known or 'none'}")
    rubric = rubrics.of_source(about[0]["rubric"], about[0]["rubric_source"])
    return _Audit(audit, rubric, about[0]["judge"], failures, held)


def _labels(path: Path | None, failures: pl.DataFrame) -> Labels:
    if path is None:
        return Labels(pl.DataFrame(schema=RATINGS), [])
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}", "name a CSV file that is there"
        ) from error
    return labels_of(data, failures, path.stem)


def _read(
    lake: Warehouse, settings: Settings, audit: _Audit, asked: dict[str, tuple[str, int]], progress: Progress
) -> list[pl.DataFrame]:
    """What each reading says, in columns of `_COLUMNS`; all under one budget."""
    named = settings.llm.run or f"run-{uuid.uuid4()}"  # else each judge would have a budget of its own
    llm = settings.llm.model_copy(update={"run": named, "batch": False})
    exchanges = [Exchange(*each) for each in audit.failures.select("query", "response").iter_rows()]
    return [
        _reading(
            lake, settings.model_copy(update={"llm": llm, "judge": model}), audit, exchanges, rater, number, progress
        )
        for rater, (model, number) in asked.items()
    ]


def _reading(
    lake: Warehouse,
    settings: Settings,
    audit: _Audit,
    exchanges: Sequence[Exchange],
    rater: str,
    number: int,
    progress: Progress,
) -> pl.DataFrame:
    requests = judge.requests(exchanges, audit.rubric, sample=number)
    tally = Tally("judge", settings.judge, len(requests))
    with Ledger(None if settings.judge == RULES else ledger_path(lake)) as ledger:  # rules are paid by nobody
        model = get_model(RULES) if settings.judge == RULES else model_of(lake, settings, "judge", ledger)
        asker = Asker(
            model, tally, max_failed_share=settings.llm.max_failed_share, on_tally=meter(progress, f"calls of {rater}")
        )
        told = asker.ask(requests, judge.read)
    rows = [
        (failure, rater, None if each.value is None else each.value.score, each.error and f"judge: {each.error}")
        for failure, each in zip(audit.failures["failure_id"], told, strict=True)
    ]
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row")


def _held(lake: Warehouse, lens: Lens, audit: _Audit) -> pl.DataFrame:
    """Ratings of earlier runs that are of these failures, and of models only under this rubric."""
    held = frame_of(lens.table(_RATINGS, [audit.name])).cast(_COLUMNS)  # type: ignore[arg-type]
    part = lake.parts("surf.ratings").get((audit.name,))
    if part is not None and json.loads(part.provenance.get("inputs", "{}")).get("rubric") != audit.rubric.version:
        held = held.filter(~pl.col("rater").str.contains(READING.pattern))
    return held.join(audit.failures, on="failure_id", how="semi")


def _merged(held: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """All ratings, the new one where there are two of a failure by a rater; by key."""
    stay = held.join(new, on=["failure_id", "rater"], how="anti")
    return pl.concat([stay, new.select(stay.columns)]).sort("failure_id", "rater")


def _groups(ratings: pl.DataFrame) -> list[list[str]]:
    """The readings of each model, and the people: does a judge agree with itself, do they agree with each other?"""
    groups: dict[str, list[str]] = {}
    for rater in ratings["rater"].unique().sort():
        groups.setdefault(READING.sub("", rater) if READING.search(rater) else "", []).append(rater)
    return list(groups.values())
