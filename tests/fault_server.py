"""A loopback server that speaks the wire formats of both vendors and fails as they do; it counts what it was paid for.

Faults are drawn from a seed, the prompt and how often that prompt has come, so that they do not depend on the order in
which calls arrive. One asyncio protocol and no framework, because benchmarks subtract nothing for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

PASSING = ("429", "429 retry-after", "500", "503", "529", "reset")
FAILED_REPLIES = ("truncated json", "wrong schema", "empty", "refusal", "cut")


@dataclass(frozen=True)
class Ask:
    """One call as the server sees it: which API, its last text, how often that has come (from 0), the body."""

    api: str
    prompt: str
    time: int
    body: dict[str, Any]
    headers: dict[str, str]


Plan = Callable[[Ask], str | None]  # the fault to commit, None for an answer


def seeded(rate: float, kinds: tuple[str, ...] = PASSING, seed: int = 0) -> Plan:
    """Faults at `rate`, drawn alike from `kinds`."""

    def plan(ask: Ask) -> str | None:
        drawn = int.from_bytes(hashlib.blake2b(f"{seed} {ask.prompt} {ask.time}".encode(), digest_size=8).digest())
        return kinds[drawn % len(kinds)] if (drawn >> 32) / 2**32 < rate else None

    return plan


def answer_to(prompt: str) -> str:
    """What the server answers: it depends on the prompt alone."""
    return json.dumps({"echo": hashlib.sha256(prompt.encode()).hexdigest()[:16]})


@dataclass
class FaultServer:
    """Serves in a thread of its own while used as a context."""

    plan: Plan = lambda ask: None
    key: str | None = None  # None: any key is good
    delay: float = 0.0
    usage: tuple[int, int] | None = (100, 10)
    paid: Counter[str] = field(default_factory=Counter)  # by prompt: replies that were sent whole
    seen: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    asks: list[Ask] = field(default_factory=list)
    keeps_asks: bool = False
    in_flight: int = 0
    most_in_flight: int = 0
    port: int = 0

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def anthropic(self) -> str:
        return f"anthropic:model@http://127.0.0.1:{self.port}"

    @property
    def openai(self) -> str:
        return f"openai:model@http://127.0.0.1:{self.port}/v1"

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main(ready))
        self._loop.close()

    async def _main(self, ready: threading.Event) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Transport] = set()
        server = await self._loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        for task in self._tasks:
            task.cancel()
        for transport in list(self._connections):
            transport.abort()
        server.close()

    def start(self, connection: _Connection, path: str, headers: dict[str, str], raw: bytes) -> None:
        task = self._loop.create_task(self._answer(connection, path, headers, raw))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: _Connection, path: str, headers: dict[str, str], raw: bytes) -> None:
        body = json.loads(raw)
        api = "anthropic" if path.startswith("/v1/messages") else "openai"
        prompt = body["messages"][-1]["content"]
        ask = Ask(api, prompt, self.seen[prompt], body, headers)
        self.seen[prompt] += 1
        if self.keeps_asks:
            self.asks.append(ask)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
            fault = "401" if self.key is not None and given != self.key else self.plan(ask)
            if fault is not None:
                self.faults[fault] += 1
            await self._send(connection, ask, fault, given)
        finally:
            self.in_flight -= 1

    async def _send(self, connection: _Connection, ask: Ask, fault: str | None, key: str) -> None:
        if fault == "reset":
            connection.transport.abort()
        elif fault == "reset in reply":
            connection.write_head(200, len(reply_to(ask, None, self.usage)))
            connection.transport.write(reply_to(ask, None, self.usage)[:20])
            connection.transport.abort()
        elif fault == "drip":
            data = reply_to(ask, None, self.usage)
            connection.write_head(200, len(data))
            for place in range(len(data)):
                connection.transport.write(data[place : place + 1])
                await asyncio.sleep(0.05)
        elif fault in _STATUS:
            status, kind, message, more = _STATUS[fault]
            error = {"type": "error", "error": {"type": kind, "code": kind, "message": f"{message} (key {key})"}}
            connection.respond(status, json.dumps(error).encode(), more)
        else:
            self.paid[ask.prompt] += 1
            connection.respond(200, reply_to(ask, fault, self.usage))


_STATUS: dict[str, tuple[int, str, str, dict[str, str]]] = {
    "400": (400, "invalid_request_error", "messages: too long", {}),
    "400 credit": (400, "invalid_request_error", "Your credit balance is too low to access the API", {}),
    "401": (401, "authentication_error", "invalid x-api-key", {}),
    "402": (402, "billing_error", "credit exhausted", {}),
    "413": (413, "request_too_large", "too large", {}),
    "404": (404, "not_found_error", "model: no such model", {}),
    "429": (429, "rate_limit_error", "slow down", {}),
    "429 retry-after": (429, "rate_limit_error", "slow down", {"retry-after": "7"}),
    "429 for long": (429, "rate_limit_error", "tomorrow", {"retry-after": "86400"}),
    "429 quota": (429, "insufficient_quota", "you exceeded your quota", {}),
    "500": (500, "api_error", "internal", {}),
    "503": (503, "api_error", "unavailable", {}),
    "529": (529, "overloaded_error", "overloaded", {}),
}


def reply_to(ask: Ask, fault: str | None, usage: tuple[int, int] | None) -> bytes:
    """Body of a reply with status 200, whole or wrong in the way of `fault`."""
    text = {"empty": "", "wrong schema": '{"other": 1}', "refusal": "", "cut": '{"echo": "0'}.get(
        fault or "", answer_to(ask.prompt)
    )
    make = _anthropic if ask.api == "anthropic" else _openai
    data = json.dumps(make(text, fault, usage)).encode()
    return data[: len(data) // 2] if fault == "truncated json" else data


def _anthropic(text: str, fault: str | None, usage: tuple[int, int] | None) -> dict[str, Any]:
    stop = {"refusal": "refusal", "cut": "max_tokens"}.get(fault or "", "end_turn")
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "model", "stop_reason": stop,
        "stop_sequence": None, "content": [{"type": "text", "text": text}] if text else [],
        "usage": None if usage is None else {"input_tokens": usage[0], "output_tokens": usage[1]},
    }  # fmt: skip


def _openai(text: str, fault: str | None, usage: tuple[int, int] | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": "I cannot." if fault == "refusal" else None}
    finish = "length" if fault == "cut" else "stop"
    counts = None if usage is None else {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return {
        "id": "c1", "object": "chat.completion", "created": 1, "model": "model", "usage": counts,
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
    }  # fmt: skip


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive: one request at a time, with a content-length."""

    transport: asyncio.Transport

    def __init__(self, server: FaultServer) -> None:
        self._server = server
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server._connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server._connections.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", "0"))
            if len(self._buffer) < end + 4 + length:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + length])
            del self._buffer[: end + 4 + length]
            self._server.start(self, first.split(" ")[1], headers, body)

    def write_head(self, status: int, length: int, more: dict[str, str] | None = None) -> None:
        lines = [f"HTTP/1.1 {status} X", "content-type: application/json", f"content-length: {length}"]
        lines += [f"{name}: {value}" for name, value in (more or {}).items()]
        self.transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def respond(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.write_head(status, len(body), more)
        self.transport.write(body)
