"""Models behind one protocol: `get_model` by name, a ledger that pays each call once, budgets that hold.

with Ledger(path) as ledger:
    model = get_model("anthropic:NAME", ledger=ledger, budget=Budget("run-1", max_usd=5))
    replies = model.complete(requests)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from chunky.errors import SettingsError
from chunky.llm.batches.vendor import BatchPolicy
from chunky.llm.budget import Budget
from chunky.llm.ledger import Ledger
from chunky.llm.limits import Policy, Timing
from chunky.llm.prices import Prices, load_prices
from chunky.llm.protocol import Message, Model, Reply, Request
from chunky.llm.providers.registry import Context, model_of, parse_spec, register

__all__ = [
    "BatchPolicy", "Budget", "Ledger", "Message", "Model", "Policy", "Prices", "Reply", "Request", "Timing",
    "get_model", "load_prices", "register",
]  # fmt: skip


def get_model(
    spec: str,
    *,
    ledger: Ledger | None = None,
    budget: Budget | None = None,
    prices: Prices | None = None,
    max_in_flight: int = 32,
    policy: Policy | None = None,
    timing: Timing | None = None,
    environ: Mapping[str, str] | None = None,
    seed: int = 0,
    tools: Mapping[str, Any] | None = None,
    batch: bool | BatchPolicy = False,
) -> Model:
    """The model of a specification: `anthropic:NAME`, `openai:NAME`, either with `@http://host:port`, `rules` or `mix`.

    SettingsError for a name that is none or, under a budget, a model without a price; PrerequisiteError for a missing
    key or package. `max_in_flight` is a ceiling: less are sent when the server says that it is too much. `tools` are
    what `rules` and `mix` need to know of a mix.
    `batch` (True, or sizes and waits) sends calls through the vendor's batch API, at its batch price, and takes up
    batches that earlier processes left; it needs a ledger with a path. Offline models answer at once either way.
    """
    if max_in_flight < 1:
        raise SettingsError(f"{max_in_flight} calls in flight answer nothing", "allow at least one")
    context = Context(
        ledger, budget, prices or load_prices(), os.environ if environ is None else environ, policy or Policy(),
        timing or Timing(), max_in_flight, seed, tools or {}, BatchPolicy() if batch is True else batch or None,
    )  # fmt: skip
    return model_of(parse_spec(spec), context)
