"""Fences: how text written by strangers is put into a prompt so that it stays text.

Corpus rows, responses of a model under audit and sentences derived from them may hold anything: orders to the reader,
scores, closing tags, control tokens of a chat template, characters that nobody sees. Three walls stand around them:

1. The tags around a text end in a code that is drawn from all texts of the call. The code cannot be guessed by the
   author, since every guess written into the text changes it; and it never occurs in the texts, since it is drawn again
   until it does not. The seed makes it differ between projects; one seed gives the same prompt, and so a cached reply.
2. What looks like a tag of ours or like a control token of a chat template loses its angle brackets (`‹`, `›`), so that
   a careless reader, or a server that parses control tokens inside messages, is not misled either.
3. Characters that are not seen are shown (`⟦U+202E⟧`), so that no text says to the model what it hides from people.

Nothing is dropped silently: a text that is too long says how much was left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b

from chunky.errors import SettingsError

__all__ = ["CODE", "LABELS", "MAX_CHARS", "code_for", "fence", "shown"]

CODE = r"[0-9a-f]{12}"
"""Pattern of a code: 48 bits. More would cost tokens in millions of calls and add nothing: a code never collides."""

LABELS = ("query", "response", "attributes", "prompt", "reply")
"""Names of the tags that prompts use; texts may not imitate them."""

MAX_CHARS = 24_000
"""Longest text shown whole, about 6,000 tokens of English; 7 in 100,000 messages of the public mix are longer."""

_HEAD_SHARE = 0.75  # of what is kept of a long text: openings tell more than closings, both tell something

# Control tokens by which common chat templates mark turns; servers that render a template to text and tokenize the
# result with control tokens on (vLLM and llama.cpp do by default) obey them inside a message.
_CONTROL_WORDS = "s|bos|eos|pad|unk|sys|system|user|assistant|human|tool|function|start_of_turn|end_of_turn"
# Quantifiers are bounded, so that a megabyte of "<" costs no more than any other megabyte.
_GAP = r"\s{0,8}"
_OPEN = r"[<＜﹤](?=[<＜﹤]{0,3}"
_CONTROL = re.compile(
    rf"{_OPEN}[|｜])"  # <|im_start|>, <｜User｜>
    r"|(?<=[|｜])[>＞﹥]"
    rf"|{_OPEN}{_GAP}[/／]?{_GAP}(?:{_CONTROL_WORDS}){_GAP}[>＞﹥])"
    rf"|{_OPEN}{_GAP}[/／]?{_GAP}(?:{'|'.join(LABELS)})(?![A-Za-z]))",
    re.IGNORECASE,
)
_INST = re.compile(r"\[(?=/?INST\])|(?<=INST)\]", re.IGNORECASE)

# A flag of England is an emoji followed by tag characters: the one honest use of those.
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f"
_HIDDEN_CLASS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but tab and line feed
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff\U0001d173-\U0001d17a"
)
# Joiners shape Persian, Indic and emoji, marks of direction order Hebrew and Arabic, a selector picks an emoji's look:
# they stay beside such characters and are shown beside ASCII, where they do nothing but hide.
_JOINERS = "\u200c-\u200f\ufe00-\ufe0f"
_HIDDEN = re.compile(
    rf"(?P<flag>{_FLAG})|(?P<hidden>[{_HIDDEN_CLASS}]+"
    rf"|(?:(?<=[\x00-\x7f])(?!\ufe0f\u20e3)|^)[{_JOINERS}]+"  # but the keycap emoji: digit, selector, frame
    rf"|[{_JOINERS}]{{3,}})"
)
_RUN = re.compile(r"(.)\1*", re.DOTALL)
_MANY = 8  # different hidden characters in a row, above which the run is summed up: nobody needs its spelling


def code_for(texts: Mapping[str, str], seed: int = 0) -> str:
    """The code of a call over the texts that it fences, by label: twelve hexadecimal digits that occur in none of them.

    A function of the texts and the seed alone. Changing the seed changes every prompt, and with it every cache key.
    """
    digest = blake2b(str(seed).encode(), digest_size=32)
    for label, text in texts.items():
        body = text.encode("utf-8", "surrogatepass")
        digest.update(f"{label}\0{len(body)}\0".encode())
        digest.update(body)
    folded = [text.casefold() for text in texts.values()]
    draw = 0
    while True:
        code = blake2b(digest.digest() + draw.to_bytes(8, "little"), digest_size=6).hexdigest()
        if not any(code in text for text in folded):
            return code
        draw += 1


def fence(label: str, text: str, code: str, max_chars: int = MAX_CHARS) -> str:
    """The text between `<label-code>` and `</label-code>`, each on a line of its own, made harmless by `shown`.

    Raises:
        SettingsError: the label is none of `LABELS`, against whose imitation texts are guarded.

    """
    if label not in LABELS:
        raise SettingsError(f"there is no fence {label!r}", f"use one of {', '.join(LABELS)}")
    return f"<{label}-{code}>\n{shown(text, max_chars)}\n</{label}-{code}>"


def shown(text: str, max_chars: int = MAX_CHARS) -> str:
    """The text as a model may see it: control tokens and tags of ours disarmed, hidden characters made visible.

    Ordinary text, also HTML, emoji, Hebrew and Persian, stays as it is. A text of more than `max_chars` characters
    keeps its head and tail and says how many characters were left out between them.
    """
    text = _clip(text, max_chars).replace("\r\n", "\n")
    text = _HIDDEN.sub(lambda found: found["flag"] or _spelled(found["hidden"]), text)
    return _INST.sub(lambda found: "⟦" if found[0] == "[" else "⟧", _CONTROL.sub(_disarmed, text))


def _clip(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    head = int(max_chars * _HEAD_SHARE)
    tail = max_chars - head
    return f"{text[:head]}\n⟦{len(text) - max_chars:,} characters left out⟧\n{text[len(text) - tail :]}"


def _spelled(hidden: str) -> str:
    runs = [found[0] for found in _RUN.finditer(hidden)]
    if len(runs) > _MANY:
        return f"⟦{len(hidden):,} hidden characters⟧"
    return "".join(f"⟦U+{ord(run[0]):04X}{f'×{len(run)}' if len(run) > 1 else ''}⟧" for run in runs)


def _disarmed(found: re.Match[str]) -> str:
    return "‹" if found[0] in "<＜﹤" else "›"
