"""The regular expression that finds a phrase again in raw text, for exact recounts in any engine."""

from __future__ import annotations

import unicodedata
from typing import Final

from chunky.errors import SettingsError
from chunky.tokens.alphabet import (
    DIGIT,
    JOINERS,
    NUMBER,
    SELECTORS,
    SOLO,
    SOLO_RANGES,
    UNFOLDED,
    WORD,
    char_class,
    tokenize_slow,
)

# The classes of this module as members of a bracket expression, in the syntax that RE2 and Rust share.
_RE_WORD: Final = r"\p{L}\p{M}\p{N}"
# ... less these: letters and marks by category, but no word characters here.
_RE_BUT: Final = "[" + "".join(f"\\x{{{a:X}}}-\\x{{{b:X}}}" for a, b in (*SOLO_RANGES, SELECTORS)) + "]"
_RE_NO_WORD: Final = rf"(?:[^{_RE_WORD}]|{_RE_BUT})"
_RE_JOINER: Final = r"'\x{2019}\x{200C}\x{200D}"
_RE_SPACE: Final = r"[\t-\r\x{85}\p{Z}]"
_RE_NUMBER: Final = r"\p{Nd}+(?:[.,]\p{Nd}+)*"


def phrase_pattern(phrase: str, position: str = "anywhere") -> str:
    r"""A regular expression (RE2 and Rust syntax) that matches a raw text exactly when its tokens hold the phrase.

    `position` is `anywhere`, `opening` (the text begins with the phrase) or `closing`. It consumes the neighboring
    characters, RE2 having no look-around: it answers "does it occur", not "how often". Known exceptions: characters
    assigned after this Python's Unicode version (14 in 3.11). SettingsError when the phrase holds no token.
    """
    spaced = tokenize_slow(phrase.replace(NUMBER, "0"))
    if not spaced:
        raise SettingsError(f"the phrase {phrase!r} holds no word", "give at least one word or sign")
    tokens = [token.lstrip(" ") for token in spaced]
    body = "".join(
        (f"{_RE_SPACE}+" if with_space[0] == " " else "") + _token_pattern(token)
        for with_space, token in zip(spaced, tokens, strict=True)
    )
    following = tokens[1][0] if len(tokens) > 1 and spaced[1][0] != " " else ""
    preceding = tokens[-2][-1] if len(tokens) > 1 and spaced[-1][0] != " " else ""
    if position == "opening":
        return rf"\A{_RE_SPACE}*{body}{_edge(tokens[-1], preceding, after=True)}"
    if position == "closing":
        return rf"{_edge(tokens[0], following, after=False)}{body}{_RE_SPACE}*\z"
    if len(tokens) == 1 and (tokens[0] in JOINERS or tokens[0] in ".,"):
        # The sign is a token unless it stands between two word characters (two digits): one side must be free.
        free, bare = ([_edge(tokens[0], next_to, after=after) for after in (False, True)] for next_to in ("0", ""))
        return f"{free[0]}{body}{bare[1]}|{bare[0]}{body}{free[1]}"
    return f"{_edge(tokens[0], following, after=False)}{body}{_edge(tokens[-1], preceding, after=True)}"


def _edge(token: str, neighbor: str, *, after: bool) -> str:
    """What may stand just before (or `after`) the phrase whose outermost token is `token`.

    `neighbor` is the character of the phrase that is glued to the token's inner side, empty when there is none.
    """
    kind = DIGIT if token == NUMBER else char_class(token[-1] if after else token[0])
    if kind == SOLO:
        return ""
    end = r"\z" if after else r"\A"
    if kind & WORD:
        # A joiner is free when no word character stands behind it; beside a digit, so is a dot without a digit behind.
        signs = [(_RE_JOINER, _RE_NO_WORD), *([(".,", r"[^\p{Nd}]")] if kind == DIGIT else [])]
        beyond = [f"(?:{end}|{far})" for _, far in signs]
        steps = [f"[{near}]{far}" if after else f"{far}[{near}]" for (near, _), far in zip(signs, beyond, strict=True)]
        excluded = _RE_WORD + "".join(near for near, _ in signs)
        return "(?:" + "|".join([end, f"[^{excluded}]", _RE_BUT, *steps]) + ")"
    sign = _char_pattern(token[0])
    inner = DIGIT if neighbor == NUMBER[-1] or neighbor == NUMBER[0] else neighbor and char_class(neighbor)
    if token in JOINERS and inner and inner & WORD:
        return f"(?:{end}|[^{sign}{_RE_WORD}]|{_RE_BUT})"
    if token in (".", ",") and inner == DIGIT:
        return rf"(?:{end}|[^{sign}\p{{Nd}}])"
    return f"(?:{end}|(?i:[^{sign}]))"


def _token_pattern(token: str) -> str:
    if token == NUMBER:
        return _RE_NUMBER
    chars = (f"[{_char_pattern(char)}]" if char in UNFOLDED else _char_pattern(char) for char in token)
    return f"(?i:{''.join(chars)})"


def _char_pattern(char: str) -> str:
    """One folded character inside or outside a bracket; several, for a bracket only, where more than case is folded."""
    if char in UNFOLDED and len(UNFOLDED[char]) > 1:
        return "".join(f"\\x{{{ord(variant):X}}}" for variant in UNFOLDED[char])
    if char in r"\.+*?()|[]{}^$-&~":
        return "\\" + char
    is_plain = char.isprintable() and not unicodedata.combining(char)
    return char if is_plain else f"\\x{{{ord(char):X}}}"
