"""The loopback server with both vendors' batch APIs. What a batch holds is paid for when the server has taken it.

Faults of rows come from `plan`, as online; those of steps (upload, submit, look, list, download) from `steps`; `fate`
says what becomes of whole batches.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.fault_server import (
    _STATUS,
    FAILED_REPLIES,
    Ask,
    FaultServer,
    _anthropic,
    _Connection,
    _openai,
    reply_to,
)

ROW_FAULTS = ("errored", "expired", "canceled", "missing", "duplicate")
STEP_FAULTS = ("429", "429 retry-after", "500", "529", "reset", "lost", "garbage", "cut", "cut line", "cut rows")


class Step(NamedTuple):
    """One call as the server sees it: which API, which step, how often that step has come (from 0)."""

    api: str
    name: str
    time: int


@dataclass
class Batch:
    """A batch that was taken."""

    id: str
    api: str
    number: int
    created: float
    name: str | None
    asks: list[tuple[str, Ask]]
    fate: str | None
    looks: int = 0
    lists: int = 0
    replies: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass
class BatchServer(FaultServer):
    """Ends a batch after so many looks at it, lists among them, and not before it is `lasts` seconds old; shows a batch
    in its lists after so many lists.
    """

    steps: Callable[[Step], str | None] = lambda step: None
    fate: Callable[[int], str | None] = lambda number: None
    looks: int = 2
    lasts: float = 0.0
    lists: int = 0
    answer: Callable[[Ask], str] | None = None  # where it is not the fault server's own
    page: int = 100
    batches: dict[str, Batch] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    async def _answer(self, connection: _Connection, path: str, headers: dict[str, str], raw: bytes) -> None:
        place = urlsplit(path)
        name = _step(place.path, bool(raw))
        if name is None:
            await super()._answer(connection, path, headers, raw)
            return
        api = "anthropic" if place.path.startswith("/v1/messages") else "openai"
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        step = Step(api, name, self.calls[name])
        self.calls[name] += 1
        fault = "401" if self.key is not None and given != self.key else self.steps(step)
        if self.delay:  # what has arrived is done, whether or not the client lives to see it
            await asyncio.sleep(self.delay)
        if fault is not None:
            self.faults[f"{name}: {fault}"] += 1
        if fault in _STATUS:
            status, kind, message, more = _STATUS[fault]
            error = {"type": "error", "error": {"type": kind, "code": kind, "message": f"{message} (key {given})"}}
            connection.respond(status, json.dumps(error).encode(), more)
        elif fault == "reset":
            connection.transport.abort()
        else:
            body = self._do(name, api, place.path, parse_qs(place.query), raw)
            if self.delay:
                await asyncio.sleep(self.delay)
            self._send_body(connection, body, fault)

    def _send_body(self, connection: _Connection, body: bytes | None, fault: str | None) -> None:
        if body is None:
            error = {"error": {"type": "not_found_error", "message": "there is no such thing"}}
            connection.respond(404, json.dumps(error).encode())
        elif fault == "lost":
            connection.transport.abort()
        elif fault == "cut":
            connection.write_head(200, len(body))
            connection.transport.write(body[: len(body) * 2 // 3])
            connection.transport.close()
        elif fault in ("garbage", "cut line"):
            connection.respond(200, body[: len(body) // 2])
        elif fault == "cut rows":
            connection.respond(200, b"".join(body.splitlines(keepends=True)[:-1]))
        else:
            connection.respond(200, body)

    def _do(self, name: str, api: str, path: str, query: dict[str, list[str]], raw: bytes) -> bytes | None:
        parts = path.split("/")
        if name == "upload":
            place = f"file-{len(self.files)}"
            self.files[place] = raw[raw.index(b'{"custom_id"') : raw.rindex(b"}\n") + 2]
            return json.dumps({"id": place, "object": "file", "purpose": "batch"}).encode()
        if name == "submit":
            return json.dumps(self._tell(self._take(api, json.loads(raw)))).encode()
        if name == "list":
            return self._list(api, query)
        if name == "download" and api == "openai":
            batch, _, kind = parts[-2].partition(".")
            return b"".join(getattr(self.batches[batch], kind))
        batch_id = parts[-2] if name == "download" else parts[-1]
        found = self.batches.get(batch_id)
        if found is None:
            return None
        if name == "download":
            return b"".join(found.replies)
        found.looks += 1
        return json.dumps(self._tell(found)).encode()

    def _take(self, api: str, body: dict[str, Any]) -> Batch:
        if api == "anthropic":
            rows = [(row["custom_id"], row["params"]) for row in body["requests"]]
        else:
            lines = map(json.loads, self.files[body["input_file_id"]].splitlines())
            rows = [(line["custom_id"], line["body"]) for line in lines]
        number = len(self.batches)
        taken = Batch(
            f"batch_{number}", api, number, time.time(), body.get("metadata", {}).get("chunky_batch"), [],
            self.fate(number),
        )  # fmt: skip
        self.batches[taken.id] = taken
        for place, (custom_id, params) in enumerate(rows):
            prompt = params["messages"][-1]["content"]
            ask = Ask(api, prompt, self.seen[prompt], params, {})
            taken.asks.append((custom_id, ask))
            if taken.fate in ("refused", "no room", "credit", "bad line"):
                continue
            self.seen[prompt] += 1
            if self.keeps_asks:
                self.asks.append(ask)
            fault = taken.fate if taken.fate and place >= len(rows) // 2 else self.plan(ask)
            self._end_row(taken, custom_id, ask, fault)
        return taken

    def _end_row(self, batch: Batch, custom_id: str, ask: Ask, fault: str | None) -> None:
        if fault is not None:
            self.faults[fault] += 1
        is_reply = fault in (None, "missing", "duplicate", *FAILED_REPLIES)
        if is_reply:
            self.paid[ask.prompt] += 1
        batch.counts["succeeded" if is_reply else "errored" if fault not in ("expired", "canceled") else fault] += 1
        line = (_anthropic_row if ask.api == "anthropic" else _openai_row)(self, custom_id, ask, fault)
        into = batch.replies if is_reply or ask.api == "anthropic" else batch.errors
        into += [json.dumps(line).encode() + b"\n"] * {"missing": 0, "duplicate": 2}.get(fault or "", 1)

    def _list(self, api: str, query: dict[str, list[str]]) -> bytes:
        shown = []
        for batch in reversed(self.batches.values()):
            batch.lists += 1
            batch.looks += 1
            if batch.api == api and batch.lists > self.lists:
                shown.append(batch)
        after = query.get("after_id" if api == "anthropic" else "after", [""])[0]
        ids = [batch.id for batch in shown]
        start = ids.index(after) + 1 if after in ids else 0
        page = shown[start : start + self.page]
        has_more = start + self.page < len(shown)
        last = page[-1].id if page else None
        told = {"object": "list", "data": [self._tell(batch) for batch in page], "has_more": has_more}
        return json.dumps(told | {"last_id": last, "first_id": page[0].id if page else None}).encode()

    def _tell(self, batch: Batch) -> dict[str, Any]:
        is_ended = batch.looks >= self.looks and time.time() >= batch.created + self.lasts
        return (_anthropic_batch if batch.api == "anthropic" else _openai_batch)(self, batch, is_ended)


def _step(path: str, has_body: bool) -> str | None:
    if path == "/v1/files":
        return "upload"
    if path.endswith(("/results", "/content")):
        return "download"
    if path in ("/v1/messages/batches", "/v1/batches"):
        return "submit" if has_body else "list"
    return "look" if "/batches/" in path else None


def _anthropic_batch(server: BatchServer, batch: Batch, is_ended: bool) -> dict[str, Any]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(batch.created))
    kinds = ("succeeded", "errored", "expired", "canceled")
    counts = {kind: batch.counts[kind] if is_ended else 0 for kind in kinds}
    url = f"http://127.0.0.1:{server.port}/v1/messages/batches/{batch.id}/results"
    return {
        "id": batch.id, "type": "message_batch", "created_at": stamp, "expires_at": stamp,
        "processing_status": "ended" if is_ended else "in_progress", "results_url": url if is_ended else None,
        "request_counts": counts | {"processing": 0 if is_ended else len(batch.asks)},
    }  # fmt: skip


def _openai_batch(server: BatchServer, batch: Batch, is_ended: bool) -> dict[str, Any]:
    status = {None: "completed", "canceled": "cancelled", "expired": "expired"}.get(batch.fate, "failed")
    codes = {"refused": "invalid_request", "no room": "token_limit_exceeded", "credit": "billing_hard_limit_reached",
             "bad line": "invalid_json_line"}  # fmt: skip
    errors = None
    if is_ended and status == "failed":
        error = {
            "code": codes[batch.fate or ""],
            "message": "not taken",
            "line": 1 if batch.fate == "bad line" else None,
        }
        errors = {"object": "list", "data": [error]}
    counts = {"total": len(batch.asks), "completed": batch.counts["succeeded"], "failed": batch.counts["errored"]}
    return {
        "id": batch.id, "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-0",
        "completion_window": "24h", "created_at": int(batch.created), "metadata": {"chunky_batch": batch.name},
        "status": status if is_ended else "in_progress", "errors": errors,
        "request_counts": counts if is_ended else {"total": 0, "completed": 0, "failed": 0},
        "output_file_id": f"{batch.id}.replies" if is_ended and batch.replies else None,
        "error_file_id": f"{batch.id}.errors" if is_ended and batch.errors else None,
    }  # fmt: skip


def _reply(server: BatchServer, ask: Ask, fault: str | None) -> Any:
    if server.answer is not None and fault not in FAILED_REPLIES:
        return (_anthropic if ask.api == "anthropic" else _openai)(server.answer(ask), None, server.usage)
    return json.loads(reply_to(ask, fault if fault in FAILED_REPLIES else None, server.usage))


def _anthropic_row(server: BatchServer, custom_id: str, ask: Ask, fault: str | None) -> dict[str, Any]:
    result: dict[str, Any]
    if fault in ("expired", "canceled"):
        result = {"type": fault}
    elif fault == "errored" or fault in _STATUS:
        kind, message = _STATUS["500" if fault == "errored" else fault or ""][1:3]
        result = {"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": message}}}
    else:
        result = {"type": "succeeded", "message": _reply(server, ask, fault)}
    return {"custom_id": custom_id, "result": result}


def _openai_row(server: BatchServer, custom_id: str, ask: Ask, fault: str | None) -> dict[str, Any]:
    line: dict[str, Any] = {"id": f"row-{custom_id}", "custom_id": custom_id, "response": None, "error": None}
    if fault in ("expired", "canceled"):
        code = "batch_expired" if fault == "expired" else "batch_cancelled"
        return line | {"error": {"code": code, "message": f"the request {fault}"}}
    if fault == "temperature":
        error = {"type": "invalid_request_error", "message": "no temperature", "param": "temperature"}
        return line | {"response": {"status_code": 400, "request_id": "1", "body": {"error": error}}}
    if fault == "errored" or fault in _STATUS:
        status, kind, message, _ = _STATUS["500" if fault == "errored" else fault or ""]
        error = {"type": kind, "code": kind, "message": message}
        return line | {"response": {"status_code": status, "request_id": "1", "body": {"error": error}}}
    return line | {"response": {"status_code": 200, "request_id": "1", "body": _reply(server, ask, fault)}}
