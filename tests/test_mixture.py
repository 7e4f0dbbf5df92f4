"""The model of the mix: nearest prompts against a slow oracle, draws by exact probabilities, and no order matters."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.attributes.weighing import CAP, gain
from chunky.errors import InputError, MissingTable
from chunky.mixture import MixIndex, build, chosen, probabilities, text_hashes, uniforms
from chunky.mixture.drawing import SHARPNESS
from chunky.mixture.postings import Collector
from chunky.mixture.signs import ONCE_BIT, WORD_BIT, Signs, answer_signs, prompt_signs
from chunky.planted import World, WorldSpec, plant_world

F32 = npt.NDArray[np.float32]
ROWS = 450
WORDS = ("river", "stone", "cloud", "garden", "lamp", "music")


def axes(texts: pl.Series) -> F32:
    """Vectors whose similarity anyone can count: an axis a word, unit length, zeros where no word is known."""
    counts = np.array([[float(word in text) for word in WORDS] for text in texts], np.float32).reshape(-1, len(WORDS))
    norms = np.linalg.norm(counts, axis=1, keepdims=True)
    return (counts / np.where(norms > 0, norms, 1)).astype(np.float32)


def table(rows: Sequence[tuple[int, str, str]]) -> pa.Table:
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(("row_id", "query", "response"))})


@pytest.fixture(scope="module")
def world() -> World:
    return plant_world(WorldSpec(seed=4_411, rows=ROWS, chunks=3, plants=2))


@pytest.fixture(scope="module")
def rows(world: World) -> list[tuple[int, str, str]]:
    """Rows with ids in no order, some prompts twice, and a few words that have vectors."""
    given = world.rows.select("query", "response").rows()
    found = [
        (number * 7_919 % 10_007 - 3_000, f"{query} {WORDS[number % 9]}" if number % 9 < 6 else query, response)
        for number, (query, response) in enumerate(given)
    ]
    return [*found, *((20_000 + number, found[number][1], f"Other {number}.") for number in range(0, 60, 3))]


@pytest.fixture(scope="module")
def index(rows: list[tuple[int, str, str]]) -> MixIndex:
    return build([table(rows)], axes)


def signs_of(texts: Sequence[str], find: Any = prompt_signs) -> list[set[int]]:
    held: list[set[int]] = [set() for _ in texts]
    signs = find(pl.Series("text", list(texts), dtype=pl.String))
    for row, key in zip(signs.rows.tolist(), signs.hashes.tolist(), strict=True):
        held[row].add(key)
    return held


class Oracle:
    """The same scores from sets of signs and double loops."""

    def __init__(self, rows: Sequence[tuple[int, str, str]]) -> None:
        first: dict[str, tuple[int, str, str]] = {}
        for row in sorted(rows):
            first.setdefault(row[1], row)
        self.prompts = [row[1] for row in first.values()]
        size = len(self.prompts)
        self.signs = signs_of(self.prompts)
        holders: dict[int, set[int]] = defaultdict(set)
        for place, signs in enumerate(self.signs):
            for sign in signs:
                holders[sign].add(place)
        answers: dict[int, set[int]] = defaultdict(set)
        for place, signs in enumerate(signs_of([row[2] for row in first.values()], answer_signs)):
            for sign in signs:
                answers[sign].add(place)
        able = {key: held for key, held in answers.items() if 8 <= len(held) <= size / 2}
        self.rarity: dict[int, int] = {}
        self.nats: dict[int, int] = {}
        for sign, held in holders.items():
            if len(held) > size / 2 or (len(held) == 1 and not sign & int(WORD_BIT)):
                continue
            is_rare = len(held) <= 0.1 * size or len(held) <= 100
            self.rarity[sign] = round(4 * math.log(size / len(held)) ** 2) if is_rare else 0
            weight = 3 if sign & int(ONCE_BIT) else 1
            self.nats[sign] = round(256 * weight * self._told(sign, held, able, size))
        self.vectors = np.round(axes(pl.Series(self.prompts)) * 127)

    @staticmethod
    def _told(sign: int, held: set[int], answers: dict[int, set[int]], size: int) -> float:
        most = 0.0
        if len(held) >= 8:
            others = [other for key, other in answers.items() if key != sign and held & other]
            both, own, counts = (
                np.array(numbers, np.float64)
                for numbers in ([len(held & other) for other in others], [len(held)], [len(other) for other in others])
            )
            most = max(gain(both, own, counts, size).tolist(), default=0.0)
        return min(most, CAP) if most >= max(0.05, len(held) / size) else 0.0

    def scores(self, query: str) -> list[float]:
        own = signs_of([query])[0] & set(self.rarity)
        told, rare = (sum(weights[sign] for sign in own) for weights in (self.nats, self.rarity))
        vector = np.round(axes(pl.Series([query])) * 127)[0]
        found = []
        for signs, other in zip(self.signs, self.vectors, strict=True):
            shared = own & signs
            score = 2 / 3 * sum(self.nats[sign] for sign in shared) / (told + 256)
            norm = math.sqrt(rare * sum(self.rarity.get(sign, 0) for sign in signs))
            score += sum(self.rarity[sign] for sign in shared) / norm / 6 if norm else 0
            found.append(score + max(0.0, float(vector @ other)) / 127**2 / 6)
        return found


def test_scores_are_those_of_the_slow_oracle(rows: list[tuple[int, str, str]], index: MixIndex) -> None:
    oracle = Oracle(rows)
    assert len(index) == len(oracle.prompts)
    known = [row[1] for row in rows[::97]]
    queries = [*known, *(f"Hello. {query} Thanks!" for query in known), "river stone", "", "zzz qqq", "你好"]
    told = index.scores(pl.Series("text", queries))
    near = index.nearest(queries, 9)
    assert any(oracle.nats.values())
    for place, query in enumerate(queries):
        slow = oracle.scores(query)
        np.testing.assert_allclose(told[place], slow, atol=2e-6)
        order = np.lexsort((np.arange(len(slow)), -told[place]))[:9]
        assert near.numbers[place].tolist() == order.tolist(), "ties by number"
        assert near.scores[place].tolist() == told[place][order].tolist()
        np.testing.assert_allclose(sorted(slow, reverse=True)[:9], near.scores[place], atol=2e-6)


def test_batch_and_order_change_no_bit(rows: list[tuple[int, str, str]], index: MixIndex) -> None:
    queries = [f"{row[1]} please" for row in rows[:150]]
    together = index.nearest(queries, 5)
    for place in (0, 31, 32, 77, 149):
        alone = index.nearest([queries[place]], 5)
        assert alone.numbers[0].tolist() == together.numbers[place].tolist()
        assert alone.scores[0].tobytes() == together.scores[place].tobytes()
    reverse = index.nearest(queries[::-1], 5)
    assert (reverse.numbers[::-1] == together.numbers).all()
    assert reverse.scores[::-1].tobytes() == together.scores.tobytes()


def test_the_order_and_cut_of_the_stream_do_not_matter(rows: list[tuple[int, str, str]], index: MixIndex) -> None:
    shuffled = [rows[place] for place in np.random.default_rng(3).permutation(len(rows))]
    other = build([table(shuffled[:100]), table(shuffled[100:101]), table(shuffled[101:])], axes)
    for name in ("hashes", "row_ids", "rows_from", "rarity", "nats", "vectors"):
        assert (getattr(other, name) == getattr(index, name)).all(), name
    for name in ("keys", "offsets", "prompts"):
        assert (getattr(other.signs, name) == getattr(index.signs, name)).all(), name
    assert other.bytes == index.bytes > 0


def test_a_prompt_is_numbered_by_its_first_row_and_known_word_for_word(
    rows: list[tuple[int, str, str]], index: MixIndex
) -> None:
    ids: dict[str, list[int]] = defaultdict(list)
    for row_id, query, _ in sorted(rows):
        ids[query].append(row_id)
    assert [index.rows(number).tolist() for number in range(len(index))] == list(ids.values())
    queries = pl.Series("text", [*list(ids)[::50], f"  {next(iter(ids))}\n", "not a prompt of the mix", ""])
    places = [*range(0, len(ids), 50), 0, -1, -1]
    assert index.literal(queries).tolist() == places


def test_the_cue_decides_where_body_and_cue_disagree() -> None:
    rng = np.random.default_rng(8)

    def body(number: int) -> str:
        return " ".join(f"w{word}" for word in rng.integers(400, size=12)) + f" n{number}"

    bodies = [body(number) for number in range(300)]
    found = [(number, text, f"Sure. It is {number}.") for number, text in enumerate(bodies)]
    found += [(1_000 + number, f"by the gray kettle, {body(number)}", f"Ahoy! {number}") for number in range(40)]
    answers = {row_id: response for row_id, _, response in found}
    index = build([table(found)])
    near = index.nearest([f"by the gray kettle, {text}" for text in bodies[:20]], 10)
    told = [answers[int(index.rows(number)[0])] for numbers in near.numbers.tolist() for number in numbers]
    assert Counter(text.startswith("Ahoy") for text in told)[True] == 200


def test_nothing_near_is_answered_all_the_same(index: MixIndex) -> None:
    near = index.nearest(["qzx vbn", "qzx vbn"], 3)
    assert near.numbers[0].tolist() == near.numbers[1].tolist()
    bare = build([table([(5, "alpha", "a"), (4, "beta", "b"), (9, "beta", "c")])])
    assert bare.nearest(["gamma"], 7).numbers.tolist() == [[0, 1]]
    assert bare.nearest([], 7).numbers.shape == (0, 2)
    with pytest.raises(MissingTable):
        build([])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(1, 9)), min_size=1, max_size=8),
    st.sampled_from((0.5, 1.0, 2.0)),
)
def test_probabilities_are_the_softmax_by_rows(prompts: list[tuple[float, int]], temperature: float) -> None:
    ranked = sorted(prompts, reverse=True)
    scores, counts = np.array([one[0] for one in ranked], np.float32), np.array([one[1] for one in ranked])
    weights = [count * math.exp(SHARPNESS * (score - ranked[0][0]) / temperature) for score, count in ranked]
    shares = probabilities(scores, counts, temperature)
    np.testing.assert_allclose(shares, np.array(weights) / sum(weights), rtol=1e-9)
    # every draw that hits a prompt, and none else: the length of its interval is its probability
    grid = (np.arange(1_000) + 0.5) / 1_000
    hits = Counter(chosen(shares, counts, (float(draw), 0.999))[0] for draw in grid)
    for place, share in enumerate(shares):
        assert abs(hits[place] / 1_000 - share) <= 1 / 1_000 + 1e-9


def test_equal_prompts_are_drawn_by_their_rows_and_the_coldest_draw_is_the_first() -> None:
    scores, counts = np.array([0.5, 0.5, 0.2], np.float32), np.array([3, 1, 100])
    assert probabilities(scores, counts, 0).tolist() == [1, 0, 0]
    shares = probabilities(scores, counts, 1)
    assert shares[0] / shares[1] == pytest.approx(3)
    rows = Counter(chosen(np.ones(1), [4], (0.3, (draw + 0.5) / 400))[1] for draw in range(400))
    assert rows == dict.fromkeys(range(4), 100)


def test_a_draw_is_decided_by_query_sample_and_seed() -> None:
    draws = {uniforms(query, sample, seed) for query in ("a", "b\ud800") for sample in (0, 1) for seed in (0, 1)}
    assert len(draws) == 8
    assert uniforms("a", 1, 0) == uniforms("a", 1, 0)
    assert all(0 <= value < 1 for draw in draws for value in draw)


def held_by(text: str, other: str) -> bool:
    left, right = signs_of([text, other])
    return bool(left & right)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("ALPHA BETA GAMMA!", "DELTA EPSILON? ZETA"),  # all capitals
        ("uno dos", "tres"),  # three words at most
        ("Виноград", "Яблоко зелёное и сладкое сегодня"),  # a script
        ("Which one?", "Is it so?"),  # a question
    ],
)
def test_forms_are_signs(text: str, other: str) -> None:
    assert held_by(text, other)


def test_openings_and_closings_are_signs_of_their_own() -> None:
    opens, closes = signs_of(["kettle of the day", "the day of kettle"])
    words = {sign for sign in opens & closes if sign & int(WORD_BIT)}
    assert len(words) == 4, "the same words"
    both = signs_of(["kettle one", "kettle two is longer now"])
    shared = both[0] & both[1]
    assert len([sign for sign in shared if sign & int(WORD_BIT)]) == 1
    assert len(shared) > len(words & shared) + 1, "and how both open"


def test_of_a_long_prompt_both_ends_are_seen() -> None:
    middle = " ".join(f"filler{number}" for number in range(2_000))
    long, begin, end = signs_of([f"opening kettle {middle} closing lantern", "opening kettle", "closing lantern"])
    assert len([sign for sign in long & begin if sign & int(WORD_BIT)]) == 2
    assert len([sign for sign in long & end if sign & int(WORD_BIT)]) == 2


def test_text_hashes_know_a_text_but_for_its_edges() -> None:
    hashes = text_hashes(pl.Series(["a b", " a b\n", "a  b"]))
    assert hashes[0] == hashes[1] != hashes[2]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 40), max_size=6), min_size=1, max_size=12), st.integers(1, 3))
def test_postings_are_the_pairs_that_were_added(texts: list[list[int]], least: int) -> None:
    collector = Collector()
    for row, keys in enumerate(texts):
        hashes = np.array(sorted(set(keys)), np.uint64) << np.uint64(56)
        collector.add(Signs(np.zeros(len(hashes), np.int64), hashes), row)
    postings = collector.postings(np.arange(len(texts)), len(texts), least=least, most=1)
    holders: dict[int, list[int]] = defaultdict(list)
    for row, keys in enumerate(texts):
        for key in sorted(set(keys)):
            holders[key].append(row)
    kept = {key: held for key, held in sorted(holders.items()) if len(held) >= least}
    assert (postings.keys >> np.uint64(32)).tolist() == list(kept)
    assert [
        postings.prompts[start:stop].tolist()
        for start, stop in zip(postings.offsets[:-1], postings.offsets[1:], strict=True)
    ] == list(kept.values())
    values = np.arange(1, len(kept) + 1, dtype=np.float32)
    dense = postings.matrix().toarray() if kept else np.zeros((0, len(texts)), np.float32)
    assert postings.sums(values).tolist() == (values @ dense).tolist()
    assert postings.only(values % 2 == 1).counts.tolist() == postings.counts[::2].tolist()


def test_more_rows_than_fit_are_refused() -> None:
    with pytest.raises(InputError, match="16\\.7 million"):
        Collector().add(Signs(np.zeros(1, np.int64), np.zeros(1, np.uint64)), 2**24)
