"""New prompts from old: grafts one by one, and a generator that finds what texts have by looking, never by hope."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.llm.rules import Wanted
from chunky.recombining import Generator, Material
from chunky.recombining.grafting import GRAFTS, MOST_CHARS, grafts

BASE = "Where is the river? Tell me why."


@pytest.mark.parametrize(
    ("name", "donor", "made"),
    [
        ("opening", "Good morning, friend. What is new?", f"Good morning, friend. {BASE}"),
        ("closing", "What is new? Thanks a lot.", f"{BASE} Thanks a lot."),
        ("clause", "Quick question: what is new", f"Quick question: {BASE}"),
        ("case", "WHAT IS NEW", "WHERE IS THE RIVER? TELL ME WHY."),
        ("case", "what is new", "where is the river? tell me why."),
        ("case", "What Is New Here", "Where Is The River? Tell Me Why."),
        ("marks", "⧉ What is new!!", "⧉ Where is the river? Tell me why!!"),
        ("marks", "what is new", "Where is the river? Tell me why"),
        ("frame", "<ask>\nWhat is new?\n</ask>", f"<ask>\n{BASE}\n</ask>"),
        ("first_line", "Name: Ann\nWhat is new?", f"Name: Ann\n{BASE}"),
        ("last_lines", "What is new?\n\na;b\n1;2", f"{BASE}\n\na;b\n1;2"),
        ("listed", "(i) What?\n(ii) Why?", "(i) Where is the river?\n(ii) Tell me why."),
        ("after", "What is new?", f"{BASE} What is new?"),
        ("before", "What is new?", f"What is new? {BASE}"),
        ("below", "What is new?", f"{BASE}\n\nWhat is new?"),
        ("shortened", "What is", "Where is"),
    ],
)
def test_each_graft_brings_over_its_part(name: str, donor: str, made: str) -> None:
    (graft,) = [each for each in GRAFTS if each.__name__ == name]
    assert graft(BASE, donor) == made
    assert made in grafts(BASE, donor)


def test_nothing_is_said_twice_and_limits_hold() -> None:
    assert [text for text in grafts("Good day. Where is it?", "Good day. What?") if text.count("Good day.") > 1] == []
    for words, most in ((300, MOST_CHARS), (800, 4_404)):
        base = "word " * words + "end."
        made = grafts(base, "Good morning, friend. " * 15 + "So long.")
        assert made
        assert all(len(text) <= most for text in made)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_grafts_are_new_texts_whatever_they_are_made_of(base: str, donor: str) -> None:
    made = grafts(base, donor)
    assert len(set(made)) == len(made)
    assert all(text.strip() and text != base for text in made)


PROMPTS = (
    "Where is the red river?",
    "Hello there. Where is the lamp?",
    "Tell me of the river and the lamp",
    "GIVE ME A SONG",
    "Hello there. Sing of the cloud.",
    "Is the cloud red?",
    "A long walk by the river. " + "It goes on. " * 200,
)
SENTENCES = {
    "The query is about a river.": lambda text: "river" in text.lower(),
    "The query is about a lamp.": lambda text: "lamp" in text.lower(),
    "The query is about a cloud.": lambda text: "cloud" in text.lower(),
    "The query greets.": lambda text: text.startswith("Hello"),
    "The query shouts.": lambda text: text.isupper(),
    "The query is nothing that a row is.": lambda text: False,
}
NAMES = list(SENTENCES)


class Looked:
    """Real membership by the conditions above; counts how often many texts are looked at together."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, texts: Sequence[str], wanted: Collection[int]) -> list[frozenset[int]]:
        self.calls += 1
        return [frozenset(each for each in wanted if SENTENCES[NAMES[each]](text)) for text in texts]


def material(looked: Looked | None = None) -> Material:
    rows = [[row for row, text in enumerate(PROMPTS) if holds(text)] for holds in SENTENCES.values()]
    return Material(
        {name: number for number, name in enumerate(NAMES)},
        np.cumsum([0, *map(len, rows)]),
        np.array([row for own in rows for row in own], np.int32),
        np.array([len(text) for text in PROMPTS], np.int32),
        lambda numbers: [PROMPTS[number] for number in numbers],
        looked or Looked(),
        lambda texts: [text in PROMPTS for text in texts],
    )


def wish(*names: str, sample: int = 0, seed: int = 0) -> Wanted:
    return Wanted(names, sample, seed)


def test_a_prompt_is_new_and_has_what_is_wanted() -> None:
    generator = Generator(material())
    wishes = [
        wish(NAMES[0]),
        wish(NAMES[3]),
        wish(NAMES[0], NAMES[1]),
        wish(NAMES[2], NAMES[1]),
        wish(NAMES[2], NAMES[3], NAMES[0]),
        wish(NAMES[4], NAMES[1]),
    ]
    for want, prompt in zip(wishes, generator(wishes), strict=True):
        assert prompt is not None
        assert prompt not in PROMPTS
        assert generator.share(want.attributes, prompt) == 1, (want, prompt)


def test_of_what_no_row_has_there_is_no_prompt() -> None:
    generator = Generator(material())
    none, stranger, half = generator([wish(NAMES[5]), wish("The query is unheard of."), wish(NAMES[5], NAMES[0])])
    assert none is None
    assert stranger is None
    assert half is not None
    assert generator.share((NAMES[5], NAMES[0]), half) == 0.5
    assert generator([]) == []


def test_brief_rows_come_first() -> None:
    prompts = Generator(material())([wish(NAMES[0], sample=sample) for sample in range(30)])
    assert all(prompt is not None and len(prompt) < 300 for prompt in prompts)


def test_a_text_of_the_mix_is_given_where_nothing_else_works() -> None:
    only = Material(
        {"The query is x.": 0}, np.array([0, 1]), np.zeros(1, np.int32), np.ones(1, np.int32),
        lambda numbers: ["x"] * len(numbers),
        lambda texts, wanted: [frozenset({0} if text == "x" else ()) for text in texts],
        lambda texts: [text == "x" for text in texts],
    )  # fmt: skip
    assert Generator(only)([wish("The query is x.")]) == ["x"]


def test_prompts_depend_on_the_wish_alone_and_are_made_together() -> None:
    looked = Looked()
    generator = Generator(material(looked))
    wishes = [
        wish(*names, sample=sample, seed=seed)
        for names in ((NAMES[0], NAMES[1]), (NAMES[2],), (NAMES[3], NAMES[4]))
        for sample in range(4)
        for seed in range(2)
    ]
    together = generator(wishes)
    assert looked.calls <= 4, "the rows to begin with, and three rounds"
    assert generator(wishes[::-1])[::-1] == together
    assert [generator([one])[0] for one in wishes] == together
    assert len(set(together[:8])) > 1, "other draws give other prompts"
    turned = generator([wish(NAMES[1], NAMES[0], sample=2)])
    assert turned == generator([wish(NAMES[0], NAMES[1], sample=2)]), "the order of a wish does not matter"
