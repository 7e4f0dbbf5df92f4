"""Providers by name: a small table of lazy imports, so that nobody pays for a vendor's SDK whom they do not use.

A specification is `provider`, `provider:model` or `provider:model@server`. A factory gets it, taken apart, with what a
model needs, and returns the model.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chunky.errors import SettingsError
from chunky.llm.batches.vendor import BatchPolicy
from chunky.llm.budget import Budget
from chunky.llm.ledger import Ledger
from chunky.llm.limits import Policy, Timing
from chunky.llm.prices import Prices
from chunky.llm.protocol import Model

if TYPE_CHECKING:
    Factory = Callable[["Spec", "Context"], Model]


@dataclass(frozen=True)
class Spec:
    """A specification taken apart; `model` is empty and `server` None where it names none."""

    text: str
    provider: str
    model: str
    server: str | None


@dataclass(frozen=True)
class Context:
    """What a factory may use. `ledger` None: calls are remembered for the life of the model only.

    `tools` are what offline models need to know of a mix: arguments of `chunky.llm.rules.Rules` and of
    `chunky.llm.mix.Mix`, by name. `batches` None: calls are made one by one.
    """

    ledger: Ledger | None
    budget: Budget | None
    prices: Prices
    environ: Mapping[str, str]
    policy: Policy
    timing: Timing
    max_in_flight: int
    seed: int
    tools: Mapping[str, Any] = field(default_factory=dict)
    batches: BatchPolicy | None = None


# provider → module:function of its factory
_FACTORIES = {
    "anthropic": "chunky.llm.providers.online:anthropic_model",
    "mix": "chunky.llm.providers.offline:mix_model",
    "openai": "chunky.llm.providers.online:openai_model",
    "rules": "chunky.llm.providers.offline:rules_model",
}


def register(provider: str, place: str) -> None:
    """Add a provider; `place` is `module:function`, imported when somebody asks for it."""
    _FACTORIES[provider] = place


def providers() -> list[str]:
    """Names of all providers."""
    return sorted(_FACTORIES)


def parse_spec(text: str) -> Spec:
    """Take a specification apart; SettingsError names the providers there are."""
    head, _, rest = text.strip().partition(":")
    model, at, server = rest.rpartition("@") if "@http" in rest else (rest, "", "")
    if head not in _FACTORIES:
        raise SettingsError(f"there is no provider {head!r} (in {text!r})", f"choose one of: {', '.join(providers())}")
    return Spec(text.strip(), head, model, server if at else None)


def check_role(text: str, role: str) -> None:
    """SettingsError for a model that is none, or that cannot play `role`."""
    from chunky.llm.providers.offline import PLAYS

    spec = parse_spec(text)
    able = PLAYS.get(spec.provider, (role,))
    if role not in able:
        raise SettingsError(
            f"{spec.provider} cannot play the {role.replace('_', ' ')}; it plays: {', '.join(able)}",
            f"name another model as {role.replace('_', ' ')}, such as openai:NAME",
        )


def model_of(spec: Spec, context: Context) -> Model:
    """Import the provider's factory and call it."""
    module, _, name = _FACTORIES[spec.provider].partition(":")
    factory: Factory = getattr(importlib.import_module(module), name)
    return factory(spec, context)


def name_of(text: str) -> str:
    """The model of a specification as ledger and price file know it, without asking for a key or a package."""
    spec = parse_spec(text)
    vendors = {"anthropic": "chunky.llm.providers.anthropic", "openai": "chunky.llm.providers.openai"}
    if spec.provider not in vendors:
        return spec.text
    from chunky.llm.providers import online

    return online.name_of(spec, importlib.import_module(vendors[spec.provider]).VENDOR_URL)
