"""Anthropic's Messages API, through Anthropic's SDK.

The API no longer takes a temperature (the SDK's `messages.create` has none), so the one asked for is not sent: replies
vary, and samples differ by themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr

from chunky.llm.protocol import Request
from chunky.llm.providers.base import Fault, Sent
from chunky.llm.providers.faults import fault_of, unreadable
from chunky.llm.providers.pools import connections

if TYPE_CHECKING:
    from anthropic import APIError, AsyncAnthropic
    from anthropic.types import Message

VENDOR_URL = "https://api.anthropic.com"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
_REFUSED = "refusal"
_CUT = ("max_tokens", "model_context_window_exceeded")


class Anthropic:
    """One model of Anthropic, or of a server that speaks its API (`base_url`)."""

    def __init__(self, name: str, model: str, base_url: str, key: SecretStr, timeout: float) -> None:
        self.name = name
        self.key_parts: tuple[str, ...] = ("anthropic", base_url)
        self._model = model
        self._key = key
        self._base_url, self._timeout = base_url, timeout
        self._client: AsyncAnthropic | None = None
        self._schemas: dict[str, dict[str, Any]] = {}

    def body(self, request: Request) -> dict[str, Any]:
        """Arguments of `messages.create`."""
        system = "\n\n".join(message.text for message in request.messages if message.role == "system")
        turns = [{"role": turn.role, "content": turn.text} for turn in request.messages if turn.role != "system"]
        body: dict[str, Any] = {"model": self._model, "max_tokens": request.max_tokens, "messages": turns}
        if system:
            body["system"] = system
        if request.schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": self._schema(request.schema)}}
        return body

    def _schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The schema as the API takes it: the SDK moves what it cannot (lengths, ranges) into descriptions."""
        from anthropic import transform_schema

        text = json.dumps(schema, sort_keys=True)
        if text not in self._schemas:
            self._schemas[text] = transform_schema(dict(schema))
        return self._schemas[text]

    async def send(self, body: Mapping[str, Any]) -> Sent | Fault:
        """One call of `messages.create`."""
        from anthropic import APIError

        try:
            message = await cast(Any, self.client().messages.create)(**body)
        except APIError as error:
            return self.fault(error)
        except json.JSONDecodeError as error:
            return unreadable(error)
        try:
            return read(message)
        except (TypeError, AttributeError) as error:  # the SDK does not check what it parses
            return unreadable(error)

    def fault(self, error: APIError) -> Fault:
        """What an exception of the SDK means, told without the key."""
        return fault_of(error, self._key)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def client(self) -> AsyncAnthropic:
        """The client of the running loop. Its retries are off: our policy retries, and the ledger counts."""
        from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

        if self._client is None:
            self._client = AsyncAnthropic(
                api_key=self._key.get_secret_value(), base_url=self._base_url, max_retries=0,
                timeout=self._timeout, http_client=DefaultAsyncHttpxClient(**connections()), open_telemetry=False,
            )  # fmt: skip
        return self._client


def read(message: Message) -> Sent | Fault:
    """A reply as the API tells it; TypeError or AttributeError where it is not in the API's format."""
    text = "".join(block.text for block in message.content if block.type == "text")
    usage = message.usage
    inputs = usage.input_tokens + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
    if message.stop_reason == _REFUSED:
        why = None if message.stop_details is None else message.stop_details.explanation
        return Sent(text, inputs, usage.output_tokens, "refusal", why)
    if message.stop_reason in _CUT:
        return Sent(text, inputs, usage.output_tokens, "truncated", message.stop_reason)
    return Sent(text, inputs, usage.output_tokens)
