"""What the calls of one role came to so far: what a person watches while money is spent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from chunky.llm.protocol import Reply

__all__ = ["Tally"]


@dataclass
class Tally:
    """Calls of one role in one step. `total`: calls that the step needs; `usd`: what is known to have been spent.

    `cached` were answered from the ledger. `failed` got no answer that can be used, by kind in `errors`; they may have
    been paid for. `unpriced`: calls that were made and whose cost is unknown (no price, no tokens told). `seconds`
    since the first one.
    """

    role: str
    model: str
    total: int
    done: int = 0
    cached: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, reply: Reply, error: str | None, seconds: float) -> None:
        """Count a reply; `error` is what its reader made of it."""
        self.done += 1
        self.seconds = seconds
        if reply.is_cached:
            self.cached += 1
        elif reply.attempts:
            self.input_tokens += reply.input_tokens or 0
            self.output_tokens += reply.output_tokens or 0
            self.usd += reply.usd or 0.0
            self.unpriced += reply.usd is None
        if error is not None:
            self.failed += 1
            self.errors[error] += 1

    @property
    def made(self) -> int:
        """Calls that were not answered from the ledger."""
        return self.done - self.cached

    @property
    def projected_usd(self) -> float | None:
        """What all calls will have cost if none of the rest is in the ledger; None where that is unknown."""
        left = self.total - self.done
        if left <= 0:
            return None if self.unpriced else self.usd
        priced = self.made - self.unpriced
        return None if self.unpriced or not priced else self.usd + left * self.usd / priced

    @property
    def calls_per_second(self) -> float | None:
        """Calls made or answered from the ledger, a second; None before the first second has passed."""
        return self.done / self.seconds if self.seconds >= 1 else None
