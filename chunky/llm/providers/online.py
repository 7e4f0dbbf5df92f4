"""Factories of the two vendors' providers: server, key, price, and the caller around them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar

from pydantic import SecretStr

from chunky.errors import PrerequisiteError, SettingsError
from chunky.llm.batches.caller import BatchCaller
from chunky.llm.batches.vendor import Vendor
from chunky.llm.caller import Caller
from chunky.llm.keys import check_url, find_key
from chunky.llm.ledger import Ledger
from chunky.llm.prices import Price
from chunky.llm.protocol import Model
from chunky.llm.providers.base import Provider
from chunky.llm.providers.registry import Context, Spec

_P = TypeVar("_P", bound=Provider)
Make = Callable[[str, str, str, SecretStr, float], _P]


def anthropic_model(spec: Spec, context: Context) -> Model:
    """`anthropic:NAME`, `anthropic:NAME@http://host:port`."""
    from chunky.llm.batches.anthropic import AnthropicBatches
    from chunky.llm.providers.anthropic import KEY_VARIABLE, VENDOR_URL, Anthropic

    return _model(spec, context, Anthropic, AnthropicBatches, VENDOR_URL, KEY_VARIABLE)


def openai_model(spec: Spec, context: Context) -> Model:
    """`openai:NAME`, `openai:NAME@http://host:port/v1`."""
    from chunky.llm.batches.openai import OpenAIBatches
    from chunky.llm.providers.openai import KEY_VARIABLE, VENDOR_URL, OpenAI

    return _model(spec, context, OpenAI, OpenAIBatches, VENDOR_URL, KEY_VARIABLE)


def _model(
    spec: Spec, context: Context, make: Make[_P], batches: Callable[[_P], Vendor], vendor_url: str, key_variable: str
) -> Model:
    server = server_of(spec, vendor_url)
    name = name_of(spec, vendor_url)
    if find_spec(spec.provider) is None:
        raise PrerequisiteError(
            f"{spec.provider} models need its SDK", f"pip install 'chunky[{spec.provider}]'; offline: rules"
        )
    price = _price(name, context)
    key = find_key(context.environ, key_variable, server)
    ledger = context.ledger or Ledger(None)
    if context.batches is not None and ledger.path is None:
        raise SettingsError("batches outlive the process, and nothing would know of them", "name a ledger with a path")
    if context.budget is not None:
        ledger.open_budget(context.budget)
    # The SDK's own time-out never ends a call before the policy's does.
    provider = make(name, spec.model, server or vendor_url, key, context.policy.timeout * 2)
    if context.batches is not None:
        return BatchCaller(
            batches(provider), ledger=ledger, budget=context.budget, price=price, policy=context.policy,
            batch_policy=context.batches, timing=context.timing, seed=context.seed,
        )  # fmt: skip
    return Caller(
        provider, ledger=ledger, budget=context.budget, price=price, policy=context.policy, timing=context.timing,
        max_in_flight=context.max_in_flight, seed=context.seed,
    )  # fmt: skip


def server_of(spec: Spec, vendor_url: str) -> str | None:
    """The server's address, None for the vendor's own; SettingsError for one that is none, or holds a password."""
    server = None if spec.server is None else check_url(spec.server)
    return None if server == vendor_url else server


def name_of(spec: Spec, vendor_url: str) -> str:
    """The model as ledger and price file know it; SettingsError when the specification names none."""
    if not spec.model:
        raise SettingsError(f"{spec.text!r} names no model", f"write it as {spec.provider}:NAME")
    server = server_of(spec, vendor_url)
    return f"{spec.provider}:{spec.model}" + ("" if server is None else f"@{server}")


def _price(name: str, context: Context) -> Price | None:
    """Price of a call. A budget over a model without a price would hold nothing back: fail before the first call."""
    prices, is_limited = context.prices, context.budget is not None and context.budget.is_limited
    if context.batches is None:
        return prices.demand(name) if is_limited else prices.find(name)
    return prices.demand_batch(name) if is_limited else prices.find_batch(name)
