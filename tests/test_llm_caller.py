from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from chunky.errors import PrerequisiteError, SettingsError
from chunky.llm import Budget, Ledger, Message, Model, Policy, Reply, Request, Timing, get_model
from chunky.llm.books import calls_reader, verify
from chunky.llm.prices import Price, Prices
from chunky.llm.providers.pools import connections
from tests.fault_server import FAILED_REPLIES, PASSING, Ask, FaultServer, answer_to, seeded

KEY = "sk-planted-0123456789abcdef"
ENVIRON = {"CHUNKY_KEY_127_0_0_1": KEY}
SCHEMA = {
    "type": "object",
    "properties": {"echo": {"type": "string"}},
    "required": ["echo"],
    "additionalProperties": False,
}
APIS = pytest.mark.parametrize("api", ["anthropic", "openai"])


class Clock:
    """A clock that moves when somebody sleeps; a sleep lets the others run and takes no time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    @property
    def timing(self) -> Timing:
        return Timing(clock=lambda: self.now, sleep=self.sleep)


def requests(count: int, first: int = 0, **more: Any) -> list[Request]:
    return [
        Request("judge", (Message("system", "Echo."), Message("user", f"text {i}")), 50, schema=SCHEMA, **more)
        for i in range(first, first + count)
    ]


def model_on(server: FaultServer, api: str = "openai", **more: Any) -> Model:
    more = {"environ": ENVIRON, "timing": Clock().timing} | more
    return get_model(getattr(server, api), **more)


def prices_of(server: FaultServer) -> Prices:
    price = Price(1_000_000_000, 5_000_000_000, date(2026, 11, 25))  # $1 and $5 per million tokens
    return Prices({server.openai: price, server.anthropic: price}, "the test")


def texts(replies: list[Reply]) -> list[str | None]:
    return [reply.text for reply in replies]


def answers(count: int, first: int = 0) -> list[str]:
    return [answer_to(f"text {i}") for i in range(first, first + count)]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@APIS
def test_each_vendor_is_asked_in_its_own_format(api: str) -> None:
    with FaultServer(keeps_asks=True, key=KEY) as server:
        (reply,) = model_on(server, api, prices=prices_of(server)).complete(requests(1, temperature=0.5))
        (ask,) = server.asks
    assert (reply.text, reply.error, reply.input_tokens, reply.output_tokens) == (answer_to("text 0"), None, 100, 10)
    assert (reply.usd, reply.attempts, reply.is_cached) == (pytest.approx(150e-6), 1, False)
    if api == "anthropic":
        assert ask.body["system"] == "Echo."
        assert ask.body["messages"] == [{"role": "user", "content": "text 0"}]
        assert ask.body["output_config"]["format"] == {"type": "json_schema", "schema": SCHEMA}
        assert "temperature" not in ask.body
    else:
        assert [turn["role"] for turn in ask.body["messages"]] == ["system", "user"]
        assert ask.body["temperature"] == 0.5
        assert ask.body["response_format"]["json_schema"] == {"name": "reply", "schema": SCHEMA, "strict": True}
    assert ask.body["max_tokens"] == 50


@APIS
@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_tried_again(api: str, fault: str) -> None:
    clock = Clock()
    with FaultServer(lambda ask: fault if ask.time < 2 else None) as server:
        (reply,) = model_on(server, api, timing=clock.timing).complete(requests(1))
    assert (reply.text, reply.attempts) == (answer_to("text 0"), 3)
    first, second = clock.sleeps
    if fault == "429 retry-after":
        assert 7 <= first <= 7.5
    else:
        assert 0.25 <= first <= 0.5 <= second <= 1


@APIS
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("truncated json", "bad reply"),
        ("wrong schema", "bad reply"),
        ("empty", "empty"),
        ("refusal", "refusal"),
        ("cut", "truncated"),
        ("400", "invalid request"),
        ("429 for long", "rate limit"),
    ],
)
def test_what_does_not_pass_is_said_once(api: str, fault: str, error: str, ledger: Ledger) -> None:
    with FaultServer(lambda ask: fault if ask.time == 0 else None) as server:
        model = model_on(server, api, ledger=ledger)
        bad, good = model.complete(requests(1) + requests(1, 1))
        assert (bad.error, bad.text, bad.attempts) == (error, None, 1)
        assert bad.detail
        assert good.error == error, "each prompt fails at its first time"
        again = model.complete(requests(2))
        assert texts(again) == answers(2), "a failure is never served as an answer"
        assert [reply.is_cached for reply in again] == [False, False]
    rows = calls_reader(ledger).read_all().to_pylist()
    assert [row["error"] for row in rows] == [error, error, None, None]
    kept = {"wrong schema": '{"other": 1}', "cut": '{"echo": "0', "empty": "", "refusal": ""}.get(fault)
    assert rows[0]["reply"] == kept


@APIS
@pytest.mark.parametrize(
    ("fault", "error"),
    [("401", "auth"), ("402", "credit"), ("400 credit", "credit"), ("429 quota", "credit"), ("404", "invalid request")],
)
def test_a_key_that_stops_working_ends_the_run(api: str, fault: str, error: str) -> None:
    with FaultServer(lambda ask: fault if int(ask.prompt.split()[1]) >= 20 else None) as server:
        model = model_on(server, api, max_in_flight=4)
        replies = model.complete(requests(500))
        assert texts(replies[:20]) == answers(20)
        assert {reply.error for reply in replies[20:]} == {error}
        assert sum(server.faults.values()) <= 4, "those in flight"
        assert {reply.error for reply in model.complete(requests(3, 600))} == {error}, "no later call is sent either"
        assert sum(server.seen.values()) <= 24


def test_attempts_come_to_an_end() -> None:
    clock = Clock()
    with FaultServer(lambda ask: "500") as server:
        (reply,) = model_on(server, timing=clock.timing, policy=Policy(max_attempts=4)).complete(requests(1))
        assert sum(server.seen.values()) == 4
    assert (reply.error, reply.attempts, reply.usd) == ("server", 4, 0.0)
    assert reply.detail is not None
    assert reply.detail.startswith("500: api_error")


@APIS
def test_a_slow_drip_is_a_time_out(api: str) -> None:
    with FaultServer(lambda ask: "drip" if ask.time == 0 else None) as server:
        model = model_on(server, api, policy=Policy(timeout=0.4), prices=prices_of(server))
        (reply,) = model.complete(requests(1))
    assert (reply.text, reply.attempts) == (answer_to("text 0"), 2)


def test_nobody_listening_is_a_connection_error_that_cost_nothing() -> None:
    with FaultServer() as server:
        pass
    (reply,) = model_on(server, prices=prices_of(server), policy=Policy(max_attempts=2)).complete(requests(1))
    assert (reply.error, reply.attempts, reply.usd) == ("connection", 2, 0.0)


def test_an_answer_is_paid_for_once(ledger: Ledger) -> None:
    with FaultServer(delay=0.01) as server:
        model = model_on(server, ledger=ledger, prices=prices_of(server))
        asked = requests(10) + requests(10) + requests(5, sample=1)
        replies = model.complete(asked)
        assert texts(replies) == answers(10) + answers(10) + answers(5)
        assert sum(reply.is_cached for reply in replies) == 10, "the same request in flight is waited for"
        assert model_on(server, ledger=ledger).complete(asked)[0] == Reply(
            answer_to("text 0"), None, None, 100, 10, 0.0, 0.0, True, 0, server.openai
        )
        assert server.paid == Counter({f"text {i}": 2 if i < 5 else 1 for i in range(10)})
        model_on(server, "anthropic", ledger=ledger).complete(requests(1))
        assert server.paid["text 0"] == 3, "another vendor is another answer"


def test_two_models_on_one_ledger_pay_once(tmp_path: Path) -> None:
    """Two processes would do the same: each has its own ledger object, and sees the other's intents."""
    found: dict[int, list[Reply]] = {}

    def work(number: int, server: FaultServer) -> None:
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            model = get_model(server.openai, ledger=ledger, environ=ENVIRON, max_in_flight=4)
            found[number] = model.complete(requests(40))

    with FaultServer(delay=0.02) as server:
        threads = [threading.Thread(target=work, args=(number, server)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert texts(found[0]) == texts(found[1]) == answers(40)
        assert set(server.paid.values()) == {1}


def test_an_answer_taken_back_is_asked_again(ledger: Ledger) -> None:
    with FaultServer() as server:
        model = model_on(server, ledger=ledger)
        model.complete(requests(1))
        assert model.reject(requests(1)[0], "not what the role needs")  # type: ignore[attr-defined]
        assert not model.complete(requests(1))[0].is_cached
        assert server.paid["text 0"] == 2


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
@APIS
def test_a_fifth_of_the_calls_fail_and_nothing_is_lost(api: str, count: int, ledger: Ledger) -> None:
    """Every row answered once or reported once, order kept, nothing paid twice."""
    kinds = PASSING + FAILED_REPLIES
    seen: list[int] = []
    with FaultServer(seeded(0.2, kinds)) as server:
        model = model_on(server, api, ledger=ledger, policy=Policy(max_attempts=20))
        replies = model.complete(requests(count), on_reply=lambda index, reply: seen.append(index))
        assert sorted(seen) == list(range(count))
        failed = [index for index, reply in enumerate(replies) if reply.error is not None]
        assert all(
            reply.text == text for reply, text in zip(replies, answers(count), strict=True) if reply.error is None
        )
        assert server.paid == Counter({f"text {i}": 1 for i in range(count)})
        assert sum(server.faults[kind] for kind in FAILED_REPLIES) == len(failed)
        assert 0.05 * count < len(failed) < 0.15 * count
        again = model.complete(requests(count))
        assert [index for index, reply in enumerate(again) if not reply.is_cached] == failed
        paid_again = Counter({f"text {i}": 2 for i in failed})
        assert server.paid == Counter({f"text {i}": 1 for i in range(count)}) | paid_again
    assert calls_reader(ledger).read_all().num_rows == 2 * count
    assert verify(ledger) == []


def test_replies_stream_in_as_they_come() -> None:
    first = threading.Event()

    def plan(ask: Ask) -> str | None:
        if ask.prompt == "text 1":
            assert first.wait(10), "the first reply was held back until all were there"
        return None

    with FaultServer(plan) as server:
        model = model_on(server, max_in_flight=1)
        assert texts(model.complete(requests(2), on_reply=lambda index, reply: first.set())) == answers(2)


def test_calls_in_flight_are_bounded() -> None:
    with FaultServer(delay=0.01) as server:
        model_on(server, max_in_flight=5).complete(requests(60))
        assert server.most_in_flight == 5


def test_a_listener_that_fails_stops_the_sending_but_not_the_books(ledger: Ledger) -> None:
    def listener(index: int, reply: Reply) -> None:
        raise ZeroDivisionError

    with FaultServer() as server:
        model = model_on(server, ledger=ledger, max_in_flight=4)
        with pytest.raises(ZeroDivisionError):
            model.complete(requests(1_000), on_reply=listener)
        paid = sum(server.paid.values())
        assert 1 <= paid <= 40
        assert texts(model.complete(requests(20))) == answers(20)
        assert calls_reader(ledger).read_all()["error"].null_count == calls_reader(ledger).read_all().num_rows
        assert max(server.paid.values()) == 1, "what was in flight was not thrown away"


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Python's own handler: a shell's background jobs are started with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_loses_what_is_in_flight_and_says_so(ledger: Ledger) -> None:
    def listener(index: int, reply: Reply) -> None:
        signal.raise_signal(signal.SIGINT)

    budget = Budget("run", max_usd=1)
    with FaultServer(lambda ask: None if ask.prompt == "text 0" else "drip") as server:
        model = model_on(server, ledger=ledger, budget=budget, prices=prices_of(server), max_in_flight=4)
        with pytest.raises(KeyboardInterrupt):
            model.complete(requests(100), on_reply=listener)
    first, *rest = calls_reader(ledger).read_all().to_pylist()
    assert (first["error"], first["reply"]) == (None, None)
    assert {row["error"] for row in rest} == {"lost"}
    assert 3 <= len(rest) <= 4
    (whole,) = ledger.spending("run")
    assert whole.spent_usd == pytest.approx(first["usd"] + sum(row["counted_usd"] for row in rest))
    assert whole.reserved_usd == 0


def test_requests_that_fail_to_come_are_an_error_of_the_caller() -> None:
    def broken() -> Iterator[Request]:
        yield requests(1)[0]
        raise KeyError("row")

    with FaultServer() as server, pytest.raises(KeyError, match="row"):
        model_on(server).complete(broken())


def test_text_that_is_no_unicode_fails_alone() -> None:
    odd = Request("judge", (Message("user", "half a pair \ud800"),), 50)
    with FaultServer() as server:
        bad, good = model_on(server).complete([odd, requests(1)[0]])
        assert (bad.error, good.text) == ("invalid request", answer_to("text 0"))


@APIS
@pytest.mark.parametrize("in_flight", [1, 9])
def test_as_many_connections_are_opened_as_calls_are_in_flight(api: str, in_flight: int) -> None:
    """Whichever pools they are in."""
    most = 0

    def plan(ask: Ask) -> None:
        nonlocal most
        most = max(most, len(server._connections))

    with FaultServer(plan, delay=0.02) as server:
        assert texts(model_on(server, api, max_in_flight=in_flight).complete(requests(45))) == answers(45)
    assert 1 <= most <= in_flight


def test_proxies_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    assert set(connections()) == {"transport"}
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    assert set(connections()) == {"verify"}, "the SDK's own pool knows proxies"


def test_a_model_can_be_used_inside_a_running_loop() -> None:
    async def notebook(server: FaultServer) -> list[Reply]:
        return model_on(server).complete(requests(2))

    with FaultServer() as server:
        assert texts(asyncio.run(notebook(server))) == answers(2)


def test_a_budget_holds_and_says_what_was_not_made(ledger: Ledger) -> None:
    budget = Budget("run", max_usd=0.002, role_usd={"judge": 0.0016})
    with FaultServer() as server:
        model = model_on(server, ledger=ledger, budget=budget, prices=prices_of(server))
        replies = model.complete(requests(50))
        answered = [reply for reply in replies if reply.error is None]
        assert {reply.error for reply in replies} == {None, "budget"}
        # 150e-6 each; one whose upper bound (about 1,500e-6 + 250e-6) might pass the limit is not made
        assert sum(server.paid.values()) == len(answered)
        spent = ledger.spending("run")[0].spent_usd
        assert spent == pytest.approx(150e-6 * len(answered))
        assert spent <= 0.0016
        assert 1 <= len(answered) <= 10


def test_calls_near_the_limit_wait_for_each_other(ledger: Ledger) -> None:
    """Room for one upper bound at a time, but for all eight calls: they go one after the other."""
    with FaultServer() as server:
        budget = Budget("run", max_usd=0.003)
        model = model_on(server, ledger=ledger, budget=budget, prices=prices_of(server))
        assert texts(model.complete(requests(8))) == answers(8)
        assert server.most_in_flight == 1


def test_a_reply_without_usage_counts_at_its_upper_bound(ledger: Ledger) -> None:
    with FaultServer(usage=None) as server:
        model = model_on(server, ledger=ledger, budget=Budget("run", max_usd=1), prices=prices_of(server))
        (reply,) = model.complete(requests(1))
    assert (reply.error, reply.input_tokens, reply.usd) == (None, None, None)
    (row,) = calls_reader(ledger).read_all().to_pylist()
    assert row["usd"] is None
    assert ledger.spending("run")[0].spent_usd == row["counted_usd"] > 1e-3


def test_an_attempt_that_may_be_paid_for_counts(ledger: Ledger) -> None:
    with FaultServer(lambda ask: "reset in reply" if ask.time == 0 else None) as server:
        model = model_on(server, ledger=ledger, budget=Budget("run", max_usd=1), prices=prices_of(server))
        (reply,) = model.complete(requests(1))
    assert (reply.attempts, reply.usd) == (2, pytest.approx(150e-6))
    assert ledger.spending("run")[0].spent_usd > 1e-3, "the first attempt counts at its upper bound"
    assert ledger.spending("run")[0].reserved_usd == 0


def test_a_model_without_a_price_has_no_budget() -> None:
    with FaultServer() as server:
        with pytest.raises(SettingsError, match="no price is known for openai:model@http"):
            model_on(server, budget=Budget("run", max_usd=1))
        (reply,) = model_on(server).complete(requests(1))
        assert (reply.text, reply.usd) == (answer_to("text 0"), None), "without a budget: a cost that nobody knows"


@APIS
def test_the_key_is_nowhere(api: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A server that echoes the key in every error, all logs on: no file, reply or log holds it."""
    caplog.set_level(logging.DEBUG)
    kinds = (*PASSING, *FAILED_REPLIES, "400")
    with FaultServer(seeded(0.5, kinds), key=KEY) as server, Ledger(tmp_path / "ledger.sqlite") as ledger:
        budget = Budget("run", max_usd=10)
        model = model_on(server, api, ledger=ledger, budget=budget, prices=prices_of(server))
        replies = model.complete(requests(100))
        assert any(reply.detail and "[key]" in reply.detail for reply in replies), "the server did echo it"
        stranger = model_on(server, api, ledger=ledger, environ={"CHUNKY_KEY_127_0_0_1": KEY + "-revoked"})
        replies += stranger.complete(requests(1, 900))
        assert replies[-1].error == "auth"
        table = calls_reader(ledger).read_all()
        assert KEY not in repr(vars(model)) + repr(replies) + repr(table.to_pylist())
        for path in tmp_path.rglob("*"):
            assert path.is_dir() or KEY.encode() not in path.read_bytes(), path
    assert len(caplog.text) > 1_000
    assert KEY not in caplog.text


@APIS
def test_a_key_must_be_there(api: str) -> None:
    with pytest.raises(PrerequisiteError, match=f"{api.upper()}_API_KEY"):
        get_model(f"{api}:model", environ={})
    with pytest.raises(PrerequisiteError, match="CHUNKY_KEY_MODELS_EXAMPLE_ORG"):
        get_model(f"{api}:model@https://models.example.org", environ={"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY})
