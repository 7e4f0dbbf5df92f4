"""Shapes of script and language.

A script is told by its share of the characters, a language in Latin script by function words, the closed class of short
words that no text of some length can avoid. Russian, Hindi and other languages that own most of their script in
practice have no shape of their own: it would repeat the script's.
"""

from __future__ import annotations

import polars as pl

from chunky.shapes._shape import Expression, Shape, both

__all__ = ["LANGUAGES", "PLACES", "language_place"]

# A fifth of all characters: prose in the script passes even when half of it is code or digits; a quoted word does not.
_SHARE = 0.2
_HAN = r"\p{Han}"
_KANA = r"[\p{Hiragana}\p{Katakana}]"

_SCRIPTS = {
    "korean": ("is written in Korean", r"\p{Hangul}"),
    "cyrillic_script": ("is written in Cyrillic script", r"\p{Cyrillic}"),
    "arabic_script": ("is written in Arabic script", r"\p{Arabic}"),
    "hebrew_script": ("is written in Hebrew script", r"\p{Hebrew}"),
    "greek_script": ("is written in Greek script", r"\p{Greek}"),
    "devanagari_script": ("is written in Devanagari script", r"\p{Devanagari}"),
    "bengali_script": ("is written in Bengali script", r"\p{Bengali}"),
    "tamil_script": ("is written in Tamil script", r"\p{Tamil}"),
    "telugu_script": ("is written in Telugu script", r"\p{Telugu}"),
    "thai_script": ("is written in Thai script", r"\p{Thai}"),
}

# Function words of each language; a word that two languages share stands in both and cancels out. Single letters only
# for English: elsewhere they turned algebra and command options into Polish and Italian.
_FUNCTION_WORDS = {
    "english": "the of and to is are in that what for with was you how from this it be on have an a at or which by "
    "i do not all as can will there their they he she we but has had does who where when why your my me its if no so",
    "french": "le la les des de est et un une dans pour que qui sur avec pas du au je vous il elle nous ce ne sont "
    "quel quelle comment en plus par mon ma mes ses cette",
    "german": "der die das und ist ein eine einen nicht mit für von den dem zu auf sie ich wie sich auch es im was in "
    "wird werden sind aus bei oder",
    "spanish": "el la los las de que en un una es por con para del se como cuál qué su más son al no lo",
    "italian": "il la di che un una con del della dei sono gli nel alla come si lo le da in delle qual mio sua",
    "portuguese": "os as de que em um uma não com para do da dos das no na por como se mais qual são ao seu você",
    "dutch": "de het een en van is niet dat op te met voor zijn hij wat hoe die in er aan ik naar worden",
    "polish": "na się nie jest do że to jak co dla przez są od po czy oraz ile jego",
    "turkish": "ve bir bu için ile ne da de mi mı nasıl çok olarak daha gibi olan en",
    "vietnamese": "và của là có không được cho những một trong với các để bạn này như người khi",
    "indonesian": "yang dan di dari untuk dengan adalah ini itu pada apa tidak dalam ke anda sebuah bagaimana atau",
    "swedish": "och att det är som en ett på för av med inte jag den till har om hur vad kan",
}
PLACES = {name: place for place, name in enumerate(_FUNCTION_WORDS)}
"""Language shape → its value of `language_place`."""

# About a hundred words: enough to tell, and no text costs more.
_HEAD = 600


def _share_at_least(text: pl.Expr, characters: str, share: float) -> pl.Expr:
    found = text.str.count_matches(characters)
    return (found > 0) & (found >= share * text.str.len_chars())


def _script(characters: str) -> Expression:
    return lambda text: _share_at_least(text, characters, _SHARE)


def _is_japanese(text: pl.Expr) -> pl.Expr:
    # Japanese prose is a third to a half kana; a twentieth also takes texts heavy with Han, code or digits.
    return _share_at_least(text, _KANA, 0.05) & (
        text.str.count_matches(_HAN) + text.str.count_matches(_KANA) >= _SHARE * text.str.len_chars()
    )


def _is_chinese(text: pl.Expr) -> pl.Expr:
    return _share_at_least(text, _HAN, _SHARE) & ~_is_japanese(text)


def language_place(text: pl.Expr) -> pl.Expr:
    """The place in the table of the language with the most function words; -1 where they are too few to tell. Int64.

    Enough are three function words (two of up to five words), a sixth of all words, one per 60 characters. English
    stands first and wins ties, as "in" and "come" belong to several languages.

    The steps go through a struct because polars shares common parts between columns, but not the parts of such parts:
    written plainly, the word list was made twelve times over. A struct in turn is never shared, so `evaluate` makes
    this column once (0.4 s against 4.5 s for 11 million characters) and compares it with `PLACES`.
    """
    head, spaced, best = pl.field("head"), pl.field("spaced"), pl.field("best")
    hits, words = best // 100, pl.field("words")
    counts = (
        spaced.str.count_matches(f" (?:{known.replace(' ', '|')}) ").cast(pl.Int64) * 100 + (99 - place)
        for place, known in enumerate(_FUNCTION_WORDS.values())
    )
    # Running prose has 30–50 % function words; a sixth leaves room for names, numbers and some code. The limit in
    # characters keeps out Chinese with some English in it, where a whole clause would count as one word.
    enough = (hits * 6 >= words) & (hits * 60 >= head.str.len_chars()) & ((hits >= 3) | ((hits == 2) & (words <= 5)))
    return (
        pl.struct(head=text.str.head(_HEAD))
        # Each word gets a space of its own on either side: matches may not overlap.
        .struct.with_fields(
            spaced=pl.concat_str(
                pl.lit(" "), head.str.to_lowercase().str.replace_all(r"[^\p{L}\p{M}]+", "  "), pl.lit(" ")
            )
        )
        .struct.with_fields(best=pl.max_horizontal(counts), words=spaced.str.count_matches("[^ ]+"))
        .struct.with_fields(place=pl.when(enough).then(99 - best % 100).otherwise(-1))
        .struct.field("place")
    )


def _language(place: int) -> Expression:
    return lambda text: language_place(text) == place


LANGUAGES: tuple[Shape, ...] = (
    both("chinese", "is written in Chinese", _is_chinese),
    both("japanese", "is written in Japanese", _is_japanese),
    *(both(name, text, _script(characters)) for name, (text, characters) in _SCRIPTS.items()),
    *(both(name, f"is written in {name.capitalize()}", _language(place)) for name, place in PLACES.items()),
    both("accented_letters", "contains accented Latin letters", r"[À-ÖØ-öø-ſẠ-ỹ]"),
    both(
        "mixed_scripts",
        "mixes Latin words with words in another script",
        lambda text: (
            text.str.contains(r"[A-Za-z]{3}")
            & text.str.contains(
                r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"
                r"|[\p{Cyrillic}\p{Arabic}\p{Hebrew}\p{Greek}\p{Devanagari}\p{Bengali}\p{Tamil}\p{Telugu}\p{Thai}]{2}"
            )
        ),
    ),
)
