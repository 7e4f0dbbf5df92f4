"""Batches: each row answered once or reported once, nothing paid twice, whatever fails on the way."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chunky.errors import SettingsError
from chunky.llm import BatchPolicy, Budget, Ledger, Message, Model, Reply, Request, get_model
from chunky.llm.batches.books import open_batches
from chunky.llm.books import calls_reader, verify
from chunky.llm.prices import Price, Prices
from tests.batch_server import ROW_FAULTS, STEP_FAULTS, BatchServer, Step
from tests.fault_server import FAILED_REPLIES, Ask, answer_to, seeded
from tests.test_llm_caller import ENVIRON, KEY, Clock, answers, requests, texts

APIS = pytest.mark.parametrize("api", ["anthropic", "openai"])


def model_on(server: BatchServer, ledger: Ledger, api: str = "openai", **more: Any) -> Model:
    more = {"environ": ENVIRON, "timing": Clock().timing, "batch": True} | more
    return get_model(getattr(server, api), ledger=ledger, **more)


def prices_of(server: BatchServer) -> Prices:
    price = Price(1_000_000_000, 5_000_000_000, date(2026, 11, 25), Decimal("0.5"))
    return Prices({server.openai: price, server.anthropic: price}, "the test")


def only(name: str, fault: str, times: int = 1) -> Any:
    """A fault at the first times of one step."""
    return lambda step: fault if step.name == name and step.time < times else None


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def rows_of(ledger: Ledger, table: str) -> list[tuple[Any, ...]]:
    assert table in ("batches", "batch_rows", "intents")
    return ledger.connection.execute(f"select * from {table}").fetchall()


@APIS
def test_a_batch_answers_at_the_batch_price(api: str, ledger: Ledger) -> None:
    with BatchServer(keeps_asks=True, key=KEY) as server:
        model = model_on(server, ledger, api, prices=prices_of(server), budget=Budget("run", max_usd=1))
        seen: list[int] = []
        replies = model.complete(requests(20), on_reply=lambda index, reply: seen.append(index))
        assert texts(replies) == answers(20)
        assert sorted(seen) == list(range(20))
        assert len(server.batches) == 1
        assert {(reply.error, reply.input_tokens, reply.output_tokens, reply.attempts) for reply in replies} == {
            (None, 100, 10, 1)
        }
        assert all(reply.usd == pytest.approx(75e-6) for reply in replies), "half of online"
        assert ledger.spending("run")[0][1:] == (1, pytest.approx(20 * 75e-6), 0)
        body = server.asks[0].body
        assert body["messages"][-1]["role"] == "user"
        names = [custom_id for custom_id, _ in server.batches["batch_0"].asks]
    assert all(len(name) <= 64 and name.replace("-", "").replace("_", "").isalnum() for name in names)
    assert [state for *_, state, _, _ in rows_of(ledger, "batches")] == ["done"]
    assert rows_of(ledger, "batch_rows") == rows_of(ledger, "intents") == []
    assert verify(ledger) == []


@APIS
def test_answers_are_shared_with_online_calls(api: str, ledger: Ledger) -> None:
    with BatchServer() as server:
        online = model_on(server, ledger, api, batch=False)
        online.complete(requests(5))
        batch = model_on(server, ledger, api)
        assert [reply.is_cached for reply in batch.complete(requests(10))] == [True] * 5 + [False] * 5
        assert all(reply.is_cached for reply in online.complete(requests(10)))
        assert batch.complete(requests(3, 20) * 2)[3].is_cached, "the same request twice is one row"
        assert set(server.paid.values()) == {1}
        assert all(reply.is_cached for reply in batch.complete(requests(10))), "no batch for what is known"
        assert len(server.batches) == 2


@APIS
@pytest.mark.parametrize("fault", STEP_FAULTS)
@pytest.mark.parametrize("step", ["upload", "submit", "look", "list", "download"])
def test_a_step_that_fails_is_done_again_and_nothing_is_paid_twice(
    api: str, step: str, fault: str, ledger: Ledger
) -> None:
    def steps(seen: Step) -> str | None:
        if step == "list" and seen.name == "submit" and seen.time == 0:
            return "lost"  # so that there is a list
        return only(step, fault, 2)(seen)

    with BatchServer(steps=steps) as server:
        model = model_on(server, ledger, api)
        assert texts(model.complete(requests(12))) == answers(12)
        assert server.paid == Counter({f"text {i}": 1 for i in range(12)})
        if not (api == "anthropic" and step == "upload"):
            assert sum(server.faults.values()) >= (1 if step == "submit" else 2)
    assert rows_of(ledger, "intents") == []


@APIS
@pytest.mark.parametrize("fault", [*ROW_FAULTS, "529"])
def test_only_rows_that_failed_are_asked_again(api: str, fault: str, ledger: Ledger) -> None:
    def plan(ask: Ask) -> str | None:
        return fault if ask.time == 0 and int(ask.prompt.split()[1]) % 3 == 0 else None

    with BatchServer(plan) as server:
        model = model_on(server, ledger, api)
        replies = model.complete(requests(12))
        assert texts(replies) == answers(12)
        failed = [] if fault == "duplicate" else [0, 3, 6, 9]
        assert [index for index, reply in enumerate(replies) if reply.attempts == 2] == failed
        assert len(server.batches) == (1 if fault == "duplicate" else 2)
        # a row that the vendor made and does not hand out is the one thing that is paid again, and counted
        assert server.paid.total() == 12 + (4 if fault == "missing" else 0)
    calls = calls_reader(ledger).read_all().to_pylist()
    assert Counter(call["error"] for call in calls) == Counter({None: 12} | ({"lost": 4} if fault == "missing" else {}))


@APIS
@pytest.mark.parametrize("fate", ["expired", "canceled"])
def test_the_rest_of_a_batch_that_was_not_finished_is_submitted_again(api: str, fate: str, ledger: Ledger) -> None:
    with BatchServer(fate=lambda number: fate if number == 0 else None) as server:
        replies = model_on(server, ledger, api).complete(requests(20))
        assert texts(replies) == answers(20)
        assert [len(batch.asks) for batch in server.batches.values()] == [20, 10]
        assert set(server.paid.values()) == {1}


@APIS
def test_a_row_that_never_comes_is_reported(api: str, ledger: Ledger) -> None:
    with BatchServer(lambda ask: "expired" if ask.prompt == "text 1" else None) as server:
        replies = model_on(server, ledger, api, batch=BatchPolicy(max_rounds=3)).complete(requests(3))
        assert [reply.error for reply in replies] == [None, "expired", None]
        assert replies[1].attempts == 3
        assert replies[1].usd == 0
        assert server.seen["text 1"] == 3


@APIS
@pytest.mark.parametrize(
    ("fault", "error"),
    [("400", "invalid request"), ("wrong schema", "bad reply"), ("empty", "empty"), ("refusal", "refusal"),
     ("cut", "truncated")],
)  # fmt: skip
def test_what_does_not_pass_is_said_once(api: str, fault: str, error: str, ledger: Ledger) -> None:
    with BatchServer(lambda ask: fault if ask.time == 0 and ask.prompt == "text 0" else None) as server:
        model = model_on(server, ledger, api)
        bad, good = model.complete(requests(2))
        assert (bad.error, bad.text, good.text) == (error, None, answer_to("text 1"))
        assert len(server.batches) == 1
        assert texts(model.complete(requests(2))) == answers(2), "and asked again next time"


@APIS
def test_large_jobs_are_cut_into_batches(api: str, ledger: Ledger) -> None:
    with BatchServer() as server:
        limits = BatchPolicy(max_rows=32, max_open=3)
        replies = model_on(server, ledger, api, batch=limits).complete(requests(200))
        assert texts(replies) == answers(200)
        sizes = [len(batch.asks) for batch in server.batches.values()]
        assert sum(sizes) == 200
        assert max(sizes) <= 32
        assert {31, 32} <= set(sizes), "sizes differ, to tell batches apart"


def test_batches_are_cut_by_bytes_and_by_schema(ledger: Ledger) -> None:
    plain = [Request("judge", (Message("user", f"text {i}"),), 50) for i in range(10)]
    with BatchServer() as server:
        replies = model_on(server, ledger, batch=BatchPolicy(max_bytes=2_000)).complete(requests(10) + plain)
        assert texts(replies) == answers(10) * 2
        for batch in server.batches.values():
            assert len({"response_format" in ask.body for _, ask in batch.asks}) == 1
            assert sum(len(json.dumps(ask.body)) for _, ask in batch.asks) <= 2_000
            assert len(batch.asks) < 10
        (huge,) = model_on(server, ledger, batch=BatchPolicy(max_bytes=100)).complete(requests(1, 99))
        assert huge.error == "invalid request"


@pytest.mark.parametrize("api", ["anthropic", "openai"])
def test_a_server_that_takes_less_gets_less(api: str, ledger: Ledger) -> None:
    sizes: list[int] = []

    class Picky(BatchServer):
        def _do(self, name: str, api: str, path: str, query: dict[str, list[str]], raw: bytes) -> bytes | None:
            if name == ("submit" if api == "anthropic" else "upload"):
                sizes.append(raw.count(b"custom_id"))
            return super()._do(name, api, path, query, raw)

    def steps(step: Step) -> str | None:
        return "413" if step.name == ("submit" if api == "anthropic" else "upload") and step.time < 2 else None

    with Picky(steps=steps) as server:
        assert texts(model_on(server, ledger, api).complete(requests(40))) == answers(40)
        assert sizes[0] <= 20
        assert min(sizes) == 10, "what was refused was halved once more"
        assert sum(sizes) == 40


def test_a_model_that_takes_no_temperature_is_asked_without(ledger: Ledger) -> None:
    with BatchServer(lambda ask: "temperature" if "temperature" in ask.body else None) as server:
        assert texts(model_on(server, ledger).complete(requests(8))) == answers(8)
        assert len(server.batches) == 2
        assert set(server.paid.values()) == {1}


@pytest.mark.parametrize(("fate", "error"), [("refused", "invalid request"), ("credit", "credit")])
def test_a_batch_that_is_refused_is_reported(fate: str, error: str, ledger: Ledger) -> None:
    with BatchServer(fate=lambda number: fate) as server:
        replies = model_on(server, ledger).complete(requests(5))
        assert {reply.error for reply in replies} == {error}
        assert {reply.usd for reply in replies} == {0}
        assert not server.paid
    assert rows_of(ledger, "intents") == []


def test_rows_that_spoil_a_batch_are_reported_and_the_rest_goes_on(ledger: Ledger) -> None:
    with BatchServer(fate=lambda number: "bad line" if number == 0 else None) as server:
        replies = model_on(server, ledger).complete(requests(5))
        assert Counter(reply.error for reply in replies) == {None: 4, "invalid request": 1}
        spoiled = server.batches["batch_0"].asks[0][1].prompt
        assert replies[int(spoiled.split()[1])].error == "invalid request"


def test_a_vendor_without_room_gets_smaller_batches_later(ledger: Ledger) -> None:
    clock = Clock()
    with BatchServer(fate=lambda number: "no room" if number < 2 else None) as server:
        replies = model_on(server, ledger, timing=clock.timing).complete(requests(40))
        assert texts(replies) == answers(40)
        assert len(server.batches["batch_0"].asks) == 40
        assert max(len(batch.asks) for batch in list(server.batches.values())[3:]) <= 20
        assert max(clock.sleeps) == BatchPolicy().longest_look


@APIS
@pytest.mark.parametrize(("fault", "error"), [("401", "auth"), ("402", "credit")])
def test_when_nothing_more_can_be_sent_what_is_in_flight_is_still_collected(
    api: str, fault: str, error: str, ledger: Ledger
) -> None:
    def steps(step: Step) -> str | None:
        return fault if step.name == "submit" and step.time >= 1 else None

    with BatchServer(steps=steps) as server:
        model = model_on(server, ledger, api, batch=BatchPolicy(max_rows=10, max_open=2))
        replies = model.complete(requests(50))
        assert Counter(reply.error for reply in replies) == {None: 10, error: 40}
        sent = server.calls["submit"]
        assert sent <= 3, "the last is one that was on its way"
        assert {reply.error for reply in model.complete(requests(3, 100))} == {error}
        assert server.calls["submit"] == sent


@APIS
def test_a_key_that_stops_working_leaves_the_batch_for_the_next_process(api: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    budget = Budget("run", max_usd=1)
    with BatchServer(steps=only("look", "401", 99)) as server:
        with Ledger(path) as ledger:
            model = model_on(server, ledger, api, prices=prices_of(server), budget=budget)
            replies = model.complete(requests(10))
            assert {(reply.error, reply.usd) for reply in replies} == {("auth", None)}, "what they cost is not known"
            assert len(rows_of(ledger, "intents")) == 10
            assert ledger.spending("run")[0].reserved_usd > 0
        server.steps = lambda step: None
        with Ledger(path) as ledger:
            assert len(rows_of(ledger, "intents")) == 10, "calls in a batch are not lost with the process"
            online = model_on(server, ledger, api, batch=False, prices=prices_of(server), budget=budget)
            assert {reply.error for reply in online.complete(requests(2))} == {"in batch"}
            model = model_on(server, ledger, api, prices=prices_of(server), budget=budget)
            assert texts(model.complete(requests(10))) == answers(10)
            assert ledger.spending("run")[0][2:] == (pytest.approx(10 * 75e-6), 0)
        assert len(server.batches) == 1
        assert set(server.paid.values()) == {1}


@APIS
def test_a_batch_that_the_vendor_does_not_know_yet_is_looked_at_again(api: str, ledger: Ledger) -> None:
    with BatchServer(steps=only("look", "404", 3)) as server:
        assert texts(model_on(server, ledger, api).complete(requests(3))) == answers(3)


@APIS
def test_results_that_are_gone_may_have_been_paid_for_and_are_asked_again(api: str, tmp_path: Path) -> None:
    path, budget = tmp_path / "ledger.sqlite", Budget("run", max_usd=1)
    with BatchServer(steps=only("look", "402", 99)) as server:
        more = {"prices": prices_of(server), "budget": budget}
        with Ledger(path) as ledger:
            model_on(server, ledger, api, **more).complete(requests(3))
            (batch,) = open_batches(ledger)
            assert (batch.rows, batch.is_driven, batch.vendor_id) == (3, False, "batch_0")
            assert batch.reserved_usd == pytest.approx(ledger.spending("run")[0].reserved_usd)
        server.steps = lambda step: "404" if step.name == "look" and len(server.batches) == 1 else None
        with Ledger(path) as ledger:
            replies = model_on(server, ledger, api, batch=BatchPolicy(grace=0), **more).complete(requests(3))
            assert {reply.error for reply in replies} == {"invalid request"}, "kept: another key may know it"
            assert open_batches(ledger) == [batch]
            policy = BatchPolicy(grace=0, kept=0)
            assert texts(model_on(server, ledger, api, batch=policy, **more).complete(requests(3))) == answers(3)
            assert open_batches(ledger) == []
            (spent,) = ledger.spending("run")
            assert spent.spent_usd == pytest.approx(batch.reserved_usd + 3 * 75e-6), "counted at the upper bound"
        calls = calls_reader(ledger := Ledger(path)).read_all().to_pylist()
        ledger.close()
        assert Counter(call["error"] for call in calls) == {"lost": 3, None: 3}


@APIS
@pytest.mark.parametrize("lists", [0, 3])
def test_a_submit_whose_answer_was_lost_is_found_before_anything_is_sent_again(
    api: str, lists: int, ledger: Ledger
) -> None:
    """Also when the vendor's list shows the batch late, and on its second page, among batches of others."""
    with BatchServer(lists=lists, page=2) as server:
        others = Path(str(ledger.path) + ".other")
        with Ledger(others) as other:
            for first in range(500, 530, 6):
                model_on(server, other, api).complete(requests(6, first))
        server.steps = only("submit", "lost", 6)
        assert texts(model_on(server, ledger, api).complete(requests(6))) == answers(6)
        assert len(server.batches) == 6
        assert set(server.paid.values()) == {1}


@APIS
def test_submits_of_one_size_that_were_lost_at_once_are_not_taken_for_each_other(api: str, ledger: Ledger) -> None:
    with BatchServer(steps=only("submit", "lost", 4)) as server:
        limits = BatchPolicy(max_rows=5, max_open=4)  # as many rows in each
        assert texts(model_on(server, ledger, api, batch=limits).complete(requests(20))) == answers(20)
        assert [len(batch.asks) for batch in server.batches.values()] == [5] * 4
        assert set(server.paid.values()) == {1}


@APIS
def test_a_submit_that_was_never_taken_is_sent_again_after_the_grace(api: str, ledger: Ledger) -> None:
    clock = Clock()
    with BatchServer(steps=only("submit", "reset")) as server:
        assert texts(model_on(server, ledger, api, timing=clock.timing).complete(requests(6))) == answers(6)
        assert len(server.batches) == 1
        assert clock.now >= BatchPolicy().grace
    assert sorted(state for *_, state, _, _ in rows_of(ledger, "batches")) == ["done", "untaken"]


def test_an_exception_of_the_caller_leaves_the_batches_to_the_next(ledger: Ledger) -> None:
    def fail(index: int, reply: Reply) -> None:
        raise KeyError("row")

    with BatchServer(looks=3) as server:
        model = model_on(server, ledger, batch=BatchPolicy(max_rows=5))
        with pytest.raises(KeyError, match="row"):
            model.complete(requests(20), on_reply=fail)
        assert texts(model.complete(requests(20))) == answers(20)
        assert set(server.paid.values()) == {1}
    assert verify(ledger) == []


def test_two_processes_that_want_the_same_pay_once(tmp_path: Path) -> None:
    found: dict[int, list[Reply]] = {}

    def work(number: int, server: BatchServer) -> None:
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            model = get_model(
                server.openai, ledger=ledger, environ=ENVIRON, batch=number < 2 and BatchPolicy(7, first_look=0.01)
            )
            found[number] = model.complete(requests(40))

    with BatchServer(lasts=0.1) as server:
        threads = [threading.Thread(target=work, args=(number, server)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert texts(found[0]) == texts(found[1]) == texts(found[2]) == answers(40)
        assert set(server.paid.values()) == {1}


def test_a_budget_holds(ledger: Ledger) -> None:
    budget = Budget("run", max_usd=0.002)
    with BatchServer() as server:
        model = model_on(server, ledger, budget=budget, prices=prices_of(server))
        replies = model.complete(requests(50))
        answered = [reply for reply in replies if reply.error is None]
        assert {reply.error for reply in replies} == {None, "budget"}
        assert server.paid.total() == len(answered) >= 10
        (spent,) = ledger.spending("run")
        assert spent.spent_usd == pytest.approx(75e-6 * len(answered))
        assert spent.spent_usd <= 0.002
        assert spent.reserved_usd == 0


def test_a_discount_that_nobody_told_is_none(ledger: Ledger) -> None:
    with BatchServer() as server:
        price = Price(1_000_000_000, 5_000_000_000, date(2026, 11, 25))
        prices = Prices({server.openai: price}, "the test")
        with pytest.raises(SettingsError, match="no batch discount is known"):
            model_on(server, ledger, budget=Budget("run", max_usd=1), prices=prices)
        (reply,) = model_on(server, ledger, prices=prices).complete(requests(1))
        assert reply.usd is None
        told = Prices({server.openai: price}, "the test", {"openai:*": Decimal("0.5")})
        (reply,) = model_on(server, ledger, prices=told).complete(requests(1, 1))
        assert reply.usd == pytest.approx(75e-6)


def test_batches_need_a_ledger_that_outlives_the_process() -> None:
    with pytest.raises(SettingsError, match="outlive"):
        get_model("openai:model@http://127.0.0.1:1/v1", batch=True, environ={})


@APIS
def test_the_key_is_nowhere(api: str, tmp_path: Path) -> None:
    def steps(step: Step) -> str | None:
        return "500" if step.time % 2 == 0 else None

    with BatchServer(seeded(0.3, ("errored", "400")), key=KEY, steps=steps) as server:
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            replies = model_on(server, ledger, api).complete(requests(40))
            stranger = model_on(server, ledger, api, environ={"CHUNKY_KEY_127_0_0_1": KEY + "-revoked"})
            replies += stranger.complete(requests(1, 900))
            assert replies[-1].error == "auth"
            assert "[key]" in str(replies[-1].detail)
            assert KEY not in repr(replies) + repr(calls_reader(ledger).read_all().to_pylist())
        for path in tmp_path.rglob("*"):
            assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("count", [600, pytest.param(5_000, marks=pytest.mark.slow)])
@APIS
def test_with_faults_everywhere_each_row_is_answered_or_reported_once(api: str, count: int, ledger: Ledger) -> None:
    kinds = ("errored", "expired", "canceled", "duplicate", "400", *FAILED_REPLIES[1:])
    step_plan = seeded(0.3, STEP_FAULTS, seed=3)

    def steps(step: Step) -> str | None:
        return step_plan(Ask(api, f"{step.name} {step.time}", 0, {}, {}))

    def fate(number: int) -> str | None:
        return {1: "expired", 4: "canceled"}.get(number)

    seen: list[int] = []
    with BatchServer(seeded(0.2, kinds), steps=steps, fate=fate) as server:
        limits = BatchPolicy(max_rows=max(40, count // 20), max_rounds=8, max_open=3)
        model = model_on(server, ledger, api, batch=limits, prices=prices_of(server), budget=Budget("run", max_usd=99))
        replies = model.complete(requests(count), on_reply=lambda index, reply: seen.append(index))
        assert sorted(seen) == list(range(count))
        failed = [index for index, reply in enumerate(replies) if reply.error is not None]
        assert all(
            reply.text == text for reply, text in zip(replies, answers(count), strict=True) if reply.error is None
        )
        reported = sum(server.faults[kind] for kind in ("400", *FAILED_REPLIES))
        assert len(failed) == reported > count // 50
        assert set(server.paid.values()) == {1}, "nothing is paid twice"
        unpaid = [index for index in failed if replies[index].error == "invalid request"]
        assert server.paid.total() == count - len(unpaid)
        assert sum(server.faults[f"submit: {fault}"] for fault in STEP_FAULTS) > 0
        (spent,) = ledger.spending("run")
        assert spent.spent_usd == pytest.approx(75e-6 * server.paid.total())
        assert spent.reserved_usd == 0
    assert verify(ledger) == []
    assert rows_of(ledger, "intents") == rows_of(ledger, "batch_rows") == []
