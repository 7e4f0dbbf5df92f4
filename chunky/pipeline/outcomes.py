"""What the searches of an audit leave: failures, new responses to their queries, and the rates of violations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa

from chunky import surf
from chunky.embedders import get_embedder
from chunky.errors import MissingTable
from chunky.files import sql_text
from chunky.lens import Lens
from chunky.llm.roles.judge import Exchange
from chunky.pipeline.frame import Built, Progress, frame_of, run_step, silent, teller
from chunky.pipeline.players import players_of
from chunky.pipeline.searching import audit_of, settings_of
from chunky.settings import Settings
from chunky.surf.rates import violation_rates
from chunky.tables import TABLES
from chunky.turf import failure_of
from chunky.warehouse import Transaction, Warehouse

__all__ = ["estimate_rates", "resample_failures", "tell_outcomes"]

_LAST = """
select candidates.*, buffer_rank
from new_buffers
inner join surf.candidates as candidates using (seed, candidate_id)
semi join surf.searches as ended on candidates.audit = ended.audit and candidates.seed = ended.seed
where candidates.audit = getvariable('audit')
qualify new_buffers.iteration = max(new_buffers.iteration) over (partition by seed)
order by seed, buffer_rank
"""


def tell_outcomes(lake: Warehouse, settings: Settings, audit: str, progress: Progress = silent) -> Built:
    """Buffers, weights and convergence of all iterations, and the failures that each search kept.

    MissingTable for an audit of which no search has ended.
    """
    this = audit_of(lake, audit)
    _check_searched(lake, audit)
    limits = settings.surf

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        told = {"audit": audit, "buffer": limits.buffer, "per_group": limits.per_group, "violation": limits.violation}
        lens.set(told)
        buffers = lens.table(sql_text("surf.buffers"))
        with lens.registered(new_buffers=buffers):
            transaction.write("surf.buffers", buffers, facts, (audit,))
            for table in ("surf.weights", "surf.convergence"):
                transaction.write(table, lens.model(table), facts, (audit,))
            last = frame_of(lens.table(_LAST)).filter(pl.col("buffer_rank") <= limits.failures)
        last = last.with_columns(
            failure_rank=pl.col("buffer_rank"), is_violation=pl.col("violation_score") > limits.violation
        )
        failures = [
            failure_of(query, response, this.rubric).failure_id
            for query, response in last.select("query", "response").iter_rows()
        ]
        told_failures = _grouped(last, settings).with_columns(failure_id=pl.Series(failures, dtype=pl.Int64))
        entry = TABLES["surf.failures"]
        transaction.write(entry.name, told_failures.select(entry.column_names).to_arrow(), facts, (audit,))

    return run_step(lake, settings, "outcomes", work, {}, audit)


def resample_failures(lake: Warehouse, settings: Settings, audit: str, progress: Progress = silent) -> Built:
    """Ask the target anew what it says to the failing queries, and score that: the kept maximum flatters the search.

    Calls that failed are told, and made again when this is asked again. Raises what `Players.answer` and
    `Players.score` raise.
    """
    this = audit_of(lake, audit)
    settings = settings_of(settings, this)
    tell = teller(progress)

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        distinct = "select distinct failure_id, query from surf.failures where audit = ? order by failure_id"
        asked = frame_of(lens.table(distinct, [audit]))
        first = settings.surf.samples  # the search has had those before it
        samples = range(first, first + settings.surf.fresh_samples)
        rows: list[dict[str, object]] = []
        if asked.height and samples:
            with players_of(lake, settings, this.rubric) as players:
                answers = players.answer(asked["query"].to_list(), samples)
                pairs = [
                    (failure, query, sample, answer)
                    for (failure, query), answered in zip(asked.iter_rows(), answers, strict=True)
                    for sample, answer in zip(samples, answered, strict=True)
                ]
                given = [(query, answer.text) for _, query, _, answer in pairs if answer.text is not None]
                scores = iter(players.score([Exchange(query, text) for query, text in given]))
                for failure, _, sample, answer in pairs:
                    score, _, error = (None, None, answer.error) if answer.text is None else next(scores)
                    rows.append({
                        "audit": audit, "failure_id": failure, "sample": sample, "response": answer.text,
                        "violation_score": score, "call_error": error,
                    })  # fmt: skip
        if kinds := Counter(str(row["call_error"]) for row in rows if row["call_error"] is not None):
            told_kinds = ", ".join(f"{kind} ({number:,})" for kind, number in kinds.most_common(3))
            tell(f"{kinds.total():,} of {len(rows):,} new responses have no score, and count in no rate: {told_kinds}")
        told = pa.Table.from_pylist(rows, TABLES["surf.resamples"].arrow_schema)
        transaction.write("surf.resamples", told, facts, (audit,))

    # calls that failed may succeed now; what was answered is in the ledger
    again = {"failed": lake.version("surf.resamples", (audit,))} if _has_failed(lake, audit) else {}
    return run_step(lake, settings, "resamples", work, again, audit)


def estimate_rates(lake: Warehouse, settings: Settings, audit: str, progress: Progress = silent) -> Built:
    """How often the outputs of an audit violate its rubric (paper: table 1)."""
    this = audit_of(lake, audit)

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        failures, fresh = (
            frame_of(lens.table(f"select * from surf.{short} where audit = ?", [audit]))
            for short in ("failures", "resamples")
        )
        thresholds = sorted({settings.surf.violation, settings.surf.loose_violation}, reverse=True)
        told = violation_rates(failures, fresh, thresholds).with_columns(
            audit=pl.lit(audit), rubric=pl.lit(this.rubric.name), target=pl.lit(this.target)
        )
        entry = TABLES["surf.violation_rates"]
        transaction.write(entry.name, told.select(entry.column_names).to_arrow(), facts, (audit,))

    return run_step(lake, settings, "rates", work, {}, audit)


OUTCOME_STEPS: dict[str, Callable[[Warehouse, Settings, str, Progress], Built]] = {
    "outcomes": tell_outcomes,
    "resamples": resample_failures,
    "rates": estimate_rates,
}


def _grouped(failures: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Failures with the leader of their group of like queries, over all seeds, best first."""
    if failures.is_empty():
        return failures.with_columns(query_group=pl.lit(None, pl.Int64))
    embedder = get_embedder(settings.embeddings.embedder, settings.embeddings.device)
    best = failures.sort(["violation_score", "candidate_id"], descending=[True, False])
    queries = best["query"].unique(maintain_order=True)
    vectors = np.asarray(embedder.encode(queries.to_list()), np.float32)
    places = {query: place for place, query in enumerate(queries)}
    groups = surf.Groups(settings.surf.group_similarity)
    leaders = groups.assign(best["candidate_id"].to_list(), vectors[[places[query] for query in best["query"]]])
    led = best.select("candidate_id", query_group=pl.Series(leaders, dtype=pl.Int64))
    return failures.drop("query_group").join(led, on="candidate_id", maintain_order="left")


def _has_failed(lake: Warehouse, audit: str) -> bool:
    """Whether a new response of the audit has no score for another reason than a refusal that the vendor reports."""
    part = lake.parts("surf.resamples").get((audit,))
    if part is None:
        return False
    errors = pl.read_parquet(lake.root / part.file, columns=["call_error"], hive_partitioning=False)["call_error"]
    return bool((errors.drop_nulls() != "target: refusal").any())


def _check_searched(lake: Warehouse, audit: str) -> None:
    if not any(key[0] == audit for key in lake.parts("surf.searches")):
        raise MissingTable(f"no search of the audit {audit} has ended", "go on with it: chunky surf RUBRIC")
