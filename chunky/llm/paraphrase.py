"""Rewordings of a prompt by rule: what a careless retelling changes, and nothing that carries its substance.

Three kinds of edit. Contractions and small words change inside the prose; anything quoted, fenced or between backticks
stays. Clauses and sentences change places where they can without a change of meaning. The frame changes: courtesy,
opening, final mark, case of the first letter. English edits are made in English prompts alone; the frame of the others
changes in punctuation and spacing only.

Single edits come first, then pairs of edits, in an order drawn by the seed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random

import polars as pl

from chunky.shapes import shape

__all__ = ["paraphrases"]

Edit = Callable[[str], str]

_NOT_ENDING = r"(?= \w)"  # "I know what it is." has no contraction
_NO_SUBJECT = r"(?! (?:you|i|it|he|she|we|they|there|this|that|these|those)\b)"  # "Don't you …" has no long form
_NEGATIONS = (
    ("do not", "don't"), ("does not", "doesn't"), ("did not", "didn't"), ("cannot", "can't"), ("is not", "isn't"),
    ("are not", "aren't"), ("was not", "wasn't"), ("will not", "won't"), ("would not", "wouldn't"),
    ("should not", "shouldn't"), ("could not", "couldn't"), ("have not", "haven't"), ("has not", "hasn't"),
)  # fmt: skip
_PRONOUNS = (
    ("I am", "I'm"), ("I have", "I've"), ("I will", "I'll"), ("you are", "you're"), ("we are", "we're"),
    ("they are", "they're"),
)  # fmt: skip
# One way only: "what's" may be "what has".
_SHORTENED = (
    ("it is", "it's"),
    ("that is", "that's"),
    ("what is", "what's"),
    ("who is", "who's"),
    ("where is", "where's"),
)
# Few, and none that is wrong in some sentence: "the only way" is not "the just way".
_SMALL_WORDS = (
    ("for example", "for instance"), ("for instance", "for example"), ("because", "since"), ("maybe", "perhaps"),
    ("perhaps", "maybe"), ("in order to", "to"), ("I need to", "I have to"), ("I want to", "I would like to"),
    ("I'd like to", "I would like to"), ("is it true that", "is it correct that"), ("a few", "several"),
    ("true or false", "false or true"), ("could you", "can you"), ("can you", "could you"),
)  # fmt: skip
# What an edit may not touch: quotations, code, formulas, slots.
_SOLID = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`|\"[^\"\n]*\"|“[^“”\n]*”|\$[^$\n]+\$|\{[^{}\n]*\}|<[^<>\n]+>", re.DOTALL
)
_GAP = re.compile(r"(?<=[.!?])\s+(?=\S)")  # between sentences; a pattern for whole sentences was quadratic
_CLAUSES = re.compile(
    r"\A((?:If|When|After|Before|While|Since|Because|Although)\b[^,.!?\n]{3,80}), ([^.!?\n]{3,160})([.!?])\Z"
)
_INSTRUCTION = re.compile(
    r"\A(?:explain|describe|write|list|give|tell|show|name|find|solve|compute|calculate|summarize|translate|compare|create"
    r"|make|suggest|provide|discuss|define|identify|generate|outline|help|answer|compose|draft|rewrite|convert)\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"\A(?:what|why|how|who|when|where|which|is|are|do|does|did|can|could|should|would|will)\b", re.IGNORECASE
)


def paraphrases(prompt: str, count: int, seed: int = 0) -> list[str]:
    """Up to `count` different rewordings of a prompt, none equal to it; fewer where the edits that fit give no more."""
    edits = _edits(prompt)
    Random(f"paraphrases {seed} {prompt}".encode("utf-8", "surrogatepass")).shuffle(edits)
    found: dict[str, None] = {}
    for text in _applied(prompt.strip(), edits):
        if len(found) == count:
            break
        if text.strip() and text != prompt.strip():
            found[text] = None
    return list(found)


def _applied(prompt: str, edits: list[Edit]) -> Iterator[str]:
    singles = [edit(prompt) for edit in edits]
    yield from singles
    for place, once in enumerate(singles):
        if once != prompt:
            yield from (edit(once) for edit in edits[place + 1 :])


def _edits(prompt: str) -> list[Edit]:
    edits: list[Edit] = [_final_mark_dropped, _final_mark_apart, _final_mark_doubled, _line_break_at_end]
    edits += [_first_letter_turned, _wider, _quoted, _opening_mark_dropped]
    if not _is_english(prompt):
        return edits
    edits += [_exchange(long, short, _NOT_ENDING) for long, short in (*_NEGATIONS, *_PRONOUNS, *_SHORTENED)]
    edits += [_exchange(short, long, _NO_SUBJECT) for long, short in (*_NEGATIONS, *_PRONOUNS)]
    edits += [_exchange(old, new) for old, new in _SMALL_WORDS]
    edits += [_sentences_turned, _clauses_turned, _comma_before_but]
    edits += [_frame(before, "") for before in ("Hi! ", "Hello, ", "Quick question: ", "I have a question. ", "So, ")]
    edits += [_frame("", after) for after in (" Thanks!", " Thank you.", " Thanks in advance.")]
    if _INSTRUCTION.match(prompt.strip()):
        edits += [_asked("Please "), _asked("Could you "), _asked("I'd like you to "), _asked("Can you please ")]
    if _QUESTION.match(prompt.strip()):
        edits += [_frame("Please tell me: ", ""), _frame("I was wondering: ", ""), _frame("", " Please let me know.")]
    return edits


def _is_english(prompt: str) -> bool:
    text = pl.DataFrame({"text": [prompt.encode("utf-8", "replace").decode()]})
    is_english = bool(text.select(shape("english", "query").expression(pl.col("text"))).item())
    return is_english or bool(_INSTRUCTION.match(prompt.strip()) or _QUESTION.match(prompt.strip()))


def _in_prose(text: str, change: Edit) -> str:
    """The text with `change` made between what may not be touched."""
    pieces, end = [], 0
    for solid in _SOLID.finditer(text):
        pieces += [change(text[end : solid.start()]), solid[0]]
        end = solid.end()
    return "".join([*pieces, change(text[end:])])


def _exchange(old: str, new: str, only: str = "") -> Edit:
    """The first place where `old` stands as words, and `only` holds after it, becomes `new` in the same case."""
    escaped = re.escape(old).replace("'", "['’]")
    pattern = re.compile(rf"\b{escaped}\b{only}", re.IGNORECASE)

    def swap(found: re.Match[str]) -> str:
        return new[0].upper() + new[1:] if found[0][0].isupper() else new

    return lambda text: _in_prose(text, lambda piece: pattern.sub(swap, piece, count=1))


def _frame(before: str, after: str) -> Edit:
    def edit(text: str) -> str:
        has_mark = text[-1:] in tuple('.!?"”)')
        return f"{before}{text}{'' if has_mark or not after else '.'}{after}"

    return edit


def _asked(before: str) -> Edit:
    """An instruction put more politely; a question gets its mark."""

    def edit(text: str) -> str:
        if not _INSTRUCTION.match(text):
            return text
        asked = before + text[0].lower() + text[1:]
        is_question = before.startswith(("Could", "Can")) and asked.endswith(".") and asked.count(".") == 1
        return asked[:-1] + "?" if is_question else asked

    return edit


def _final_mark_dropped(text: str) -> str:
    return text[:-1] if text[-1:] in tuple(".?!。？！।") else text


def _final_mark_apart(text: str) -> str:
    return f"{text[:-1]} {text[-1]}" if text[-1:] in ("?", "!") and text[-2:-1] != " " else text


def _final_mark_doubled(text: str) -> str:
    return f"{text}{text[-1]}" if text[-1:] in tuple("?!？！") else text


def _opening_mark_dropped(text: str) -> str:
    return text[1:] if text[:1] in ("¿", "¡") else text


def _quoted(text: str) -> str:
    """A short prompt in quotation marks, as people paste them."""
    return f'"{text}"' if text and '"' not in text and "\n" not in text else text


def _line_break_at_end(text: str) -> str:
    """The last sentence on a line of its own."""
    gaps = list(_GAP.finditer(text))
    return f"{text[: gaps[-1].start()]}\n{text[gaps[-1].end() :]}" if gaps and "\n" not in text else text


def _first_letter_turned(text: str) -> str:
    return text[:1].swapcase() + text[1:] if text[1:2].islower() else text


def _wider(text: str) -> str:
    """Two spaces between sentences."""
    return _in_prose(text, lambda piece: re.sub(r"(?<=[.!?]) (?=\S)", "  ", piece))


def _comma_before_but(text: str) -> str:
    return _in_prose(text, lambda piece: re.sub(r"(?<=\w) but\b", ", but", piece, count=1))


def _sentences_turned(text: str) -> str:
    """Two sentences, one of them a demand on the answer, change places."""
    pieces = _GAP.split(text)
    if len(pieces) != 2 or "\n" in text or text[-1] not in ".!?" or not _INSTRUCTION.match(pieces[1]):
        return text
    return f"{pieces[1]} {pieces[0]}"


def _clauses_turned(text: str) -> str:
    """“If it rains, do we go?” becomes “Do we go if it rains?”."""
    found = _CLAUSES.match(text)
    if not found:
        return text
    clause, rest, mark = found.groups()
    return f"{rest[0].upper()}{rest[1:]} {clause[0].lower()}{clause[1:]}{mark}"
