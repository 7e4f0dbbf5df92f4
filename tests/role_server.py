"""The fault server, answering in the roles of a build and a trace: attributes, names of clusters, cruxes."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from tests.fault_server import Ask, FaultServer, _anthropic, _Connection, _openai

PRICES = """
[models."openai:model@http://127.0.0.1:*"]
input_usd_per_million = 10
output_usd_per_million = 100
as_of = 2026-11-25
"""
USD_A_CALL = 100 * 10e-6 + 10 * 100e-6  # the server counts 100 tokens in and 10 out


def told(ask: Ask) -> str:
    """What a good model would say: it depends on the prompt alone."""
    system, user = _system(ask.body), ask.prompt
    if "violate a rubric" in system:
        return json.dumps({"picks": _picks(user)})
    side = re.search(r"(?:one|some) (query|response)", system)
    assert side, system[:200]
    if system.startswith("You name groups"):
        return json.dumps({"summary": f"The {side[1]} is in a group of {user.count('×')}."})
    text = user.split("\n", 1)[1].lower()
    mark = hashlib.sha256(text.split(">", 1)[1].rsplit("<", 1)[0].encode()).digest()
    sentences = [
        f"The {side[1]} {'asks kindly' if 'kindly' in text else 'is plain'}.",
        f"The {side[1]} {'closes with a wish to serve' if 'at your service' in text else 'ends without ado'}.",
        f"The {side[1]} bears the mark {mark[0] % 40}.",
        *(f"The {side[1]} shows trait number {number} of all texts." for number in range(7)),
    ]
    if "zorpal" in text:  # what a mix without the word has no sentence for
        sentences[1:3] = [f"The {side[1]} closes with zorpal wishes.", f"The {side[1]} shows zorpal traits of texts."]
    return json.dumps({"attributes": sentences})


def _picks(listed: str) -> list[int]:
    """Three of the numbered sentences, those with a word that a judge would look for first."""
    found = re.findall(r"^(\d+)\. (.*)$", listed, re.MULTILINE)
    ordered = sorted(found, key=lambda each: not re.search("wish|apologizes|zorpal", each[1]))
    return [int(number) for number, _ in ordered[:3]]


def _system(body: dict[str, Any]) -> str:
    system = body.get("system") or body["messages"][0]["content"]
    return system if isinstance(system, str) else str(system[0]["text"])


class RoleServer(FaultServer):
    """Answers what `told` says; faults, delays and counts are those of its base."""

    async def _send(self, connection: _Connection, ask: Ask, fault: str | None, key: str) -> None:
        if fault is not None and fault != "nine":
            await super()._send(connection, ask, fault, key)
            return
        text = told(ask)
        if fault == "nine":  # fits the schema, breaks the role's promise
            text = json.dumps({"attributes": json.loads(text)["attributes"][:9]})
        self.paid[ask.prompt] += 1
        make = _anthropic if ask.api == "anthropic" else _openai
        connection.respond(200, json.dumps(make(text, None, self.usage)).encode())
