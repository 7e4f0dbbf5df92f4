"""What the ledger and the policy cost: our throughput over the raw SDK's, and the price of a cache hit.

Both contenders send the same requests with the same number in flight to one loopback server in a process of its own,
in turn, in this process. The server answers after a delay: at 0 ms the client's CPU is all there is to measure (the
worst case), at 200 ms it is the usual case. Run: `python -m benchmarks.llm`.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from chunky.llm import Budget, Ledger, Message, Model, Request, get_model, load_prices
from chunky.llm.prices import set_price
from tests.fault_server import FaultServer

PROMPT = "Name ten attributes of this text. " * 40
KEY = "benchmark-key"


def requests(count: int, salt: str) -> list[Request]:
    """Distinct requests of about 1,400 characters."""
    return [Request("extractor", (Message("user", f"{PROMPT}{salt} {i}"),), 300) for i in range(count)]


async def raw(client: Any, asked: list[Request], in_flight: int) -> None:
    """The SDK alone, `in_flight` workers over one iterator: the least code that keeps so many calls going."""
    rest = iter(asked)

    async def work() -> None:
        for request in rest:
            turns = [{"role": turn.role, "content": turn.text} for turn in request.messages]
            if hasattr(client, "messages"):
                await client.messages.create(model="model", max_tokens=300, messages=turns)
            else:
                await client.chat.completions.create(model="model", max_tokens=300, temperature=0.0, messages=turns)

    await asyncio.gather(*(work() for _ in range(in_flight)))


def raw_client(api: str, url: str) -> Any:
    """An asynchronous client with retries off."""
    if api == "anthropic":
        from anthropic import AsyncAnthropic

        return AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0)
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0)


def our_model(api: str, url: str, ledger: Ledger, in_flight: int, folder: Path) -> Model:
    """Our model with all that a user gets: ledger on disk, price, budget."""
    name = f"{api}:model@{url}" + ("/v1" if api == "openai" else "")
    prices = folder / "prices.toml"
    price = {"input_usd_per_million": 1.0, "output_usd_per_million": 5.0, "as_of": date(2026, 11, 25)}
    set_price(prices, name, price)
    budget = Budget("benchmark", max_usd=1e6, role_usd={"extractor": 1e6})
    return get_model(
        name, ledger=ledger, budget=budget, prices=load_prices(prices), max_in_flight=in_flight,
        environ={"CHUNKY_KEY_127_0_0_1": KEY},
    )  # fmt: skip


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of this process's CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(api: str, url: str, options: argparse.Namespace, folder: Path) -> None:
    """Contenders in turn; medians, and the ratio of throughputs."""
    with asyncio.Runner() as runner, Ledger(folder / f"{api}.sqlite") as ledger:
        client = raw_client(api, url)
        model = our_model(api, url, ledger, options.in_flight, folder)
        seen: dict[str, list[tuple[float, float]]] = {"raw": [], "ours": []}
        for round_ in range(-1, options.rounds):  # the first round opens connections and is not counted
            count = options.calls if round_ >= 0 else 2 * options.in_flight
            asked = [requests(count, f"{api} {round_} {who} {time.time_ns()}") for who in ("raw", "ours")]
            took = [
                measure(lambda: runner.run(raw(client, asked[0], options.in_flight))),  # noqa: B023
                measure(lambda: check(model, asked[1])),  # noqa: B023
            ]
            if round_ >= 0:
                seen["raw"].append(took[0])
                seen["ours"].append(took[1])
        runner.run(client.close())
        hits = measure(lambda: check(model, asked[1]))
    wall = {who: statistics.median(run[0] for run in runs) for who, runs in seen.items()}
    cpu = {who: statistics.median(run[1] for run in runs) for who, runs in seen.items()}
    paired = statistics.median(a[0] / b[0] for a, b in zip(seen["raw"], seen["ours"], strict=True))
    calls = options.calls
    print(
        f"{api:9} {options.delay * 1000:4.0f} ms, {options.in_flight} in flight: raw {calls / wall['raw']:6.0f}/s,"
        f" ours {calls / wall['ours']:6.0f}/s, ratio {wall['raw'] / wall['ours']:.3f} (paired {paired:.3f});"
        f" CPU per call {cpu['raw'] / calls * 1000:.2f} and {cpu['ours'] / calls * 1000:.2f} ms;"
        f" per hit {hits[0] / calls * 1000:.3f} ms, CPU {hits[1] / calls * 1000:.3f} ms"
    )


def check(model: Model, asked: list[Request]) -> None:
    """Make the calls; a benchmark of failures would be a good one."""
    replies = model.complete(asked)
    assert all(reply.error is None for reply in replies), next(reply for reply in replies if reply.error)


def main() -> None:
    """Serve, or measure against a server in another process."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=1_000, help="calls of each contender in each round")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--in-flight", type=int, default=32)
    options.add_argument("--delay", type=float, default=0.2, help="seconds before the server answers")
    options.add_argument("--api", action="append", choices=("anthropic", "openai"))
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        with FaultServer(delay=chosen.delay) as server:
            print(server.port, flush=True)
            sys.stdin.read()  # until the parent goes
        return
    command = [sys.executable, "-m", "benchmarks.llm", "--serve", "--delay", str(chosen.delay)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as child,
        tempfile.TemporaryDirectory(prefix="chunky-bench-") as folder,
    ):
        assert child.stdout is not None
        assert child.stdin is not None
        url = f"http://127.0.0.1:{int(child.stdout.readline())}"
        for api in chosen.api or ("anthropic", "openai"):
            compare(api, url, chosen, Path(folder))
        child.stdin.close()


if __name__ == "__main__":
    main()
