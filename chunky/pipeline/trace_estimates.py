"""What the models of a trace will take, before one is asked: from the very texts of the failures."""

from __future__ import annotations

from collections.abc import Sequence

from chunky.lens import Lens
from chunky.llm.protocol import Request
from chunky.llm.roles import crux_picker, extractor
from chunky.pipeline.estimates import Estimate, estimated
from chunky.pipeline.models import ledger_of
from chunky.pipeline.trace_models import SIDES
from chunky.settings import RULES, Settings
from chunky.turf import Failure
from chunky.warehouse import Warehouse

# What the picker sees before anybody described the failure: ten sentences of the usual length.
_LIKELY = tuple(f"The response speaks of {'a plain thing ' * 3}{number}." for number in range(1, extractor.COUNT + 1))
_BY_MODEL = "select 1 from attributes.texts where family = 'model' limit 1"


def trace_estimates(lake: Warehouse, settings: Settings, failures: Sequence[Failure]) -> list[Estimate]:
    """One estimate for each role that a model plays in tracing `failures`; none of them makes a call.

    The extractor describes every distinct text that its ledger does not know; the picker's prompts depend on what it
    says, so that its calls are an upper bound. Raises what opening the models raises, but for a missing key.
    """
    extracts, picks = (settings.model(role) != RULES for role in ("extractor", "crux_picker"))
    if not (extracts or picks) or not failures:
        return []
    one_by_one = settings.model_copy(update={"llm": settings.llm.model_copy(update={"batch": False})})  # as traces ask
    asked: dict[str, list[Request]] = {}
    if extracts and _is_by_model(lake):
        texts = dict.fromkeys((side, getattr(each, side)) for each in failures for side in SIDES)
        asked["extractor"] = extractor.requests(extractor.Text(side, text) for side, text in texts)
    if picks:
        asked["crux_picker"] = [
            request
            for each in failures
            for request in crux_picker.requests([crux_picker.Suspects(_LIKELY, each.query)], each.rubric)
        ]
    count = len(failures)
    with ledger_of(lake) as ledger:
        return [
            estimated(
                lake, one_by_one, ledger, role, count, len(told), told, what="failures", is_bound=role == "crux_picker"
            )
            for role, told in asked.items()
        ]


def _is_by_model(lake: Warehouse) -> bool:
    """Whether a model described the mix; where rules did, they describe the failures too."""
    with Lens(lake) as lens:
        return bool(lens.table(_BY_MODEL).num_rows)
