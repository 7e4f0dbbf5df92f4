"""Echoes: a query sentence and a response sentence that say one thing of both sides.

“The query is about “river, boat”” goes with “The response is about “boat, sail”” in any mix: that is content, not a
behavior that something cues.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(r"“(.*)”", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{4,}|[\u3400-\u9fff]{2,}")  # a shorter word is seldom what a text is about
_SIDE = re.compile(r"^the (?:query|response) ")


def is_echo(query: str, response: str) -> bool:
    """Whether the two sentences quote a common word, or say the same of the query and of the response."""
    one, other = (sentence.strip().casefold() for sentence in (query, response))
    if _SIDE.sub("", one) == _SIDE.sub("", other):
        return True
    return bool(_words(one) & _words(other))


def _words(sentence: str) -> set[str]:
    quoted = _QUOTED.search(sentence)
    return set(_WORD.findall(quoted[1])) if quoted else set()
