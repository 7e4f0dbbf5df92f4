"""What the calls of a role will take, in tokens and dollars, before any is made.

Tokens come from the ledger where the same model has played the same role: the mean of what its server counted. Else
from a sample of requests: a token for every four bytes of the prompt and of its schema, which is usual for English and
too little for scripts that tokenizers know badly; and a reply of the length that the prompt asks for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from chunky.llm.books import Usage
from chunky.llm.prices import Price, usd
from chunky.llm.protocol import Request

__all__ = ["Estimate", "estimate"]

BYTES_A_TOKEN = 4
_MESSAGE_TOKENS = 4  # what chat templates put around a message
# ten sentences of 5 to 20 words as JSON; one of at most 20 words; three numbers; a message; an answer; a reason
_REPLY_TOKENS = {"extractor": 250, "summarizer": 40, "crux_picker": 15, "generator": 80, "target": 400, "judge": 70}
_TRUSTED = 20  # answers from which on the ledger's own counts are taken


@dataclass(frozen=True)
class Estimate:
    """What one role of a build or of a trace is expected to take.

    `items`: how many corpus rows, clusters or failures (`what`); `calls`: requests for them, of which `held_calls` are
    in the ledger already by the share of the sample that is; tokens and `usd` of the others, `usd` None without a
    price. `basis` says where the tokens come from; `is_bound` that the number of items or calls is a bound, because
    what comes before is not built.
    """

    role: str
    model: str
    items: int
    calls: int
    held_calls: int
    input_tokens: int
    output_tokens: int
    usd: float | None
    price_date: date | None
    basis: str
    is_bound: bool = False
    what: str = "items"


def estimate(
    role: str,
    model: str,
    *,
    items: int,
    calls: int,
    sample: Sequence[Request],
    held_share: float,
    usage: Usage | None,
    price: Price | None,
    is_bound: bool = False,
    what: str = "items",
) -> Estimate:
    """The estimate for `calls` like those of `sample`, of which `held_share` cost nothing."""
    held = round(calls * held_share)
    if usage is not None and usage.answers >= _TRUSTED:
        inputs, outputs = usage.input_tokens, usage.output_tokens
        basis = f"mean of {usage.answers:,} answers in the ledger"
    else:
        inputs = sum(map(_tokens, sample)) / len(sample) if sample else 0.0
        outputs = float(_REPLY_TOKENS[role])
        basis = f"a token for {BYTES_A_TOKEN} bytes of {len(sample):,} sampled prompts, {outputs:g} a reply"
    left = calls - held
    tokens = round(left * inputs), round(left * outputs)
    cost = None if price is None else usd(price.nano(*tokens))
    return Estimate(
        role, model, items, calls, held, *tokens, cost, None if price is None else price.as_of, basis, is_bound, what
    )


def _tokens(request: Request) -> float:
    texts = sum(len(message.text.encode("utf-8", "replace")) for message in request.messages)
    schema = 0 if request.schema is None else len(json.dumps(request.schema))
    return (texts + schema) / BYTES_A_TOKEN + _MESSAGE_TOKENS * len(request.messages)
