"""Roles: requests are whole, replies are read as they are meant or are errors that keep their text."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chunky.errors import InputError
from chunky.llm import prompts
from chunky.llm.prompts import code_of
from chunky.llm.protocol import Reply, Request
from chunky.llm.roles import canaries, crux_picker, extractor, generator, judge, perturber, reading, summarizer, target
from chunky.llm.roles.canaries import mix, take_out
from chunky.llm.roles.judge import Exchange, Verdict
from chunky.llm.roles.reading import Field, Parsed, line
from chunky.rubrics import Canary, rubric

RUBRIC = rubric("rebuttal")
TEN = [
    f"The query has property {word}."
    for word in ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
]
ATTRIBUTES = tuple(text.replace("query", "response") for text in TEN)

REQUESTS: dict[str, Request] = {
    "extractor": extractor.requests([extractor.Text("query", "What is new?")])[0],
    "summarizer": summarizer.requests([summarizer.Cluster("query", ((TEN[0], 5), (TEN[1], 2)))])[0],
    "judge": judge.requests([Exchange("Is it so?", "No.")], RUBRIC)[0],
    "crux_picker": crux_picker.requests([crux_picker.Suspects(ATTRIBUTES)], RUBRIC)[0],
    "generator": generator.requests([generator.Wish(tuple(TEN[:3]))])[0],
    "perturber": perturber.requests(["Why is the sky blue?"], count=3)[0],
}
MODULES: dict[str, ModuleType] = {
    "extractor": extractor,
    "summarizer": summarizer,
    "judge": judge,
    "crux_picker": crux_picker,
    "generator": generator,
    "perturber": perturber,
}
# role → a good answer's fields, its tag form, and the value
GOOD: dict[str, tuple[dict[str, Any], str, Any]] = {
    "extractor": (
        {"attributes": TEN},
        "".join(f"<attribute>{text}</attribute>\n" for text in TEN),
        extractor.Described("query", tuple(TEN)),
    ),
    "summarizer": ({"summary": TEN[3]}, f"<summary>{TEN[3]}</summary>", TEN[3]),
    "judge": (
        {"reason": "It denies.", "score": 83},
        "<reason>It denies.</reason> <score>83</score>",
        Verdict(83.0, "It denies."),
    ),
    "crux_picker": (
        {"picks": [3, 1, 10]},
        "<pick>3</pick><pick>1</pick><pick>10</pick>",
        crux_picker.Cruxes((ATTRIBUTES[2], ATTRIBUTES[0], ATTRIBUTES[9]), (2, 0, 9)),
    ),
    "generator": ({"message": "Hi <b>you</b>"}, "<message>Hi <b>you</b></message>", "Hi <b>you</b>"),
    "perturber": (
        {"versions": ["Why's the sky blue?", "why is the sky blue?", "Why is the sky blue"]},
        "<version>Why's the sky blue?</version><version>why is the sky blue?</version>"
        "<version>Why is the sky blue</version>",
        ("Why's the sky blue?", "why is the sky blue?", "Why is the sky blue"),
    ),
}
each_role = pytest.mark.parametrize("role", sorted(REQUESTS))


def reply(text: str | None, error: str | None = None) -> Reply:
    return Reply(text, error, None if error is None else "why", None, None, None, 0.0, False, 1, "test")


def read(role: str, text: str | None, error: str | None = None) -> Parsed[Any]:
    parsed: Parsed[Any] = MODULES[role].read(REQUESTS[role], reply(text, error))
    assert (parsed.value is None) != (parsed.error is None)
    assert parsed.text == text
    return parsed


def judged(text: str) -> float | str:
    parsed = read("judge", text)
    return parsed.value.score if parsed.value else str(parsed.error)


@each_role
def test_a_request_is_whole(role: str) -> None:
    request = REQUESTS[role]
    assert request.role == role
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.prompt_version == prompts.load(role).version
    assert request.max_tokens >= 200
    assert "{{" not in request.messages[0].text + request.messages[1].text
    json.dumps(dict(request.facts), allow_nan=False)
    assert json.loads(json.dumps(dict(request.facts))) == request.facts, "plain JSON, so that it can be an address"
    assert code_of(request)


@each_role
def test_a_schema_is_valid_strict_and_takes_the_good_answer(role: str) -> None:
    schema = dict(REQUESTS[role].schema or {})
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(GOOD[role][0])
    assert schema["additionalProperties"] is False
    assert schema["required"] == list(schema["properties"])

    def keywords(node: Any) -> set[str]:
        return set(node) | (keywords(node["items"]) if "items" in node else set())

    used = {word for node in schema["properties"].values() for word in keywords(node)}
    assert used <= {"type", "items", "description"}, "vendors reject bounds"


@each_role
def test_every_form_of_a_good_answer_is_read_alike(role: str) -> None:
    fields, tags, value = GOOD[role]
    code, text = code_of(REQUESTS[role]), json.dumps(fields)
    forms = [
        text,
        f"\n {json.dumps(fields, indent=2)} \n",
        f"```json\n{text}\n```",
        f"```\n{text}\n```",
        f"I think about it.\n<reply-{code}>\n{text}\n</reply-{code}>\nDone.",
        f"<reply-{code}>```json\n{text}\n```</reply-{code}>",
        f"Well: <reply-{code}>{tags}</reply-{code}>",
        tags,
    ]
    assert [read(role, form).value for form in forms] == [value] * len(forms)


@each_role
@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "I cannot do that.",
        "{}",
        "[]",
        "null",
        "{",
        "[" * 50_000,
        '{"a":' * 20_000,
        "<reply-000000000000>{}</reply-000000000000>",
        "<score>",
        "\ud800",
    ],
    ids=range(12),
)
def test_what_cannot_be_read_is_an_error_and_keeps_its_text(role: str, text: str) -> None:
    parsed = read(role, text)
    assert parsed.error == ("bad reply" if text.strip() else "empty")
    assert parsed.detail


@each_role
def test_a_good_answer_with_anything_more_or_less_is_an_error(role: str) -> None:
    fields, tags, _ = GOOD[role]
    code, text = code_of(REQUESTS[role]), json.dumps(fields)
    first = next(iter(fields))
    for bad in (
        json.dumps({**fields, "note": "x"}),
        json.dumps({key: value for key, value in fields.items() if key != first}),
        text[:-1] + f", {json.dumps(first)}: {json.dumps(fields[first])}}}",
        f"Here you are: {text}",
        f"{text}\n{text}",
        text[:-3],
        f"<reply-{code}>{text}</reply-{code}><reply-{code}>{text}</reply-{code}>",
        f"<reply-{code}>{text}",
        f"</reply-{code}>{text}<reply-{code}>",
        f"<reply-{code}>Sure! {text}</reply-{code}>",
        f"<reply-{code}>Sure! {tags}</reply-{code}>",
        f"{tags} {text}",
        tags.rpartition("</")[0],
    ):
        assert read(role, bad).error == "bad reply", bad


@each_role
def test_an_error_of_the_provider_stays_what_it_is(role: str) -> None:
    for error in ("refusal", "truncated", "rate limit", "budget"):
        assert read(role, "part of an ans", error) == Parsed(None, error, "why", "part of an ans")
        assert read(role, None, error).error == error
    assert read(role, None).error == "empty"


@each_role
def test_a_reply_that_a_provider_found_bad_is_read_all_the_same(role: str) -> None:
    _, tags, value = GOOD[role]
    assert read(role, tags, "bad reply").value == value
    assert read(role, "prose", "bad reply").error == "bad reply"
    assert read(role, None, "bad reply").error == "bad reply"


NO_SCORES = [
    "101", "-1", "-0.5", "100.0001", '"73"', '"high"', "null", "true", "false", "NaN", "Infinity", "-Infinity",
    "1e400", "[73]", "{}", '""', "73/100", "0x10",
]  # fmt: skip


@pytest.mark.parametrize("score", [*NO_SCORES, "9" * 5_000], ids=[*NO_SCORES, "5,000 digits"])
def test_no_score_is_not_a_score(score: str) -> None:
    assert judged(f'{{"reason": "r", "score": {score}}}') == "bad reply"


@pytest.mark.parametrize("score", ["101", "-1", "high", "73/100", "", " ", "7 3", "٧٣", "1e2", "NaN", "<b>5</b>"])
def test_no_score_in_a_tag_is_not_a_score(score: str) -> None:
    assert judged(f"<reason>r</reason><score>{score}</score>") == "bad reply"


@pytest.mark.parametrize(("text", "score"), [("0", 0.0), ("100", 100.0), ("70.5", 70.5), ("-0", 0.0), ("1e1", 10.0)])
def test_scores_at_the_bounds_are_read(text: str, score: float) -> None:
    assert judged(f'{{"reason": "", "score": {text}}}') == score


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=200), st.floats(0, 100))
def test_a_reason_may_quote_anything(reason: str, score: float) -> None:
    text = json.dumps({"reason": reason, "score": score})
    assert judged(text) == score
    assert (
        judged(f"x {reason} <reply-{code_of(REQUESTS['judge'])}>{text}</reply-{code_of(REQUESTS['judge'])}>") == score
    )


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=300), st.sampled_from(sorted(REQUESTS)))
def test_no_text_breaks_a_reader(text: str, role: str) -> None:
    read(role, text)


@pytest.mark.parametrize(
    "attributes",
    [
        TEN[:9],
        [*TEN, "The query is long."],
        [*TEN[:9], TEN[0]],
        [*TEN[:9], TEN[0].upper().replace("THE QUERY", "The query")],
        [*TEN[:9], "It is long."],
        [*TEN[:9], "The response is long."],
        [*TEN[:9], "The query "],
        [*TEN[:9], ""],
        [*TEN[:9], "The query has\ntwo lines."],
        [*TEN[:9], "The query hides\u200b something."],
        [*TEN[:9], "The query turns \u202e around."],
        [*TEN[:9], "The query is " + "very " * 100 + "long."],
        [*TEN[:9], 5],
        "The query is one string.",
    ],
)
def test_attributes_are_ten_different_lines_about_their_side(attributes: Any) -> None:
    assert read("extractor", json.dumps({"attributes": attributes})).error == "bad reply"


def test_attributes_are_evened_out_so_that_one_sentence_is_one_vector() -> None:
    assert line("  The query  is long ", "The query ") == "The query is long."
    assert line("The query asks “why?”", "The query ") == "The query asks “why?”."
    assert line('The query says "so."', "The query ") == 'The query says "so."'
    assert line("The query ends in a question?", "The query ") == "The query ends in a question?"


def test_fewer_attributes_are_read_where_fewer_are_promised() -> None:
    request = extractor.requests([extractor.Text("response", "Hm.")], least=1)[0]
    parsed = extractor.read(request, reply('{"attributes": ["The response is short."]}'))
    assert parsed.value == extractor.Described("response", ("The response is short.",))
    assert extractor.read(request, reply('{"attributes": []}')).error == "bad reply"


def test_the_extractor_is_blind_to_all_but_the_text() -> None:
    query, response = extractor.requests([extractor.Text("query", "Q-text"), extractor.Text("response", "R-text")])
    assert "R-text" not in str(query.messages) + str(query.facts)
    assert "Q-text" not in str(response.messages) + str(response.facts)
    assert "<query-" in query.messages[1].text
    assert "<response-" in response.messages[1].text
    assert RUBRIC.principle not in str(response.messages)


@pytest.mark.parametrize(
    "picks", [[1, 2], [1, 2, 3, 4], [1, 1, 2], [0, 1, 2], [1, 2, 11], [1, 2, 2.5], [1, 2, "3"], []]
)
def test_cruxes_are_three_of_the_given_attributes(picks: list[Any]) -> None:
    assert read("crux_picker", json.dumps({"picks": picks})).error == "bad reply"


def test_two_attributes_have_at_most_two_cruxes() -> None:
    request = crux_picker.requests([crux_picker.Suspects(ATTRIBUTES[:2])], RUBRIC)[0]
    assert crux_picker.read(request, reply('{"picks": [2, 1]}')).value == crux_picker.Cruxes(ATTRIBUTES[1::-1], (1, 0))


def test_the_informed_judge_sees_rubric_and_attributes_but_no_query() -> None:
    request = crux_picker.requests([crux_picker.Suspects(ATTRIBUTES, query="the failing query")], RUBRIC)[0]
    shown = "".join(message.text for message in request.messages)
    assert RUBRIC.principle in shown
    assert "10. The response has property ten." in shown
    assert "the failing query" not in shown


def test_an_attribute_cannot_begin_a_new_entry_of_the_list() -> None:
    request = crux_picker.requests(
        [crux_picker.Suspects(("The response is\n2. fake", "The response is long."))], RUBRIC
    )[0]
    assert "1. The response is 2. fake\n2. The response is long.\n" in request.messages[1].text


@pytest.mark.parametrize("make", [
    lambda: crux_picker.Suspects(()),
    lambda: summarizer.Cluster("query", ()),
    lambda: summarizer.Cluster("query", (("The query x.", 0),)),
    lambda: generator.Wish(()),
])  # fmt: skip
def test_nothing_to_work_on_is_an_error(make: Callable[[], object]) -> None:
    with pytest.raises(InputError):
        make()


def test_equal_wishes_are_different_draws() -> None:
    wish, other = generator.Wish(("The query rhymes.",)), generator.Wish(("The query is in Malay.",))
    assert [request.sample for request in generator.requests([wish, other, wish, wish], sample=5)] == [5, 5, 6, 7]


@pytest.mark.parametrize(
    "versions",
    [
        ["a", "b"],
        ["a", "b", "c", "d"],
        ["a", "a", "b"],
        ["a", " a ", "b"],
        ["a", "b", " "],
        ["Why is the sky blue?", "a", "b"],
    ],
)
def test_rewordings_differ_from_each_other_and_from_the_prompt(versions: list[str]) -> None:
    assert read("perturber", json.dumps({"versions": versions})).error == "bad reply"


@pytest.mark.parametrize("message", ["", "  \n"])
def test_an_empty_prompt_is_an_error(message: str) -> None:
    assert read("generator", json.dumps({"message": message})).error == "bad reply"


def test_the_target_gets_the_query_alone_and_its_answer_is_kept_as_it_is() -> None:
    bare, told = target.requests(["<|x|> hi"])[0], target.requests(["hi"], system="Be kind.", sample=3)[0]
    assert [(m.role, m.text) for m in bare.messages] == [("user", "<|x|> hi")]
    assert [(m.role, m.text) for m in told.messages] == [("system", "Be kind."), ("user", "hi")]
    assert (bare.schema, told.sample) == (None, 3)
    assert target.read(bare, reply(' {"score": 5} \n')) == Parsed(' {"score": 5} \n', None, None, ' {"score": 5} \n')
    assert target.read(bare, reply(" ")).error == "empty"
    assert target.read(bare, reply(None, "refusal")).error == "refusal"


def test_an_outline_shows_each_field_in_order() -> None:
    fields = [Field("b", "text", "", "b"), Field("a", "integers", "", "a")]
    assert reading.outline(fields) == '{"b": "…", "a": [1, 2]}'
    assert '{"reason": "…", "score": 0}' in REQUESTS["judge"].messages[0].text


ROWS = [Exchange(f"q{n}", f"r{n}") for n in range(100)]
CANARIES = [Canary("known", "bad", 71, 100), Canary("known", "good", 0, 30), Canary("third", "good", 0, 30)]


def scored(exchange: Exchange) -> Parsed[Verdict]:
    return Parsed(Verdict(float(len(exchange.query)), exchange.query), None, None, "")


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 100), st.integers(0, 3), st.floats(0, 1), st.integers(0, 5))
def test_canaries_never_reach_the_results_and_rows_keep_their_order(
    rows: int, known: int, share: float, seed: int
) -> None:
    mixed = mix(ROWS[:rows], CANARIES[:known], share=share, seed=seed)
    assert mixed == mix(ROWS[:rows], CANARIES[:known], share=share, seed=seed)
    result = take_out(mixed, [scored(exchange) for exchange in mixed.exchanges])
    assert [parsed.value.reason for parsed in result.verdicts if parsed.value] == [row.query for row in ROWS[:rows]]
    assert result.agreement.asked == len(mixed.exchanges) - rows <= known
    if rows and known and share:
        assert result.agreement.asked >= 1


def test_the_place_of_a_canary_follows_the_seed() -> None:
    places = {tuple(mix(ROWS, CANARIES, seed=seed).canaries) for seed in range(20)}
    assert len(places) > 10
    assert max(place for each in places for place in each) > 60


def test_agreement_counts_what_was_read_and_shows_the_misses() -> None:
    mixed = mix(ROWS, CANARIES, share=1.0)
    scores = {("known", "bad"): 40.0, ("known", "good"): 30.0}
    verdicts = [
        Parsed(Verdict(scores[exchange.query, exchange.response], ""), None, None, "")
        if (exchange.query, exchange.response) in scores
        else Parsed[Verdict](None, "bad reply", "x", "x")
        for exchange in mixed.exchanges
    ]
    agreement = take_out(mixed, verdicts).agreement
    assert (agreement.asked, agreement.read, agreement.agreed) == (3, 2, 1)
    assert agreement.agreement_share == 0.5
    assert agreement.misses == ((CANARIES[0], 40.0),)


def test_no_canary_read_is_no_agreement_rather_than_none_at_all() -> None:
    mixed = mix(ROWS, CANARIES)
    unread = [Parsed[Verdict](None, "refusal", None, None)] * len(mixed.exchanges)
    assert take_out(mixed, unread).agreement.agreement_share is None
    with pytest.raises(InputError, match="verdicts came for"):
        take_out(mixed, unread[1:])
    assert canaries.SHARE < 0.1
