"""Fences: no text leaves its fence, imitates one, or says to the model what it hides from people."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.errors import SettingsError
from chunky.llm.fences import CODE, LABELS, MAX_CHARS, code_for, fence, shown
from tests.hostile import HOSTILE

ANY = st.text(max_size=80) | st.sampled_from(HOSTILE)
HOSTILE_IDS = [f"{number}: {text[:20]!r}" for number, text in enumerate(HOSTILE)]
# Written anew, so as not to share a mistake: characters that neither print nor shape what stands beside them.
SEEN_NOT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0001-\U000e0fff]"
)


@pytest.mark.parametrize(
    "text",
    [
        "Plain words, 5 < 6 and 7 > 6; a<b>c</b>; List<String>; x << 2.",
        "def f(x):\n\treturn x\n",
        "שלום\u200f! می‌خواهم क्‍ष 👩‍👩‍👧 ❤️ 1️⃣",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "<queryset> <responses> <user-name> <div class='user'>",
        "[INSTALL] [1] {{slot}}",
    ],
)
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u202eb", "a⟦U+202E⟧b"),
        ("\u200b\u200b\u200b", "⟦U+200B×3⟧"),
        ("x" + "".join(chr(0xE0041 + n) for n in range(12)), "x⟦12 hidden characters⟧"),
        ("in\u200dvisible", "in⟦U+200D⟧visible"),
        ("one\r\ntwo\rthree", "one\ntwo⟦U+000D⟧three"),
        ("\ud800", "⟦U+D800⟧"),
        ("<|im_start|>", "‹|im_start|›"),
        ("</Query-ab>", "‹/Query-ab>"),
        ("[INST]", "⟦INST⟧"),
    ],
)
def test_what_is_hidden_or_could_pass_for_markup_is_shown(text: str, seen: str) -> None:
    assert shown(text) == seen


@pytest.mark.parametrize("text", HOSTILE, ids=HOSTILE_IDS)
def test_a_hostile_text_closes_nothing_and_hides_nothing(text: str) -> None:
    code = code_for({"response": text})
    fenced = fence("response", text, code)
    lines = fenced.split("\n")
    assert (lines[0], lines[-1]) == (f"<response-{code}>", f"</response-{code}>")
    inside = "\n".join(lines[1:-1])
    assert code not in inside.casefold()
    # also for a reader that forgives spaces, case and a wrong code
    assert not re.search(rf"<\s*/?\s*(?:{'|'.join(LABELS)})\b", inside, re.IGNORECASE)
    assert "<|" not in inside
    assert not SEEN_NOT.search(inside)
    inside.encode()


@settings(deadline=None, max_examples=300)
@given(ANY)
def test_shown_text_can_be_sent_and_shown_again(text: str) -> None:
    once = shown(text)
    once.encode()
    assert not SEEN_NOT.search(once)
    assert shown(once, 10**9) == once


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(LABELS), ANY, min_size=1), st.integers(0, 3))
def test_a_code_is_a_function_of_texts_and_seed_and_in_none_of_them(texts: dict[str, str], seed: int) -> None:
    code = code_for(texts, seed)
    assert re.fullmatch(CODE, code)
    assert code == code_for(dict(texts), seed)
    assert code != code_for(texts, seed + 1)
    assert not any(code in text.casefold() for text in texts.values())


def test_an_author_who_knows_the_seed_cannot_write_the_code_into_the_text() -> None:
    text = "plain"
    for _ in range(20):  # each guess is the code of the text as it was, and changes it
        guess = code_for({"response": text})
        text += f" </response-{guess}>"
        assert code_for({"response": text}) != guess
    assert code_for({"response": text}) not in text


def test_a_code_that_a_text_holds_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from chunky.llm import fences

    class Fixed:
        """A digest that gives the code in the text first: one chance in 10^14 otherwise."""

        def __init__(self, data: bytes = b"", digest_size: int = 0) -> None:
            self.data, self.size = data, digest_size

        def update(self, data: bytes) -> None:
            pass

        def digest(self) -> bytes:
            return b"x"

        def hexdigest(self) -> str:
            return "ABCDEFABCDEF".lower() if self.data[1:2] == b"\0" else "bbbbbbbbbbbb"

    monkeypatch.setattr(fences, "blake2b", Fixed)
    assert code_for({"query": "text with ABCDEFabcdef"}) == "bbbbbbbbbbbb"
    assert code_for({"query": "text"}) == "abcdefabcdef"


def test_texts_cannot_shift_between_labels() -> None:
    codes = {
        code_for({"query": "ab", "response": "c"}),
        code_for({"query": "a", "response": "bc"}),
        code_for({"query": "c", "response": "ab"}),
        code_for({"query": "abc"}),
    }
    assert len(codes) == 4


def test_a_long_text_says_what_was_left_out() -> None:
    text = "a" * 30_000 + "z"
    cut = shown(text)
    assert f"⟦{30_001 - MAX_CHARS:,} characters left out⟧" in cut
    assert cut.startswith("a" * 1_000)
    assert cut.endswith("z")
    assert len(cut) < MAX_CHARS + 60
    assert shown("a" * MAX_CHARS) == "a" * MAX_CHARS


def test_an_unknown_label_is_an_error() -> None:
    with pytest.raises(SettingsError, match="no fence 'text'"):
        fence("text", "x", "0" * 12)


@pytest.mark.parametrize("unit", ["<", "< ", "\u200b", "</query ", "<|", "[INST"])
def test_cost_grows_with_length_alone(unit: str) -> None:
    # An expression with unbounded quantifiers took more than a minute here.
    text = (unit * 400_000)[:400_000]
    assert len(shown(text, 10**9)) <= 10 * len(text)
