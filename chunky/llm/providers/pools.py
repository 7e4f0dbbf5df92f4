"""Connections in small pools: a pool asks the kernel about each of its idle connections whenever a call starts.

With 32 calls in flight whose replies come in bursts that took a quarter of the processor time of a call.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from chunky.llm.providers.base import tls_context

if TYPE_CHECKING:
    import httpx2

_CALLS_A_POOL = 4


def connections() -> dict[str, Any]:
    """What an SDK's HTTP client is made with; the SDK's own pool where proxies are to be found in the environment."""
    if getproxies():
        return {"verify": tls_context()}
    return {"transport": _transport()}


def _transport() -> httpx2.AsyncBaseTransport:
    import httpx2

    class Counted(httpx2.AsyncByteStream):
        """The body of a response; its call is over when it is closed."""

        def __init__(self, stream: httpx2.AsyncByteStream, leave: Callable[[], None]) -> None:
            self._stream = stream
            self._leave: list[Callable[[], None]] = [leave]

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for part in self._stream:
                yield part

        async def aclose(self) -> None:
            while self._leave:
                self._leave.pop()()
            await self._stream.aclose()

    class Pools(httpx2.AsyncBaseTransport):
        """The first pool with room takes the call, so that few calls open few connections."""

        def __init__(self) -> None:
            self._calls: list[int] = []
            self._pools: list[httpx2.AsyncHTTPTransport] = []

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            pool = next((pool for pool, calls in enumerate(self._calls) if calls < _CALLS_A_POOL), len(self._calls))
            if pool == len(self._calls):
                alive = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
                self._pools.append(httpx2.AsyncHTTPTransport(verify=tls_context(), socket_options=alive))
                self._calls.append(0)
            self._calls[pool] += 1
            is_answered = False
            try:
                response = await self._pools[pool].handle_async_request(request)
                assert isinstance(response.stream, httpx2.AsyncByteStream)
                response.stream = Counted(response.stream, partial(self._leave, pool))
                is_answered = True
            finally:
                if not is_answered:
                    self._leave(pool)
            return response

        def _leave(self, pool: int) -> None:
            self._calls[pool] -= 1

        async def aclose(self) -> None:
            for pool in self._pools:
                await pool.aclose()

    return Pools()
