"""What the models of the next build will take: counted on the lake's own texts, before a cent is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
import pyarrow as pa

from chunky import clusters
from chunky.by_model import extraction
from chunky.by_model.estimating import Estimate, estimate
from chunky.errors import PrerequisiteError
from chunky.lens import Lens
from chunky.llm import Ledger
from chunky.llm.books import usage
from chunky.llm.protocol import Keeper, Model, Request
from chunky.llm.providers.registry import name_of
from chunky.llm.roles import extractor, summarizer
from chunky.llm.roles.extractor import Side
from chunky.pipeline.frame import is_built, silent, step_provenance, texts
from chunky.pipeline.models import ledger_of, model_of, prices_of, roles_by_models
from chunky.settings import Settings
from chunky.stages import stage
from chunky.warehouse import Warehouse

__all__ = ["Estimate", "estimated", "estimates"]

_Distinct = Callable[[], dict[str, int]]  # texts of the lake by side

_SAMPLE_ROWS = 200
_STEPS = {"extractor": "attributes", "summarizer": "names"}
_SIDES: tuple[Side, Side] = ("query", "response")
# A cluster as the summarizer sees it, where there is none yet: twenty sentences of the usual length.
_LIKELY = summarizer.Cluster("query", tuple((f"The query asks for {'a plain thing ' * 5}{n}.", 9) for n in range(20)))


def estimates(lake: Warehouse, settings: Settings, only: Sequence[str] | None = None) -> list[Estimate]:
    """One estimate for each role that a model plays and that has work to do (in the steps `only`, where some are
    named); none of them makes a call.

    Raises what opening the models raises, but for a missing key: without one nothing counts as held.
    """
    stale, found = False, []
    distinct = cache(lambda: extraction.find_repeats(lambda: texts(lake, silent)).distinct)
    for role in roles_by_models(settings):
        stale = stale or not _is_done(lake, settings, _STEPS[role])
        if stale and (not only or _STEPS[role] in only):
            with ledger_of(lake) as ledger:
                work = _extraction if role == "extractor" else _naming
                found.append(work(lake, settings, ledger, distinct))
    return found


def _is_done(lake: Warehouse, settings: Settings, step: str) -> bool:
    """Whether the step and what it reads are as they would be built now."""
    this = stage(step)
    if not is_built(lake, this, step_provenance(lake, settings, step)["fingerprint"]):
        return False
    return all(_is_done(lake, settings, upstream) for upstream in _upstream(step))


def _upstream(step: str) -> tuple[str, ...]:
    return ("clusters", "embeddings", "attributes") if step == "names" else ()


def _extraction(lake: Warehouse, settings: Settings, ledger: Ledger, distinct: _Distinct) -> Estimate:
    rows = lake.rows("corpus.rows")
    sample = extractor.requests(
        extractor.Text(side, text) for row in _sampled(lake, rows) for side, text in zip(_SIDES, row, strict=True)
    )
    return estimated(lake, settings, ledger, "extractor", rows, sum(distinct().values()), sample, what="rows")


def _sampled(lake: Warehouse, rows: int) -> Iterator[tuple[str, str]]:
    """Query and response of every n-th row, so that every chunk gives its share."""
    step, seen = max(1, rows // _SAMPLE_ROWS), 0
    for batch in texts(lake, silent):
        taken: pa.Table = batch.take(np.arange(-seen % step, batch.num_rows, step))
        yield from zip(taken["query"].to_pylist(), taken["response"].to_pylist(), strict=True)
        seen += batch.num_rows


def _naming(lake: Warehouse, settings: Settings, ledger: Ledger, distinct: _Distinct) -> Estimate:
    """Clusters of more than one sentence that there are, where their step is up to date; else as many as there can be,
    from ten sentences a text.
    """
    if all(_is_done(lake, settings, step) for step in _upstream("names")):
        with Lens(lake) as lens:
            count, is_bound = len(lens.table("select 1 from clusters.summaries where attributes > 1")), False
    else:
        if "extractor" in roles_by_models(settings):
            most = [extractor.COUNT * distinct()[side] for side in _SIDES]
        else:
            most = [lake.rows("attributes.texts")] * len(_SIDES)
        counts = [(sentences, settings.clusters.k or clusters.auto_k(sentences)) for sentences in most if sentences]
        count, is_bound = sum(k for sentences, k in counts if k < sentences), True
    sample = summarizer.requests([_LIKELY])
    return estimated(
        lake, settings, ledger, "summarizer", count, count, sample, what="clusters", is_bound=is_bound
    )  # fmt: skip


def estimated(
    lake: Warehouse, settings: Settings, ledger: Ledger, role: str, items: int, calls: int, sample: Sequence[Request],
    *, what: str, is_bound: bool = False,
) -> Estimate:  # fmt: skip
    """The estimate for `items` (of the kind `what`) that take `calls` like those of `sample`, at the lake's prices.

    Raises what opening the model raises, but for a missing key.
    """
    name, prices = name_of(settings.model(role)), prices_of(lake, settings)
    return estimate(
        role, name, items=items, calls=calls, sample=sample, is_bound=is_bound, what=what,
        usage=usage(ledger, role, name),
        held_share=_held_share(lake, settings, ledger, role, sample),
        price=prices.find_batch(name) if settings.llm.batch else prices.find(name),
    )  # fmt: skip


def _held_share(lake: Warehouse, settings: Settings, ledger: Ledger, role: str, sample: Sequence[Request]) -> float:
    # Batches keep the same answers under the same addresses, but want a ledger on disk, which a look does not make.
    one_by_one = settings.model_copy(update={"llm": settings.llm.model_copy(update={"batch": False})})
    try:
        model: Model = model_of(lake, one_by_one, role, ledger)
    except PrerequisiteError:  # no key yet: then nothing was ever asked, as far as anybody can know
        return 0.0
    if not isinstance(model, Keeper) or not sample:
        return 0.0
    return sum(map(model.holds, sample)) / len(sample)
