"""The small parts: prices, keys, schemas, limits, names of providers, the offline model."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from chunky.errors import PrerequisiteError, SettingsError
from chunky.llm import Ledger, Message, Policy, Request, get_model, load_prices, register
from chunky.llm.answers import Answer
from chunky.llm.books import calls_reader
from chunky.llm.keys import check_url, find_key, is_local, scrub, variable_of
from chunky.llm.limits import Limiter
from chunky.llm.offline import Offline
from chunky.llm.prices import most_tokens, nano_of, set_price
from chunky.llm.providers import registry
from chunky.llm.providers.base import Fault
from chunky.llm.providers.registry import Context, Spec, parse_spec, providers
from chunky.llm.schemas import misfit

DAY = date(2026, 11, 25)


# --- prices


def test_no_vendor_price_is_shipped() -> None:
    assert load_prices().by_model == {}
    with pytest.raises(SettingsError, match=r"prices\.toml") as caught:
        load_prices().demand("anthropic:some-model")
    assert '[models."anthropic:some-model"]' in caught.value.remedy


def test_a_price_file_is_read_and_earlier_files_win(tmp_path: Path) -> None:
    mine, team = tmp_path / "mine.toml", tmp_path / "team.toml"
    price = {"input_usd_per_million": 0.15, "output_usd_per_million": 1, "as_of": DAY}
    set_price(mine, "openai:a", price)
    set_price(team, "openai:a", {"is_free": True, "as_of": DAY})
    set_price(team, "openai:*@http://localhost:*", {"is_free": True, "as_of": DAY})
    prices = load_prices(mine, team, tmp_path / "absent.toml")
    assert prices.demand("openai:a").nano(1_000_000, 1) == 150_001_000
    assert prices.demand("openai:llama@http://localhost:8000/v1").nano(10**9, 10**9) == 0
    assert prices.find("openai:llama@http://elsewhere:8000/v1") is None
    set_price(mine, "openai:b", price)
    set_price(mine, "openai:a", {**price, "input_usd_per_million": 0.2})
    assert list(load_prices(mine).by_model) == ["openai:a", "openai:b"]
    assert load_prices(mine).demand("openai:a").nano(1, 0) == 200


@pytest.mark.parametrize(
    "entry",
    [
        {"input_usd_per_million": 1, "as_of": DAY},
        {"input_usd_per_million": 1, "output_usd_per_million": -1, "as_of": DAY},
        {"input_usd_per_million": 1, "output_usd_per_million": float("nan"), "as_of": DAY},
        {"input_usd_per_million": 0, "output_usd_per_million": 1, "as_of": DAY},
        {"input_usd_per_million": True, "output_usd_per_million": 1, "as_of": DAY},
        {"is_free": False, "as_of": DAY},
        {"is_free": True},
        {"is_free": True, "as_of": "2026-11-25"},
        {"is_free": True, "as_of": DAY, "discount": 1},
    ],
)
def test_a_price_that_makes_no_sense_is_refused(entry: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="openai:a"):
        set_price(tmp_path / "p.toml", "openai:a", entry)
    assert not (tmp_path / "p.toml").exists()


def test_a_price_file_that_is_none_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    for text, told in (("[models", "no valid TOML"), ("price = 1", "something else"), ("models = 1", "something else")):
        path.write_text(text)
        with pytest.raises(SettingsError, match=told):
            load_prices(path)


@given(
    st.decimals("0.000001", 1000, places=6), st.decimals("0.000001", 1000, places=6), st.integers(0, 10**7),
    st.integers(0, 10**6),
)  # fmt: skip
def test_a_cost_is_never_below_the_exact_one(a: object, b: object, inputs: int, outputs: int) -> None:
    from chunky.llm.prices import Price

    price = Price(int(Fraction(str(a)) * 10**9), int(Fraction(str(b)) * 10**9), DAY)
    exact = (Fraction(str(a)) * inputs + Fraction(str(b)) * outputs) * 1000
    assert exact <= price.nano(inputs, outputs) < exact + 1


def test_a_limit_is_not_rounded_up() -> None:
    assert [nano_of(dollars) for dollars in (0.1, 1e-9, 1.9e-9, 5, 0)] == [100_000_000, 1, 1, 5_000_000_000, 0]


@given(st.text())
def test_most_tokens_is_at_least_a_token_a_byte(text: str) -> None:
    asked = Request("judge", (Message("user", text),), 10)
    assert most_tokens(asked) >= len(text.encode("utf-8", "replace"))
    schema = {"type": "object", "description": "x" * 500}
    assert most_tokens(Request("judge", (Message("user", text),), 10, schema=schema)) >= most_tokens(asked) + 500


# --- keys


def test_a_vendors_key_goes_to_the_vendor_alone() -> None:
    environ = {"OPENAI_API_KEY": "sk-vendor-key", "CHUNKY_KEY_API_EXAMPLE_ORG": "sk-other-key"}
    assert find_key(environ, "OPENAI_API_KEY", None).get_secret_value() == "sk-vendor-key"
    assert find_key(environ, "OPENAI_API_KEY", "https://api.example.org/v1").get_secret_value() == "sk-other-key"
    assert find_key(environ, "OPENAI_API_KEY", "http://localhost:8000/v1").get_secret_value() == "none"
    with pytest.raises(PrerequisiteError, match="CHUNKY_KEY_API_OPENAI_EXAMPLE"):
        find_key(environ, "OPENAI_API_KEY", "https://api.openai.example/v1")
    with pytest.raises(PrerequisiteError, match="characters that no key has"):
        find_key({"OPENAI_API_KEY": "sk-ключ"}, "OPENAI_API_KEY", None)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:1", True), ("http://[::1]:1", True), ("http://localhost", True),
        ("http://a.localhost", True),
        ("http://localhost.example.org", False), ("http://10.0.0.1", False), ("https://127.0.0.1.example.org", False),
    ],
)  # fmt: skip
def test_this_machine_is_told_from_others(url: str, local: bool) -> None:
    assert is_local(url) is local


def test_an_address_holds_a_place_and_no_more() -> None:
    assert check_url("http://localhost:8000/v1/") == "http://localhost:8000/v1"
    for bad in ("localhost:8000", "ftp://a", "http://", "http://user:word@a", "http://a?key=1", "http://a#b"):
        with pytest.raises(SettingsError) as caught:
            check_url(bad)
        assert "word" not in str(caught.value).replace("passwords", "")
    assert variable_of("https://openrouter.ai/api/v1") == "CHUNKY_KEY_OPENROUTER_AI"


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: planted-secret. Find it", "Authorization: Bearer abcdefgh12345678",
        "x sk-abcdefgh1234 y", "planted-secretplanted-secret",
    ],
)  # fmt: skip
def test_keys_are_struck_out(text: str) -> None:
    struck = scrub(text, SecretStr("planted-secret"))
    assert "[key]" in struck
    assert not any(part in struck for part in ("planted-secret", "abcdefgh"))


def test_ordinary_text_is_left_alone() -> None:
    text = "400: invalid_request_error messages: none of the tasks-related fields"
    assert scrub(text, SecretStr("none")) == text


# --- schemas

SCHEMA = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
        "score": {"type": "integer", "minimum": 0, "maximum": 100},
        "kind": {"enum": ["a", "b"]},
        "note": {"type": ["string", "null"]},
    },
    "required": ["items"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"items": ["x"], "score": 100, "kind": "a", "note": None}, None),
        ({"items": ["x"], "score": True}, "reply.score is no integer"),
        ({"items": ["x"], "score": 1.5}, "reply.score is no integer"),
        ({"items": ["x"], "score": 101}, "reply.score is out of range"),
        ({"items": []}, "reply.items has 0 items"),
        ({"items": ["x", 1]}, "reply.items[1] is no string"),
        ({"items": ["x"], "kind": "c"}, "reply.kind is none of the values allowed"),
        ({"items": ["x"], "more": 1}, "reply has more than was asked for"),
        ({"score": 1}, "reply lacks items"),
        ([], "reply is no object"),
    ],
)
def test_a_reply_fits_its_schema_or_not(value: object, told: str | None) -> None:
    assert misfit(json.dumps(value), SCHEMA) == told


def test_text_that_is_no_json_does_not_fit() -> None:
    for text in ("", "no", '{"items": ["x"]', "[" * 100_000):
        assert str(misfit(text, SCHEMA)).startswith("no JSON")


# --- limits


def test_waits_double_and_are_jittered() -> None:
    policy, draws = Policy(max_attempts=20, first_wait=1, longest_wait=10), random.Random(0)
    fault = Fault("server", "", is_passing=True)
    waits = [policy.wait(fault, attempt, draws) or 0.0 for attempt in range(1, 20)]
    for attempt, wait in enumerate(waits):
        assert min(10, 2**attempt) / 2 <= wait <= min(10, 2**attempt)
    assert len(set(waits)) == len(waits)
    assert policy.wait(fault, 20, draws) is None
    assert policy.wait(Fault("refusal", ""), 1, draws) is None
    assert 30 <= (policy.wait(Fault("rate limit", "", is_passing=True, retry_after=30), 1, draws) or 0) <= 31
    assert policy.wait(Fault("rate limit", "", is_passing=True, retry_after=601), 1, draws) is None


def test_one_burst_of_refusals_halves_once() -> None:
    now = [0.0]
    limiter = Limiter(32, lambda: now[0])
    now[0] = 1.0
    for _ in range(10):
        limiter.shrink(sent_at=0.5)
    assert limiter.limit == 16
    limiter.shrink(sent_at=1.5)
    assert limiter.limit == 8
    for _ in range(8 * 3):
        limiter.grow()
    assert 10.5 < limiter.limit <= 11
    for _ in range(10_000):
        limiter.grow()
    assert limiter.limit == 32
    for number in range(20):
        limiter.shrink(sent_at=2.0 + number)
        now[0] = 2.0 + number
    assert limiter.limit == 1


def test_a_slot_is_handed_on_in_order_and_not_lost_to_a_cancelled_one() -> None:
    async def scene() -> list[str]:
        limiter, order = Limiter(1, lambda: 0.0), []

        async def work(name: str) -> None:
            await limiter.enter()
            order.append(name)
            await asyncio.sleep(0)
            limiter.leave()

        tasks = [asyncio.create_task(work(name)) for name in "abcd"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        limiter.pause()
        await asyncio.sleep(0.01)
        order.append("resumed")
        limiter.resume()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert limiter.in_flight == 0
        return order

    assert asyncio.run(scene()) == ["a", "resumed", "c", "d"]


# --- names and the offline model


def test_specifications_are_taken_apart() -> None:
    assert parse_spec("openai:org/model:free@http://localhost:1/v1") == Spec(
        "openai:org/model:free@http://localhost:1/v1", "openai", "org/model:free", "http://localhost:1/v1"
    )
    assert parse_spec("anthropic:m@2026") == Spec("anthropic:m@2026", "anthropic", "m@2026", None)
    with pytest.raises(SettingsError, match="no provider 'gpt'") as caught:
        parse_spec("gpt:4")
    assert "anthropic, mix, openai, rules" in caught.value.remedy
    for bad, told in (("openai", "names no model"), ("openai:m@http://", "no address")):
        with pytest.raises(SettingsError, match=told):
            get_model(bad, environ={"OPENAI_API_KEY": "sk-1"})
    with pytest.raises(SettingsError, match="calls in flight"):
        get_model("openai:m", max_in_flight=0)


def shout(request: Request) -> Answer:
    text = request.facts.get("text")
    return Answer(text.upper()) if isinstance(text, str) else Answer(None, "bad reply", "no text")


def shouting_model(spec: Spec, context: Context) -> Offline:
    return Offline(spec.text, "1", shout, ledger=context.ledger)


def test_another_provider_comes_through_the_same_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_FACTORIES", dict(registry._FACTORIES))
    register("shout", f"{__name__}:shouting_model")
    assert "shout" in providers()
    asked = [Request("judge", (), 1, facts={"text": "a"}), Request("judge", (), 1), Request("judge", (), 1, sample=1)]
    seen: list[int] = []
    with Ledger(None) as ledger:
        replies = get_model("shout", ledger=ledger).complete(asked, lambda index, reply: seen.append(index))
        rows = calls_reader(ledger).read_all().to_pylist()
    assert [(reply.text, reply.error, reply.usd, reply.model) for reply in replies] == [
        ("A", None, 0.0, "shout"), (None, "bad reply", 0.0, "shout"), (None, "bad reply", 0.0, "shout"),
    ]  # fmt: skip
    assert seen == [0, 1, 2]
    assert [(row["model"], row["error"], row["usd"], row["is_cached"]) for row in rows] == [
        ("shout", None, 0.0, False), ("shout", "bad reply", 0.0, False), ("shout", "bad reply", 0.0, False),
    ]  # fmt: skip
    assert len({row["prompt_hash"] for row in rows}) == 3
