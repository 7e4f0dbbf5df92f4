"""OpenAI's chat completions, through OpenAI's SDK, of OpenAI or of any server that speaks them (vLLM, Ollama, …)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from chunky.llm.protocol import Request
from chunky.llm.providers.base import Fault, Sent
from chunky.llm.providers.faults import fault_of, unreadable
from chunky.llm.providers.pools import connections

if TYPE_CHECKING:
    from openai import APIError, AsyncOpenAI
    from openai.types.chat import ChatCompletion

VENDOR_URL = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"


class OpenAI:
    """One model of OpenAI, or of a compatible server (`base_url`)."""

    def __init__(self, name: str, model: str, base_url: str, key: SecretStr, timeout: float) -> None:
        self.name = name
        self.key_parts: tuple[str, ...] = ("openai", base_url)
        self._model = model
        self._key = key
        # The vendor has renamed the limit; compatible servers know the old name, and some drop the new one silently.
        self._limit_name = "max_completion_tokens" if base_url == VENDOR_URL else "max_tokens"
        self._has_temperature = True
        self._base_url, self._timeout = base_url, timeout
        self._client: AsyncOpenAI | None = None

    def body(self, request: Request) -> dict[str, Any]:
        """Arguments of `chat.completions.create`."""
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": turn.role, "content": turn.text} for turn in request.messages],
            self._limit_name: request.max_tokens,
            "temperature": request.temperature,
        }
        if request.schema is not None:
            schema = {"name": request.schema_name or "reply", "schema": dict(request.schema)}
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": schema | {"strict": _can_be_strict(request.schema)},
            }
        return body

    async def send(self, body: Mapping[str, Any]) -> Sent | Fault:
        """One chat completion; a second one, unpaid, where the model takes no temperature.

        The body is as the API takes it already. `chat.completions.create` would walk through it once more in search of
        Python names to translate: 0.4 of the 2.2 ms that a call costs.
        """
        from openai import APIError, BadRequestError
        from openai.types.chat import ChatCompletion

        body = self.as_sent(body)
        try:
            completion = await self.client().post("/chat/completions", body=body, cast_to=ChatCompletion)
        except BadRequestError as error:
            if self.learns_from(error.param, body):
                return await self.send(body)
            return self.fault(error)
        except APIError as error:
            return self.fault(error)
        except json.JSONDecodeError as error:
            return unreadable(error)
        try:
            return read(completion)
        except (TypeError, AttributeError, LookupError) as error:  # the SDK does not check what it parses
            return unreadable(error)

    def as_sent(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body without what the model is known to refuse."""
        if self._has_temperature:
            return body
        return {name: value for name, value in body.items() if name != "temperature"}

    def learns_from(self, param: str | None, body: Mapping[str, Any]) -> bool:
        """Whether a refusal of `param` says how to send the body again: reasoning models refuse a temperature, so the
        rest of the calls are asked without.
        """
        if param != "temperature" or "temperature" not in body:
            return False
        self._has_temperature = False
        return True

    def fault(self, error: APIError) -> Fault:
        """What an exception of the SDK means, told without the key."""
        return fault_of(error, self._key)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def client(self) -> AsyncOpenAI:
        """The client of the running loop. Its retries are off: our policy retries, and the ledger counts."""
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        if self._client is None:
            self._client = AsyncOpenAI(
                api_key=self._key.get_secret_value(), base_url=self._base_url, max_retries=0,
                timeout=self._timeout, http_client=DefaultAsyncHttpxClient(**connections()),
            )  # fmt: skip
        return self._client


def read(completion: ChatCompletion) -> Sent | Fault:
    """A reply as the API tells it; TypeError, AttributeError or LookupError where it is not in the API's format."""
    choice, usage = completion.choices[0], completion.usage
    inputs, outputs = (None, None) if usage is None else (usage.prompt_tokens, usage.completion_tokens)
    if choice.message.refusal:
        return Sent(choice.message.content or "", inputs, outputs, "refusal", choice.message.refusal)
    if choice.finish_reason == "content_filter":
        return Sent(choice.message.content or "", inputs, outputs, "refusal", "content filter")
    text = choice.message.content or ""
    return Sent(text, inputs, outputs, "truncated" if choice.finish_reason == "length" else "whole")


def _can_be_strict(schema: object) -> bool:
    """Whether OpenAI's strict mode takes the schema: objects name all properties as required, and no others."""
    if isinstance(schema, list):
        return all(_can_be_strict(part) for part in schema)
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
    return all(_can_be_strict(part) for part in schema.values())
