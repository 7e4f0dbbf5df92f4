"""What a paid model's calls share, one by one or in batches: address, upper bound, and the answers in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from chunky.llm.ledger import Call, Ledger
from chunky.llm.outcomes import content_key
from chunky.llm.prices import Price, most_tokens
from chunky.llm.protocol import Request

__all__ = ["LedgerKeeper"]


class _Bodies(Protocol):
    """Who writes the bodies of calls: a provider, or a vendor's batches."""

    @property
    def key_parts(self) -> tuple[str, ...]: ...

    def body(self, request: Request) -> Mapping[str, Any]: ...


class LedgerKeeper:
    """A `chunky.llm.protocol.Keeper` whose answers are in the ledger under the content of the call."""

    name: str
    _bodies: _Bodies
    _ledger: Ledger
    _run: str
    _price: Price | None

    def holds(self, request: Request) -> bool:
        """Whether the ledger has the answer; False for a request that no server can be sent."""
        try:
            return self._ledger.find(self._call(request)[0].key) is not None
        except (TypeError, ValueError):
            return False

    def reject(self, request: Request, reason: str) -> bool:
        """Take back the answer to a request that its parser cannot use; it is asked again next time."""
        return self._ledger.reject(self._call(request)[0].key, reason)

    def _call(self, request: Request) -> tuple[Call, Mapping[str, Any], int]:
        """The call, its body, and the most that it can cost (1e-9 dollars; 0 where no price is known)."""
        body = self._bodies.body(request)
        key = content_key(self._bodies.key_parts, body, request.sample)
        call = Call(key, request.role, self.name, request.prompt_version, request.sample, self._run)
        return call, body, 0 if self._price is None else self._price.nano(most_tokens(request), request.max_tokens)
