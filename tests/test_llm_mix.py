"""The provider `mix`: a target and nothing else, asked in batches, in the books like any other, with its own tool."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chunky.errors import MissingTable, SettingsError
from chunky.llm import Budget, Ledger, get_model
from chunky.llm.books import calls_reader
from chunky.llm.mix import Ask, Mix
from chunky.llm.roles import extractor, generator, judge, target
from chunky.llm.roles.judge import Exchange
from chunky.rubrics import rubric


def answer(asks: Sequence[Ask]) -> list[str]:
    return [f"{ask.query} {ask.sample} {ask.temperature} {ask.seed} of {len(asks)}" for ask in asks]


def test_a_target_answers_in_order_and_in_batches() -> None:
    requests = target.requests([f"query {number}" for number in range(600)], temperature=0.5, sample=3)
    seen: list[int] = []
    replies = Mix(answer, seed=7, clock=iter(range(9)).__next__).complete(
        iter(requests), lambda place, reply: seen.append(place)
    )
    assert seen == list(range(600))
    assert target.read(requests[0], replies[0]).value == "query 0 3 0.5 7 of 512"
    assert target.read(requests[599], replies[599]).value == "query 599 3 0.5 7 of 88"
    assert (replies[0].model, replies[0].usd, replies[0].error, replies[0].seconds) == ("mix", 0.0, None, 1 / 512)
    assert Mix(answer).complete([]) == []


def test_other_roles_are_an_error_of_their_requests_alone() -> None:
    requests = [
        *judge.requests([Exchange("q", "r")], rubric("rebuttal")),
        *target.requests(["hello"]),
        *generator.requests([generator.Wish(("The query rhymes.",))]),
        *extractor.requests([extractor.Text("query", "x")]),
    ]
    replies = Mix(answer).complete(requests)
    assert [reply.error for reply in replies] == ["invalid request", None, "invalid request", "invalid request"]
    assert "does not play the role judge" in (replies[0].detail or "")
    assert replies[1].text == "hello 0 1.0 0 of 1"


def test_without_a_mix_or_a_response_there_is_an_error() -> None:
    (request,) = target.requests(["hello"])

    def nothing(asks: Sequence[Ask]) -> list[str]:
        raise MissingTable("the lake holds no rows", "take files in")

    def blank(asks: Sequence[Ask]) -> list[str]:
        return [" \n"] * len(asks)

    for tool, error, detail in (
        (None, "invalid request", "no mix"),
        (nothing, "invalid request", "the lake holds no rows; take files in"),
        (blank, "empty", "no answer"),
    ):
        (reply,) = Mix(tool).complete([request])
        assert (reply.text, reply.error) == (None, error)
        assert detail in (reply.detail or "")


def test_the_name_is_mix_and_tools_are_told_apart() -> None:
    tools = {"answer": answer, "extract": lambda side, text: ["The query is x."], "generate": None, "embed": None}
    (asked,) = target.requests(["hello"])
    assert get_model("mix", tools=tools, seed=4).complete([asked])[0].text == "hello 0 1.0 4 of 1"
    assert get_model("mix", budget=Budget("r", 0)).complete([asked])[0].error == "invalid request"
    (described,) = extractor.requests([extractor.Text("query", "x")], least=1)
    assert get_model("rules", tools=tools).complete([described])[0].error is None
    with pytest.raises(SettingsError, match="write it as: mix"):
        get_model("mix:better")


def test_calls_are_in_the_ledger_by_what_decides_the_answer() -> None:
    with Ledger(None) as ledger:
        for temperature, seed in ((1.0, 0), (0.0, 0), (1.0, 1), (1.0, 0)):
            model = get_model("mix", ledger=ledger, budget=Budget("run-1", 0), tools={"answer": answer}, seed=seed)
            model.complete(target.requests(["hello"], temperature=temperature))
        calls = calls_reader(ledger).read_all().to_pylist()
    assert [(call["run"], call["role"], call["model"], call["usd"]) for call in calls] == [
        ("run-1", "target", "mix", 0.0)
    ] * 4
    assert len({call["prompt_hash"] for call in calls}) == 3
