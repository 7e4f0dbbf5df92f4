"""Shapes of length, case, punctuation, numbers and white space: what a text looks like before it is read."""

from __future__ import annotations

import polars as pl

from chunky.shapes._shape import EDGE, Expression, Shape, both, every, stripped_length, words

__all__ = ["TYPOGRAPHY"]

# Characters of scripts that put no space between words: a run of them is not one word.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}"
_MONTHS = (
    "(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul"
    "|Aug|Sept|Sep|Oct|Nov|Dec)"
)
_DATE = (
    rf"{EDGE}{_MONTHS}\.? [0-3]?[0-9](?:st|nd|rd|th)?{EDGE}|{EDGE}[0-3]?[0-9](?:st|nd|rd|th)? (?:of )?{_MONTHS}{EDGE}"
    rf"|{EDGE}{_MONTHS},? [12][0-9]{{3}}{EDGE}|{EDGE}[12][0-9]{{3}}-[01][0-9]-[0-3][0-9](?:{EDGE}|T)"
    rf"|{EDGE}[0-3]?[0-9]/[0-3]?[0-9]/(?:[12][0-9])?[0-9]{{2}}{EDGE}"
    rf"|{EDGE}[0-3]?[0-9]\.[01]?[0-9]\.[12][0-9]{{3}}{EDGE}"
    r"|[0-9]{1,2}月[0-9]{1,2}日|[12][0-9]{3}年"
)
_FUNCTION_WORD_END = (
    "and|or|the|a|an|of|to|for|with|in|by|is|are|because|but|that|which|from|as|their|its|into|than|if|when|while"
)


def _length(low: int, high: int | None) -> Expression:
    """Characters without white space at both ends, low <= length < high."""

    def expression(text: pl.Expr) -> pl.Expr:
        length = stripped_length(text)
        return length >= low if high is None else (length >= low) & (length < high)

    return expression


def _is_single_word(text: pl.Expr) -> pl.Expr:
    one_run = text.str.contains(rf"^[^\p{{L}}\s]*[^\W0-9_{_UNSPACED}][^\s{_UNSPACED}]+\s*$")
    # 40 characters: longer than any word people write, shorter than a URL, a hash or a line of minified code.
    return one_run & (stripped_length(text) <= 40)


def _has_repeated_line(text: pl.Expr) -> pl.Expr:
    # 20 bytes: shorter lines (`return 0;`, `Yes.`, `---`) repeat in every honest listing.
    lines = text.str.split("\n").list.eval(
        pl.element().str.strip_chars().filter(pl.element().str.strip_chars().str.len_bytes() >= 20)
    )
    return lines.list.len() > lines.list.n_unique()


_LENGTHS = (
    both("length_under_20", "is under 20 characters long", _length(0, 20)),
    both("length_20_to_79", "is 20 to 79 characters long", _length(20, 80)),
    both("length_80_to_299", "is 80 to 299 characters long", _length(80, 300)),
    both("length_300_to_999", "is 300 to 999 characters long", _length(300, 1000)),
    both("length_1000_to_2999", "is 1,000 to 2,999 characters long", _length(1000, 3000)),
    both("length_from_3000", "is 3,000 characters long or more", _length(3000, None)),
    both("single_word", "is a single word", _is_single_word),
    both(
        "few_words",
        "has two to four words",
        rf"^\s*[^\s{_UNSPACED}]+(?:\s+[^\s{_UNSPACED}]+){{1,3}}\s*$",
    ),
    both(
        "single_sentence",
        "is one sentence with its final mark",
        r"""^\s*(?:[^.!?。！？\n]|\.[0-9])+[.!?。！？]["'”’)]*\s*$""",
    ),
    both("several_lines", "has more than one line", r"\S[^\n]*\n\s*\S"),
    both("several_paragraphs", "has paragraphs separated by a blank line", r"\S[ \t\r]*\n[ \t\r]*\n\s*\S"),
    both("repeated_line", "repeats a whole line", _has_repeated_line),
)

_CASE = (
    both("all_caps", "is in capital letters throughout", r"^(?:[^\p{Ll}\p{Lo}\p{Lu}]*\p{Lu}){4}[^\p{Ll}\p{Lo}]*$"),
    both(
        "shouted_word", "contains a word of five or more capital letters", every(rf"{EDGE}[A-Z]{{5,}}{EDGE}", r"\p{Ll}")
    ),
    # Three words at least: shorter answers are in lower case for other reasons. One capital letter anywhere ends it.
    both(
        "lower_case",
        "is in lower case throughout",
        r"^[^\p{Lu}\p{Lt}\p{Ll}\p{Lo}]*(?:\p{Ll}[^\s\p{Lu}\p{Lt}]*\s+[^\s\p{Lu}\p{Lt}\p{Ll}\p{Lo}]*){2}\p{Ll}[^\p{Lu}\p{Lt}]*$",
    ),
    both(
        "title_case",
        "capitalizes every word",
        # four words: fewer make a name or a heading
        every(r"(?s)(?:(?:^|\s)\p{Lu}\p{Ll}.*?){4}", no=r"(?:^|[\s(“\"])\p{Ll}|\p{Lo}"),
    ),
    both("lower_case_opening", "opens with a lower-case letter", r"^\s*[a-z]"),
    both(
        "unpunctuated_lower_case",
        "is in lower case without any punctuation",
        r"^\s*\p{Ll}[\p{Ll}\p{M}\p{N}'’]*(?:\s+[\p{Ll}\p{M}\p{N}'’]+)+\s*$",
    ),
    both("no_final_punctuation", "ends without a final mark, on a letter or digit", r"[\p{L}\p{N}]\s*$"),
    both(
        "mid_sentence_ending",
        "breaks off in mid-sentence, on a comma or a function word",
        rf"[\p{{L}}\p{{N}}]\s*[,，、]\s*$|[\p{{L}},] +(?:{_FUNCTION_WORD_END})\s*$",
    ),
    both("colon_ending", "ends with a colon", r"[:：]\s*$"),
)

_MARKS = (
    both("exclamation_mark", "contains an exclamation mark", r"[\p{L}\p{N}\s][!！]+(?:[\s\"'”’)]|$)|！"),
    both("repeated_exclamation_marks", "contains several exclamation marks in a row", r"[!！]{2,}(?:[^=]|$)"),
    both("ellipsis", "contains an ellipsis", r"…|[^.]\.\.\.+(?:[\s\"'”’)!?,]|$)"),
    both("emoji", "contains an emoji", r"\p{Emoji_Presentation}|\p{Extended_Pictographic}\x{FE0F}"),
    both(
        "quoted_phrase", "quotes a word or phrase", r"""(?:^|[\s(])"[^"\s][^"\n]*"|“[^”\n]+”|「[^」\n]+」|«[^»\n]+»"""
    ),
    both("quotation_opening", "opens with a quotation mark", r"""^\s*["'“‘「«`]"""),
    both("parenthesis_opening", "opens with a parenthesis or bracket", r"^\s*[(\[（【]"),
    both("em_dash", "contains an em dash", r"—"),
    both("curly_quotes", "contains curly quotes or apostrophes", r"[“”‘’]"),
    both("semicolon", "joins clauses with a semicolon", r"\p{L}{2}; +\p{L}"),
    both("parenthesis", "has a remark in parentheses", r"[\p{L},.] \(\p{L}[^()\n]* [^()\n]*\)"),
    both("blank_to_fill", "contains a blank drawn with underscores", r"(?:^|[\s(.,“\"])_{2,}(?:[\s).,?!;:”\"]|$)"),
    both(
        "mojibake", "contains broken characters from a wrong decoding", r"\x{FFFD}|â€|Ã[\x{80}-\x{BF}]|Â[\x{A0}-\x{BF}]"
    ),
)

_NUMBERS = (
    both("digits", "contains a digit", r"[0-9]"),
    both("bare_number", "is a bare number", r"^\s*[-+−]?[$€£¥]? ?[0-9](?:[0-9,]*[0-9])?(?:\.[0-9]+)?\s?[%°]?\.?\s*$"),
    both(
        "arithmetic",
        "contains a calculation with digits",
        r"[0-9)]\s*[+*×÷]\s*\(?\$?[0-9]|[0-9)%]\s+[-−/x]\s+\(?\$?[0-9]|[0-9)]\s*=\s*[-−]?\$?[0-9]",
    ),
    both(
        "bare_calculation",
        "is a bare calculation",
        r"^\s*[-(\s]*[0-9][0-9.,()\s]*(?:[+*×÷^]|\s[-−/x]\s"
        r"|[-−/x][^=\n]*=)[-−+*/×÷^x0-9.,()\s]*(?:=\s*[0-9.,]*)?\s*\??\s*$",
    ),
    both("percentage", "contains a percentage", rf"[0-9]\s?[%％]|(?i){EDGE}per ?cent{EDGE}"),
    both(
        "currency",
        "names an amount of money",
        rf"[$€£¥₹]\s?[0-9]|[0-9]\s?[€£]|(?i){EDGE}[0-9][0-9,.]*\s(?:dollars?|euros?|cents?|pounds sterling|usd"
        rf"|eur){EDGE}",
    ),
    both("date", "contains a calendar date", _DATE),
    both(
        "clock_time",
        "contains a time of day",
        rf"(?i)(?:^|[^0-9:.])[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9])?(?:\s?[ap]\.?m{EDGE}|[^0-9:]|$)"
        rf"|{EDGE}1?[0-9]\s?(?:am|pm){EDGE}|{EDGE}1?[0-9]\s?[ap]\.m\.|o['’]clock{EDGE}",
    ),
    both("number_ending", "ends with a number", r"(?:^|[^\p{L}0-9_])[0-9][0-9,]*(?:\.[0-9]+)?\s?[%°]?[.。]?\s*$"),
    both("mathematical_sign", "contains a mathematical sign beyond ASCII", r"[±×÷√∑∏∫∂∞≈≠≤≥∈∉⊂⊆∪∩∀∃πθ∆∇⇒→²³]"),
    both(
        "number_word",
        "writes out a count in words",
        words("two|three|four|five|six|seven|eight|nine|ten|twelve|twenty"),
    ),
)

_SPACING = (
    both("trailing_white_space", "ends with white space", r"\s$"),
    both("leading_white_space", "begins with white space", r"^\s"),
    both("double_spaces", "has two or more spaces between words", r"\p{L}[,.;:!?)]* {2,}\p{L}"),
    both("tab", "contains a tab", r"\t"),
    both("carriage_return", "contains a carriage return", r"\r"),
    # U+200C and U+200D are left out: Persian, Indic scripts and joined emoji need them.
    both(
        "invisible_characters",
        "contains no-break spaces or zero-width characters",
        r"[\x{A0}\x{AD}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202F}\x{2060}\x{FEFF}]",
    ),
    # LaTeX commands that begin with \n go on with a vowel (\neq, \nu, \not, \nabla): those do not count.
    both("literal_backslash_n", "contains line breaks written out as backslash and n", r"\\n(?:[^aeiou]|$)"),
)

TYPOGRAPHY: tuple[Shape, ...] = (*_LENGTHS, *_CASE, *_MARKS, *_NUMBERS, *_SPACING)
