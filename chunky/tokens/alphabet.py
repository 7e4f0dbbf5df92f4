"""What each code point is to a tokenizer, its folded form, and the oracle that cuts one character at a time."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    U8 = npt.NDArray[np.uint8]
    U32 = npt.NDArray[np.uint32]

NUMBER: Final = "⟨n⟩"

# Character classes, one bit each, so that "letter or digit" is one test.
SPACE, LETTER, DIGIT, JOINER, DOT, SOLO, OTHER = (1 << bit for bit in range(7))
WORD = LETTER | DIGIT

# Code points of scripts written without spaces; Thai, Lao, Khmer and Myanmar digits are left out, they are numbers.
SOLO_RANGES: Final = (
    (0x0E01, 0x0E3A), (0x0E40, 0x0E4E), (0x0E81, 0x0EBD), (0x0EC0, 0x0ECE), (0x0EDC, 0x0EDF), (0x1000, 0x103F),
    (0x1050, 0x108F), (0x109A, 0x109D), (0x1780, 0x17D3), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029),
    (0x3031, 0x3035), (0x3038, 0x303C), (0x3041, 0x3096), (0x3099, 0x309A), (0x309D, 0x309F), (0x30A1, 0x30FA),
    (0x30FC, 0x30FF), (0x3105, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9EF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x1AFF0, 0x1B16F), (0x20000, 0x323AF),
)  # fmt: skip
JOINERS: Final = "'\u2019\u200c\u200d"
# Variation selectors are marks by category, but follow symbols: as letters they would glue "❤️" to the next word.
SELECTORS: Final = (0xFE00, 0xFE0F)
# Beyond one-to-one case folding. The last three pairs are equal since Unicode 15.1: there RE2 and Rust disagree.
MORE_FOLDS: Final = {"’": "'", "⟨": "〈", "⟩": "〉", "\u1fd3": "\u0390", "\u1fe3": "\u03b0", "\ufb06": "\ufb05"}
UNFOLDED: Final = {after: after + before for before, after in MORE_FOLDS.items()}
_TOP: Final = 0x110000


def fold(char: str) -> str:
    """Simple case folding of one character: its orbit's representative, itself a fixed point."""
    if char in MORE_FOLDS:
        return MORE_FOLDS[char]
    folded = char.casefold()
    if len(folded) != 1:
        folded = char.lower()
    return folded if len(folded) == 1 else char


def char_class(char: str) -> int:
    """The class bit of one character: the rules of the package, said once."""
    code, category = ord(char), unicodedata.category(char)
    if category[0] == "Z" or 9 <= code <= 13 or code == 0x85:
        return SPACE
    if any(first <= code <= last for first, last in SOLO_RANGES):
        return SOLO
    if char in JOINERS:
        return JOINER
    if char in ".,":
        return DOT
    if category == "Nd":
        return DIGIT
    is_selector = SELECTORS[0] <= code <= SELECTORS[1]
    return LETTER if category[0] in "LMN" and not is_selector else OTHER


class Alphabet(NamedTuple):
    """Look-up tables over all code points: class bit (uint8) and folded code point (uint32)."""

    classes: U8
    folds: U32


@lru_cache(maxsize=1)
def alphabet() -> Alphabet:
    """Built once per process, 0.5 s; follows the Unicode version of this Python (14 in 3.11)."""
    classes = np.full(_TOP, OTHER, np.uint8)
    folds = np.arange(_TOP, dtype=np.uint32)
    for first, last in SOLO_RANGES:
        classes[first : last + 1] = SOLO
    # Planes 4 to 13 are unassigned, 15 and 16 private: nothing there is a letter or has case.
    for code in (*range(0x20000), *range(0xE0000, 0xE1000)):
        char = chr(code)
        classes[code] = char_class(char)
        folds[code] = ord(fold(char))
    return Alphabet(classes, folds)


def tokenize_slow(text: str) -> list[str]:
    """The same tokens, one character at a time: the oracle. A token starts with a space if white space stood before it
    (the first one never does), so that `"".join(tokens[i : i + n]).lstrip(" ")` is the phrase of n tokens from i on.
    """
    classes = [char_class(char) for char in text]
    tokens: list[str] = []
    token, is_word, spaced = "", False, False
    for place, char in enumerate(text):
        here = classes[place]
        before = classes[place - 1] if place else SPACE
        after = classes[place + 1] if place + 1 < len(text) else SPACE
        joins = here == JOINER and bool(before & WORD) and bool(after & WORD)
        joins = joins or (here == DOT and before == after == DIGIT)
        wordy = joins or bool(here & WORD)
        folded = fold(char)
        goes_on = token and (is_word if wordy else not is_word and here != SOLO and token[-1] == folded)
        if here == SPACE or not goes_on:
            if token:
                tokens.append((" " if spaced and tokens else "") + _mask(token))
            token, spaced = "", before == SPACE
        if here != SPACE:
            token, is_word = token + folded, wordy
    return [*tokens, (" " if spaced and tokens else "") + _mask(token)] if token else tokens


def _mask(token: str) -> str:
    is_number = unicodedata.category(token[0]) == "Nd" and all(
        unicodedata.category(char) == "Nd" or char in ".," for char in token
    )
    return NUMBER if is_number else token
