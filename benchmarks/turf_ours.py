"""Our contenders of tracing over the lake of a mix, one without skill, and why ours missed what it missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.turf_cases import Contender, Mix, Trace, Tracer, is_named

if TYPE_CHECKING:
    import polars as pl

    from chunky.pipeline.tracing import Traces
    from chunky.planted import PlantedFailure, Truth
    from chunky.settings import Settings
    from chunky.turf import Failure

_EXTENTS = """
select distinct cluster_id, conversation_id
from clusters.postings inner join wanted using (cluster_id) inner join corpus.rows using (row_id)
"""
_COMMONEST = """
select cluster_id, list(chunk order by chunks.rows desc, chunk asc) as chunks
from clusters.summaries as summaries inner join clusters.chunks as chunks using (cluster_id)
where side = 'query'
group by cluster_id
order by any_value(summaries.rows) desc, cluster_id asc
limit 3
"""
_MANY = 100_000


def chunky(method: str) -> Contender:
    """The tracer of the package by one of its methods, at the settings of the mix."""

    def contender(mix: Mix) -> Tracer:
        def tracer(failures: Sequence[PlantedFailure]) -> list[Sequence[Trace]]:
            found = _traced(mix, mix.settings, failures, method)
            best = found.triggers.filter(found.triggers["trigger_rank"] <= 3)
            extents = extents_of(mix, best["cluster_id"])
            of_failure: dict[int, list[Trace]] = {}
            for each in best.sort("failure_id", "trigger_rank").iter_rows(named=True):
                trace = Trace(extents[each["cluster_id"]], tuple(each["chunks"] or ()))
                of_failure.setdefault(each["failure_id"], []).append(trace)
            return [of_failure.get(name, []) for name in _ids(failures)]

        return tracer

    return contender


def commonest(mix: Mix) -> Tracer:
    """Without skill: the commonest query clusters, whatever failed."""
    import polars as pl

    from chunky.lens import Lens

    with Lens(mix.lake, mix.settings) as lens:
        found = pl.DataFrame(lens.table(_COMMONEST))
    extents = extents_of(mix, found["cluster_id"])
    traces = [Trace(extents[cluster], tuple(chunks)) for cluster, chunks in found.iter_rows()]
    return lambda failures: [traces for _ in failures]


def extents_of(mix: Mix, clusters: pl.Series) -> dict[int, frozenset[str]]:
    """Ids of all rows that have each cluster."""
    import polars as pl

    from chunky.lens import Lens

    wanted = pl.DataFrame({"cluster_id": clusters.cast(pl.Int64)}).drop_nulls().unique()
    with Lens(mix.lake, mix.settings) as lens, lens.registered(wanted=wanted.to_arrow()):
        found = pl.DataFrame(lens.table(_EXTENTS))
    members = found.group_by("cluster_id").agg("conversation_id")
    return {cluster: frozenset(rows) for cluster, rows in members.iter_rows()}


def reasons(mix: Mix, truth: Truth, missed: Sequence[PlantedFailure]) -> list[dict[str, Any]]:
    """Why failures of plants were not named by their first trace: counts by plant and reason.

    no cluster        no cluster of an attribute of the query holds the rows of the trigger
    not counted       one does, and goes with no crux at the least hits and lift
    below threshold   it does, but for a score or a null share that is no trigger
    ranked below      it is a trigger, and another one is before it
    """
    if not missed:
        return []
    gated = _with(mix.settings, triggers=_MANY, fold_share=2.0)
    loose = _with(mix.settings, triggers=_MANY, fold_share=2.0, min_score=0.0, max_null_share=1.0)
    found = {word: _traced(mix, settings, missed, "joint") for word, settings in
             (("ranked below", gated), ("below threshold", loose))}  # fmt: skip
    attributes = found["ranked below"].failure_attributes
    held = _by_failure(attributes.filter(attributes["side"] == "query"))
    suspects = {word: _by_failure(traces.triggers) for word, traces in found.items()}
    extents = extents_of(mix, attributes["cluster_id"])
    counts: Counter[tuple[str, str]] = Counter()
    for failure, name in zip(missed, _ids(missed), strict=True):
        right = {cluster for cluster in held.get(name, set())
                 if is_named(truth, failure, Trace(extents.get(cluster, frozenset()), ()))}  # fmt: skip
        words = [word for word, of_failure in suspects.items() if right & of_failure.get(name, set())]
        counts[failure.plant_id or "", words[0] if words else "not counted" if right else "no cluster"] += 1
    told = []
    for (plant_id, word), number in sorted(counts.items()):
        plant = truth.plant(plant_id)
        told.append({"plant": plant_id, "tier": plant.tier, "trigger": plant.trigger.text,
                     "behavior": plant.behavior.text, "why": word, "failures": number})  # fmt: skip
    return told


def _traced(mix: Mix, settings: Settings, failures: Sequence[PlantedFailure], method: str) -> Traces:
    from chunky.pipeline.tracing import Tracer as Ours

    asked = {each.failure_id: each for each in _asked(failures)}
    with Ours(mix.lake, settings) as tracer:
        return tracer.trace(list(asked.values()), method)


def _ids(failures: Sequence[PlantedFailure]) -> list[int]:
    return [each.failure_id for each in _asked(failures)]


def _asked(failures: Sequence[PlantedFailure]) -> list[Failure]:
    from chunky.rubrics import rubric
    from chunky.turf import Failure

    return [Failure(each.query, each.response, rubric(each.rubric)) for each in failures]


def _with(settings: Settings, **limits: Any) -> Settings:
    return settings.model_copy(update={"turf": settings.turf.model_copy(update=limits)})


def _by_failure(found: pl.DataFrame) -> dict[int, set[int]]:
    grouped = found.group_by("failure_id").agg("cluster_id")
    return {name: set(clusters) for name, clusters in grouped.iter_rows()}
