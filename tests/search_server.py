"""The fault server, answering in the roles of a search: it writes queries, answers them, and scores the answers."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from tests.fault_server import Ask, FaultServer, _anthropic, _Connection, _openai

BAD = "kettle"
"""A query with this word is answered with a rebuttal."""
SCORE = 95.0


def told(ask: Ask) -> str:
    """What is answered: it depends on the role and the texts alone, never on the code around them."""
    system = _system(ask.body)
    if system.startswith("You write messages"):
        wished = re.findall(r"^\d+\. (.*)$", ask.prompt, re.MULTILINE)
        return json.dumps({"message": f"Tell me all about {' and '.join(wished)}."})
    if system.startswith("You audit"):
        exchange = re.sub(r"Code: .*\n", "", re.sub(r"<[^>]*>", "", ask.prompt))
        if "No, that is wrong" in exchange:
            return json.dumps({"reason": "It denies.", "score": SCORE})
        return json.dumps({"reason": "It answers.", "score": _number(exchange) % 300 / 10})
    if BAD in ask.prompt:
        return f"No, that is wrong: there is no such thing as number {_number(ask.prompt) % 1000}."
    return f"Here is answer number {_number(ask.prompt) % 1000}."


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


def _system(body: dict[str, Any]) -> str:
    if isinstance(system := body.get("system"), list):
        return str(system[0]["text"])
    first = body["messages"][0]
    return system or (str(first["content"]) if first["role"] == "system" else "")


class SearchServer(FaultServer):
    """Answers what `told` says; faults, delays and counts are those of its base. `answer` may say something else."""

    answer = staticmethod(told)

    async def _send(self, connection: _Connection, ask: Ask, fault: str | None, key: str) -> None:
        if fault is not None and fault != "prose":
            await super()._send(connection, ask, fault, key)
            return
        text = "Well, I would say it depends." if fault == "prose" else self.answer(ask)
        self.paid[ask.prompt] += 1
        make = _anthropic if ask.api == "anthropic" else _openai
        connection.respond(200, json.dumps(make(text, None, self.usage)).encode())
