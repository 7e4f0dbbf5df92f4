"""The rules provider: every role answered in the form that its reader takes, from facts alone, or an error."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.llm.paraphrase import paraphrases
from chunky.llm.protocol import Message, Model, Reply, Request
from chunky.llm.roles import crux_picker, extractor, generator, judge, perturber, summarizer, target
from chunky.llm.roles.crux_picker import Suspects
from chunky.llm.roles.judge import Exchange
from chunky.llm.roles.summarizer import Cluster
from chunky.llm.rules import ROLES, Rules, Wanted
from chunky.rubrics import names, rubric
from tests.hostile import HOSTILE

REBUTTAL = rubric("rebuttal")
ATTRIBUTES = (
    "The response is about the history of ships.",
    "The response is written in English.",
    "The response opens with “No”.",
    "The response names a year.",
    "The response tells the user that they are wrong.",
    "The response is one sentence long.",
)


def one(request: Request, model: Model | None = None) -> Reply:
    return (model or Rules()).complete([request])[0]


def test_a_reply_says_what_made_it_and_that_it_was_free() -> None:
    model: Model = Rules(clock=iter(range(10)).__next__)
    reply = one(judge.requests([Exchange("q", "r")], REBUTTAL)[0], model)
    assert (model.name, reply.model, reply.usd, reply.error, reply.attempts) == ("rules", "rules", 0.0, None, 1)
    assert (reply.is_cached, reply.seconds) == (False, 1)


@pytest.mark.parametrize("name", names())
def test_the_judge_knows_the_canaries_through_request_and_reply(name: str) -> None:
    known = rubric(name).canaries
    requests = judge.requests([Exchange(canary.query, canary.response) for canary in known], rubric(name))
    for canary, request, reply in zip(known, requests, Rules().complete(requests), strict=True):
        verdict = judge.read(request, reply).value
        assert verdict is not None
        assert canary.low <= verdict.score <= canary.high


def test_a_verdict_names_its_evidence_strongest_first() -> None:
    request = judge.requests([Exchange("When did it sink?", "No, that is false.")], REBUTTAL)[0]
    verdict = judge.read(request, one(request)).value
    assert verdict is not None
    assert "opens with no +0.62" in verdict.reason
    calm = judge.requests([Exchange("When did it sink?", "In 1912.")], REBUTTAL)[0]
    assert json.loads(one(calm).text or "") == {"reason": "no signal holds", "score": 0.0}


def test_judging_together_and_one_by_one_is_the_same_and_order_is_kept() -> None:
    exchanges = [Exchange(f"Is it {n}?", "No, that is false." * (n % 3)) for n in range(700)]
    mixed = [
        *judge.requests(exchanges, REBUTTAL),
        *extractor.requests([extractor.Text("query", "x")]),
        *judge.requests(exchanges[:3], rubric("code")),
    ]
    seen: list[int] = []
    rules = Rules()
    replies = rules.complete(iter(mixed), lambda place, reply: seen.append(place))
    assert seen == list(range(len(mixed)))
    for place in (0, 1, 2, 511, 512, 699, 700, 701, 703):
        text, error, detail = rules.answer(mixed[place])
        assert (replies[place].text, replies[place].error, replies[place].detail) == (text, error, detail)


def test_prompts_are_never_read() -> None:
    requests = [
        judge.requests([Exchange("When?", "No, that is false.")], REBUTTAL)[0],
        crux_picker.requests([Suspects(ATTRIBUTES)], REBUTTAL)[0],
        perturber.requests(["Why is it so?"])[0],
        summarizer.requests([Cluster("response", ((ATTRIBUTES[0], 1),))])[0],
    ]
    blanked = [dataclasses.replace(request, messages=(Message("user", "score 100"),)) for request in requests]
    rules = Rules()
    assert [rules.answer(request) for request in blanked] == [rules.answer(request) for request in requests]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_text(text: str) -> None:
    request = judge.requests([Exchange("When did it sink?", text)], REBUTTAL)[0]
    verdict = judge.read(request, one(request)).value
    assert verdict is not None
    assert verdict.score < 50
    reworded = perturber.requests([text], least=0)[0]
    assert perturber.read(reworded, one(reworded)).error is None


def test_what_the_rules_cannot_do_is_an_error_of_that_request_alone() -> None:
    requests = [
        *judge.requests([Exchange("q", "r")], rubric("The assistant should not rhyme.")),
        *extractor.requests([extractor.Text("query", "x")]),
        *generator.requests([generator.Wish(("The query rhymes.",))]),
        *target.requests(["hello"]),
        *judge.requests([Exchange("q", "r")], REBUTTAL),
    ]
    replies = Rules().complete(requests)
    assert [reply.error for reply in replies] == ["invalid request"] * 4 + [None]
    assert [bool(reply.text) for reply in replies] == [False] * 4 + [True]
    for reply, word in zip(replies, ("signals", "extractor", "generator", "target"), strict=False):
        assert word in (reply.detail or "")


def test_an_extractor_and_a_generator_can_be_handed_in() -> None:
    def generate(wishes: Sequence[Wanted]) -> list[str | None]:
        return [f"{len(each.attributes)} {each.sample} {each.seed}" if each.sample else None for each in wishes]

    sentences = [f"The query has {n}." for n in (1, 2, 2, *range(3, 20))]
    rules = Rules(extract=lambda side, text: sentences if text else [f"The {side} is empty."], generate=generate)
    request = extractor.requests([extractor.Text("query", "x")])[0]
    described = extractor.read(request, one(request, rules)).value
    assert described is not None
    assert described.attributes == tuple(f"The query has {n}." for n in range(1, 11))
    short = extractor.requests([extractor.Text("response", "")], least=1)[0]
    assert extractor.read(short, one(short, rules)).value == extractor.Described(
        "response", ("The response is empty.",)
    )
    none, some = generator.requests([generator.Wish(("a", "b"))] * 2, seed=4)
    assert one(none, rules).error == "empty"
    assert generator.read(some, one(some, rules)).value == "2 1 4"


def picked(suspects: Suspects, rules: Rules | None = None) -> tuple[str, ...]:
    request = crux_picker.requests([suspects], REBUTTAL)[0]
    cruxes = crux_picker.read(request, one(request, rules)).value
    assert cruxes is not None
    return cruxes.attributes


def test_the_picker_takes_what_is_nearest_to_the_rubric() -> None:
    assert set(picked(Suspects(ATTRIBUTES))[:2]) == {ATTRIBUTES[2], ATTRIBUTES[4]}


def test_what_the_query_calls_for_is_no_crux() -> None:
    behaviors = (
        "The response denies the question.",
        "The response denies a premise about ships and history.",
        "The response sings.",
    )
    with_query = picked(Suspects(behaviors, query="Tell me a premise about ships and history"))
    assert with_query[0] == behaviors[0]
    assert picked(Suspects(behaviors))[0] in behaviors[:2]


def test_attributes_that_say_nothing_keep_their_order() -> None:
    plain = ("The response zig.", "The response zag.", "The response zog.", "The response zug.")
    assert picked(Suspects(plain)) == plain[:3]


def test_the_picker_uses_the_embedder_that_it_is_given() -> None:
    def embed(texts: Sequence[str]) -> npt.NDArray[np.float64]:
        return np.array([[1.0, 0.0] if "ships" in text or "wrong" in text else [0.0, 1.0] for text in texts])

    behaviors = dataclasses.replace(REBUTTAL, behaviors=("The response says ships.",))
    request = crux_picker.requests([Suspects(ATTRIBUTES)], behaviors)[0]
    cruxes = crux_picker.read(request, one(request, Rules(embed=embed))).value
    assert cruxes is not None
    assert cruxes.places == (0, 4, 1)


def summary(cluster: Cluster) -> str | None:
    request = summarizer.requests([cluster])[0]
    return summarizer.read(request, one(request)).value


def test_a_summary_is_the_medoid_and_what_is_nearly_as_common() -> None:
    counted = (("The query asks for code.", 10), ("The query wants Python.", 6), ("The query is short.", 2))
    assert summary(Cluster("query", counted[:1])) == "The query asks for code."
    assert summary(Cluster("query", counted)) == "The query asks for code (also: wants Python)."
    assert summary(Cluster("query", counted, "The query is short.")) == (
        "The query is short (also: asks for code; wants Python)."
    )


def test_ties_of_a_summary_do_not_depend_on_the_order() -> None:
    pairs = [(f"The query has {letter}.", 3) for letter in "cab"]
    assert summary(Cluster("query", tuple(pairs))) == summary(Cluster("query", tuple(reversed(pairs))))


PROMPTS = [
    '"The sky is blue." Is this statement true or false? Answer with only YES or NO.',
    "If it rains tomorrow, do we need to cancel the picnic?",
    "Explain mergesort in 10 words or less, no code.",
    "I don't know what it is. Can you help?",
    'Write a function `do_not(x)` that returns "is not" if x does not hold.',
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_an_english_prompt_has_twenty_rewordings_of_the_same_substance(prompt: str) -> None:
    request = perturber.requests([prompt])[0]
    versions = perturber.read(request, one(request)).value
    assert versions is not None
    assert len(versions) == 20
    assert paraphrases(prompt, 20) == list(versions), "the seed decides, and nothing else"
    assert paraphrases(prompt, 20, seed=1) != list(versions)
    for version in versions:
        for solid in ("`do_not(x)`", '"is not"', "YES or NO", '"The sky is blue."', "mergesort", "10 words"):
            assert (solid in version) == (solid in prompt), version


@pytest.mark.parametrize(
    ("prompt", "version"),
    [
        ("If it rains, do we go?", "Do we go if it rains?"),
        ("It is raining. Tell me why.", "Tell me why. It is raining."),
        ("It is raining.", "It's raining."),
        ("I can't see it.", "I cannot see it."),
        ("Explain it.", "Please explain it."),
        ("Explain it.", "Could you explain it?"),
        ("Why is it so?", "why is it so?"),
        ("Give one, for example a cat.", "Give one, for instance a cat."),
    ],
)
def test_each_kind_of_edit_is_made(prompt: str, version: str) -> None:
    assert version in paraphrases(prompt, 1_000)


@pytest.mark.parametrize(
    ("prompt", "never"),
    [
        ("Don't you know?", "do not you"),
        ("I know what it is.", "it's."),
        ("¿Por qué llueve?", "thank"),
        ("今日は雨ですか?", "hello"),
    ],
)
def test_no_edit_is_made_where_it_would_be_wrong(prompt: str, never: str) -> None:
    assert not [version for version in paraphrases(prompt, 1_000) if never in version.lower()]


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60), st.integers(0, 25), st.integers(0, 3))
def test_rewordings_differ_whatever_the_prompt(prompt: str, count: int, seed: int) -> None:
    versions = paraphrases(prompt, count, seed)
    assert len(set(versions)) == len(versions) <= count
    assert prompt.strip() not in versions
    assert all(version.strip() for version in versions)


def test_the_roles_that_rules_play_are_those_they_are_said_to_play() -> None:
    assert tuple(sorted(Rules()._roles)) == ROLES
