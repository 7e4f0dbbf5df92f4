r"""Words, their hashes, and the regular expression that finds a phrase again: the engine of keywords and duplicates.

A *token* is, over Unicode code points and with local rules only (so that a regular expression can say the same):

- a **word**: letters, combining marks and numbers; an apostrophe or a zero-width joiner between two such characters
  belongs to the word (`don't`), so does `.` or `,` between two decimal digits (`v2.0`);
- a **number**: a word of decimal digits and inner `.` or `,` alone, masked as `⟨n⟩`;
- one **character** of a script that writes no spaces (Han, kana, Bopomofo, Thai, Lao, Myanmar, Khmer);
- a **run** of one other character (`####`, three backticks, `...`).

White space (categories Z*, TAB to CR, U+0085) separates; a token remembers whether it stood before it. Case is folded
code point by code point (simple folding), `’` is folded to `'`, and `⟨` `⟩` of the text to `〈` `〉`, so that `⟨n⟩` in
a phrase always means a number. A *phrase* is rendered as its tokens stood in the text, white space as one space.

Work is done on arrays of code points: nothing here loops over tokens but the oracle, `tokenize_slow`.
"""

from __future__ import annotations

from chunky.tokens.alphabet import NUMBER, tokenize_slow
from chunky.tokens.arrays import Tokens, mix64, tokenize
from chunky.tokens.patterns import phrase_pattern

__all__ = ["NUMBER", "Tokens", "mix64", "phrase_pattern", "tokenize", "tokenize_slow"]
