"""The factories of `rules` and `mix`, and their place in the books: each call is in the ledger, free and not kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

from chunky.errors import SettingsError
from chunky.llm import mix, rules
from chunky.llm.ledger import Call, Ledger, Outcome
from chunky.llm.outcomes import content_key
from chunky.llm.protocol import Model, Reply, Request
from chunky.llm.providers.registry import Context, Spec

__all__ = ["PLAYS", "Booked", "mix_model", "rules_model"]

PLAYS = {"mix": mix.ROLES, "rules": rules.ROLES}
"""Provider → roles that it can play; one that is not here plays all."""

_RULES_TOOLS, _MIX_TOOLS = ("extract", "generate", "embed"), ("answer",)


def rules_model(spec: Spec, context: Context) -> Model:
    """`rules`: every role by rules. What is fitted to a mix (extractor, generator) comes in with `Context.tools`."""
    if spec.model:
        raise SettingsError(f"{spec.text!r} names a model of rules, of which there is one", "write it as: rules")
    return _booked(rules.Rules(**_tools(context, _RULES_TOOLS)), rules.VERSION, context)


def mix_model(spec: Spec, context: Context) -> Model:
    """`mix`: the target that answers from a lake's own rows, which come in with `Context.tools`."""
    if spec.model:
        raise SettingsError(f"{spec.text!r} names a model of the mix, of which there is one", "write it as: mix")
    return _booked(mix.Mix(**_tools(context, _MIX_TOOLS), seed=context.seed), f"{mix.VERSION} {context.seed}", context)


def _tools(context: Context, names: Sequence[str]) -> dict[str, Any]:
    return {name: context.tools[name] for name in names if name in context.tools}


def _booked(model: Model, version: str, context: Context) -> Model:
    if context.ledger is None:
        return model
    return Booked(model, version, context.ledger, "" if context.budget is None else context.budget.run)


class Booked:
    """A model on this machine whose calls are written down like any other's; answers are made again, not looked up."""

    def __init__(self, model: Model, version: str, ledger: Ledger, run: str) -> None:
        self.name = model.name
        self._model, self._version, self._ledger, self._run = model, version, ledger, run

    def complete(
        self, requests: Iterable[Request], on_reply: Callable[[int, Reply], None] | None = None
    ) -> list[Reply]:
        """One reply per request, in their order."""
        asked: dict[int, Request] = {}

        def passing() -> Iterator[Request]:
            for index, request in enumerate(requests):
                asked[index] = request
                yield request

        def noted(index: int, reply: Reply) -> None:
            outcome = Outcome(reply.text, reply.error, reply.detail, None, None, 0, 0, reply.seconds, reply.attempts)
            state: Literal["offline", "failed"] = "offline" if reply.error is None else "failed"
            self._ledger.note(self._call(asked.pop(index)), state, outcome)
            if on_reply is not None:
                on_reply(index, reply)

        try:
            return self._model.complete(passing(), noted)
        finally:
            self._ledger.flush()

    def _call(self, request: Request) -> Call:
        body = {
            "role": request.role, "facts": dict(request.facts), "schema": request.schema_name,
            "temperature": request.temperature,
        }  # fmt: skip
        key = content_key((self.name, self._version), body, request.sample)
        return Call(key, request.role, self.name, request.prompt_version, request.sample, self._run)
