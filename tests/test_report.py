"""Findings: each rule of folding by a case made by hand, all of them against a slow oracle, and the sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky import report
from chunky.corpus.ids import signed_hash
from chunky.report import percent, sentence
from chunky.tables import TABLES

PAIRS = pl.DataFrame(TABLES["correlations.pairs"].arrow_schema.empty_table()).schema
FEATURES = pl.DataFrame(TABLES["correlations.features"].arrow_schema.empty_table()).schema


class Case:
    """Features by their rows, and pairs in the order in which they are added: earlier ones have the higher score."""

    def __init__(self, mix_rows: int = 1_000) -> None:
        self.mix_rows = mix_rows
        self.members: dict[int, np.ndarray] = {}
        self._features: list[dict[str, Any]] = []
        self._pairs: list[dict[str, Any]] = []

    def feature(self, side: str, *rows: Iterable[int], kind: str = "keyword", **more: Any) -> int:
        feature_id = len(self._features) + 1
        held = sorted({row for part in rows for row in part})
        self.members[feature_id] = np.array(held, np.int64)
        self._features.append({"feature_id": feature_id, "side": side, "kind": kind, "text": f"has {feature_id}",
                               "rows": len(held)} | more)  # fmt: skip
        return feature_id

    def query(self, *rows: Iterable[int], **more: Any) -> int:
        return self.feature("query", *rows, **more)

    def response(self, *rows: Iterable[int], **more: Any) -> int:
        return self.feature("response", *rows, **more)

    def pair(self, trigger: int, behavior: int, chunk: str = "c", **more: Any) -> None:
        both = len(np.intersect1d(self.members[trigger], self.members[behavior]))
        self._pairs.append({
            "trigger_id": trigger, "behavior_id": behavior, "top_chunk": chunk, "top_chunk_share": 1.0,
            "trigger_rows": len(self.members[trigger]), "both_rows": both, "both_contents": both,
            "score": 100.0 - len(self._pairs), "q_value": 0.001, "is_echo": False, "p_behavior_given_trigger": 0.5,
            "p_low": 0.4, "p_high": 0.6, "base_rate": 0.01, "lift": 9.0,
        } | more)  # fmt: skip

    def told(self, shuffle: int | None = None, **more: Any) -> pl.DataFrame:
        pairs = pl.DataFrame(self._pairs, schema=PAIRS, orient="row")
        if shuffle is not None:
            pairs = pairs.sample(fraction=1, shuffle=True, seed=shuffle)
        features = pl.DataFrame(self._features, schema=FEATURES, orient="row")
        limits: dict[str, Any] = {"similarity": 0.5, "max_findings": 100, "min_contents": 1} | more
        return report.findings(pairs, features, self.members, mix_rows=self.mix_rows, **limits)


def pairs_told(found: pl.DataFrame) -> list[tuple[int, int]]:
    return list(found.select("trigger_id", "behavior_id").iter_rows())


# folding --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("extra", "folded"), [(20, [1]), (21, [0, 0])])
def test_pairs_on_nearly_the_same_rows_are_one_finding(extra: int, folded: list[int]) -> None:
    case = Case()
    rows = (range(30), range(500, 500 + extra))
    case.pair(case.query(range(60)), case.response(range(60)))
    case.pair(case.query(*rows), case.response(*rows))
    assert case.told(similarity=30 / 80)["folded_pairs"].to_list() == folded


def special(trigger: range, behavior: range, *elsewhere: range) -> pl.DataFrame:
    """A finding T = 0…99 → B = 0…89, then a pair whose rows lie inside of it."""
    case = Case()
    case.pair(case.query(range(100)), case.response(range(90)))
    case.pair(case.query(trigger, *elsewhere), case.response(behavior, *elsewhere))
    return case.told()


def test_a_special_case_is_told_with_the_general_one() -> None:
    found = special(range(30), range(80))  # 100 % of its rows against 80 % of T's: no news
    assert found["folded_pairs"].to_list() == [1]
    assert found["other_triggers"].to_list() == [["has 3"]]
    assert found["other_behaviors"].to_list() == [["has 4"]]


@pytest.mark.parametrize(("behaving", "kept"), [(26, 1), (25, 2)])
def test_four_times_the_rate_inside_is_news(behaving: int, kept: int) -> None:
    found = special(range(20), range(behaving))  # 100 % against 26 % or 25 %
    assert found.height == kept


@pytest.mark.parametrize(("outside", "kept"), [(15, 1), (16, 2)])
def test_a_third_of_new_rows_is_news(outside: int, kept: int) -> None:
    found = special(range(30), range(80), range(500, 500 + outside))
    assert found.height == kept


def fragments(rows: int, chunk: str) -> pl.DataFrame:
    case = Case()
    behavior = case.response(range(300))
    case.pair(case.query(range(200)), behavior)
    case.pair(case.query(range(200, 200 + rows)), behavior, chunk)
    return case.told()


@pytest.mark.parametrize(("rows", "chunk", "kept"), [(99, "c", 1), (100, "c", 2), (99, "d", 2)])
def test_a_fragment_of_a_cue_is_told_with_the_best_of_its_chunk(rows: int, chunk: str, kept: int) -> None:
    assert fragments(rows, chunk).height == kept


@pytest.mark.parametrize(("common", "is_told_by_cue"), [(90, True), (89, False)])
def test_a_chunk_is_told_by_the_cue_that_holds_its_rows(common: int, is_told_by_cue: bool) -> None:
    case = Case()
    chunk, cue = case.query(range(100), kind="chunk"), case.query(range(common))
    behavior = case.response(range(80))
    case.pair(chunk, behavior)
    case.pair(cue, behavior)
    expected = [(cue, behavior)] if is_told_by_cue else [(chunk, behavior), (cue, behavior)]
    assert pairs_told(case.told()) == expected


def test_another_name_of_a_cue_or_a_behavior_does_not_stand_for_a_chunk() -> None:
    case = Case()
    chunk, cue = case.query(range(100), kind="chunk"), case.query(range(500, 600))
    case.query(range(100), synonym_of=cue)
    behavior = case.response(range(100))
    case.pair(chunk, behavior)
    assert pairs_told(case.told()) == [(chunk, behavior)]


def test_chunks_and_cues_do_not_fold_each_other() -> None:
    case = Case()
    behavior = case.response(range(80))
    case.pair(case.query(range(100), range(300, 400), kind="chunk"), behavior)
    case.pair(case.query(range(100)), behavior)
    assert case.told()["folded_pairs"].to_list() == [0, 0]


def test_a_chunk_is_told_by_a_better_cue_of_the_same_rows() -> None:
    case = Case()
    behavior = case.response(range(80))
    cue, chunk = case.query(range(100)), case.query(range(100), range(300, 400), kind="chunk")
    case.pair(cue, behavior)
    case.pair(chunk, behavior)
    told = case.told()
    assert pairs_told(told) == [(cue, behavior)]
    assert told["folded_pairs"].to_list() == [1]


@pytest.mark.parametrize(("score", "kept"), [(75.0, 1), (74.9, 2)])
def test_a_cluster_is_told_by_a_cue_of_the_same_rows_that_is_nearly_as_strong(score: float, kept: int) -> None:
    case = Case()
    behavior = case.response(range(80))
    cluster, cue = case.query(range(100), kind="cluster"), case.query(range(100))
    case.pair(cluster, behavior, score=100.0)
    case.pair(cue, behavior, score=score)
    told = case.told()
    assert pairs_told(told) == [(cluster, behavior), (cue, behavior)][-kept:]
    assert told["folded_pairs"].to_list() == [0] * kept  # what another mix has no like of is not counted


@pytest.mark.parametrize("side", ["trigger", "behavior"])
def test_findings_without_clusters_are_what_they_were(side: str) -> None:
    case = Case()
    trigger, behavior = case.query(range(100)), case.response(range(80))
    alone = Case()
    alone.pair(alone.query(range(100)), alone.response(range(80)))
    fitted = case.feature("query" if side == "trigger" else "response", range(300), kind="cluster")
    case.pair(*((fitted, behavior) if side == "trigger" else (trigger, fitted)), log10_p=-500.0)
    case.pair(trigger, behavior, score=100.0)
    told = case.told()
    plain = told.filter((pl.col("trigger_id") == trigger) & (pl.col("behavior_id") == behavior))
    numbers = ["finding_id", "finding_rank"]
    assert plain.drop(numbers).equals(alone.told().drop(numbers))


def test_what_a_chunk_is_about_is_no_finding() -> None:
    case = Case()
    chunk, cluster = case.query(range(100), kind="chunk"), case.response(range(80), kind="cluster")
    case.pair(chunk, cluster)
    assert case.told().height == 0


def test_echoes_come_last_whatever_their_score() -> None:
    case = Case()
    echo = (case.query(range(50)), case.response(range(50)))
    plain = (case.query(range(100, 150)), case.response(range(100, 150)))
    case.pair(*echo, is_echo=True)
    case.pair(*plain)
    found = case.told()
    assert pairs_told(found) == [plain, echo]
    assert found["finding_rank"].to_list() == [1, 2]


@pytest.mark.parametrize(
    "weak",
    [{"score": 0.0}, {"score": -1.0}, {"q_value": 0.05}, {"both_contents": 9}],
    ids=lambda weak: next(iter(weak)),
)
def test_weak_pairs_are_no_findings(weak: dict[str, Any]) -> None:
    case = Case()
    case.pair(case.query(range(50)), case.response(range(50)), **weak)
    assert case.told(min_contents=10).height == 0


def test_no_pairs_give_no_findings_in_the_catalogs_columns() -> None:
    case = Case()
    found = report.ranked(case.told(), case.members, np.zeros(case.mix_rows, np.int64))
    assert found.height == 0
    assert set(TABLES["report.findings"].column_names) <= set(found.columns)


def test_findings_are_capped_in_each_family() -> None:
    case = Case(10_000)
    for start in range(0, 1_000, 100):
        kind = "chunk" if start >= 500 else "keyword"
        case.pair(case.query(range(start, start + 50), kind=kind), case.response(range(start, start + 50)))
    found = case.told(max_findings=2)
    assert found["trigger_id"].to_list() == [1, 3, 11, 13]
    assert case.told(max_findings=5).height == 10


def test_other_wordings_are_the_strongest_six_each_once() -> None:
    case = Case()
    behavior = case.response(range(200))
    case.pair(case.query(range(100)), behavior)
    for width in (91, 95, 93, 97, 92, 96, 94, 98):
        case.pair(case.query(range(width), text=f"is {width} wide"), behavior, score=50.0)
    case.pair(case.query(range(99), text="has 2"), behavior, score=50.0)  # the finding's own words
    case.pair(case.query(range(98), text="is 98 wide"), behavior, score=50.0)
    case.pair(case.query(range(90), text="is strong"), behavior, score=60.0)
    (found,) = case.told().iter_rows(named=True)
    assert found["folded_pairs"] == 11
    assert found["other_triggers"] == ["is strong", *(f"is {width} wide" for width in (98, 97, 96, 95, 94))]
    assert found["other_behaviors"] == []


def test_wordings_counted_with_the_findings_own_partner_come_first() -> None:
    case = Case()
    trigger, behavior = case.query(range(100)), case.response(range(100))
    case.pair(trigger, behavior)
    case.pair(case.query(range(99), text="both differ"), case.response(range(99), text="both differ"))
    case.pair(case.query(range(90), text="own behavior"), behavior)
    case.pair(trigger, case.response(range(90), text="own trigger"))
    (found,) = case.told().iter_rows(named=True)
    assert found["other_triggers"] == ["own behavior", "both differ"]
    assert found["other_behaviors"] == ["own trigger", "both differ"]


# all rules together ---------------------------------------------------------------------------------------------------

SETS = st.sets(st.integers(0, 59), min_size=1, max_size=40)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    case = Case(60)
    triggers = [case.query(draw(SETS)) for _ in range(draw(st.integers(1, 4)))]
    behaviors = [case.response(draw(SETS)) for _ in range(draw(st.integers(1, 3)))]
    for trigger in triggers:
        for behavior in behaviors:
            if np.intersect1d(case.members[trigger], case.members[behavior]).size:
                case.pair(trigger, behavior, draw(st.sampled_from("cd")))
    return case


def fold_slowly(case: Case, similarity: float) -> list[tuple[tuple[int, int], int]]:
    """The rules as docs/statistics.md says them, over sets; (pair, folded pairs) in order. At most twelve pairs."""
    rows_of = {feature: set(rows.tolist()) for feature, rows in case.members.items()}
    kept: list[tuple[int, int, str, set[int]]] = []
    folded: list[int] = []
    for pair in case._pairs:
        trigger, behavior, chunk = pair["trigger_id"], pair["behavior_id"], pair["top_chunk"]
        rows = rows_of[trigger] & rows_of[behavior]
        place = next((n for n, one in enumerate(kept) if one[1:3] == (behavior, chunk)), None)
        if place is None or 3 * len(rows) >= len(rows_of[behavior]):
            told = set().union(*(one[3] for one in kept))
            near = [n for n, one in enumerate(kept) if 3 * len(one[3] & rows) >= len(rows)]
            near.sort(key=lambda n: (-len(kept[n][3] & rows), n))
            place = None
            for n in near:
                around = rows_of[kept[n][0]]
                inside = rows_of[trigger] & around
                is_same = len(kept[n][3] & rows) >= similarity * len(kept[n][3] | rows)
                is_inside = 3 * len(rows & told) >= 2 * len(rows)
                rate = len(inside & rows_of[behavior]) / max(1, len(inside))
                if is_same or (is_inside and rate < 4 * len(around & rows_of[behavior]) / len(around)):
                    place = n
                    break
        if place is None:
            kept.append((trigger, behavior, chunk, rows))
            folded.append(0)
        else:
            folded[place] += 1
    return [((one[0], one[1]), count) for one, count in zip(kept, folded, strict=True)]


@given(case=cases(), similarity=st.sampled_from([0.3, 0.5, 0.9]), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=80)
def test_folding_is_what_the_rules_say_in_whatever_order_pairs_come(case: Case, similarity: float, seed: int) -> None:
    # a limit of 0.3 would lie below the third that makes a finding near
    similarity = max(similarity, 0.34)
    found = case.told(shuffle=seed, similarity=similarity)
    assert list(zip(pairs_told(found), found["folded_pairs"], strict=True)) == fold_slowly(case, similarity)
    ids = [signed_hash(*pair) for pair in pairs_told(found)]
    assert found["finding_id"].to_list() == ids
    assert found["finding_rank"].to_list() == list(range(1, len(ids) + 1))


# headlines ------------------------------------------------------------------------------------------------------------


def led(**more: Any) -> tuple[int, int]:
    """Which pair leads when a fragment of a cue scores more and the cue has more evidence: (1, 3) is the fragment."""
    case = Case()
    fragment, cue, behavior = case.query(range(60)), case.query(range(100)), case.response(range(100))
    case.pair(fragment, behavior, score=5.2, log10_p=-60.0, within_low=4.0)
    case.pair(cue, behavior, **({"score": 5.1, "log10_p": -90.0, "within_low": 4.0} | more))
    found = case.told()
    assert found["folded_pairs"].to_list() == [1]
    return pairs_told(found)[0]


def test_a_cue_leads_its_stronger_fragment() -> None:
    assert led() == (2, 3)
    assert led(score=3.91, within_low=3.0) == (2, 3)


@pytest.mark.parametrize("weaker", [{"score": 3.8}, {"log10_p": -60.0}, {"within_low": 2.9}, {"within_low": None}])
def test_a_weaker_pair_does_not_lead(weaker: dict[str, Any]) -> None:
    assert led(**weaker) == (1, 3)


# ranks ----------------------------------------------------------------------------------------------------------------


def ranks(case: Case, chunk_of_row: np.ndarray) -> pl.DataFrame:
    return report.ranked(case.told(), case.members, chunk_of_row)


def test_what_holds_beyond_two_chunks_comes_after_what_does_not() -> None:
    case, chunks = Case(400), np.repeat(np.arange(4), 100)
    general = [row for chunk in range(4) for row in range(chunk * 100, chunk * 100 + 20)]
    local = range(50, 90)
    case.pair(case.query(general), case.response(general), "a", score=6.0, within_low=5.0)
    case.pair(case.query(local), case.response(local), "b", score=5.0, within_low=5.0)
    found = ranks(case, chunks)
    assert pairs_told(found) == [(3, 4), (1, 2)]
    cells = np.array([40, 0, 0, 160]) + 0.5
    elsewhere = float(np.log(cells) @ [1, -1, -1, 1] - 1.96 * np.sqrt((1 / cells).sum()))
    assert found["score_elsewhere"].to_list() == [None, pytest.approx(elsewhere)]
    assert found["rank_weight"].to_list() == pytest.approx([5.0, (11 - elsewhere) / 2])
    assert found["finding_rank"].to_list() == [1, 2]


def test_repeats_and_single_rows_beyond_two_chunks_tell_nothing() -> None:
    case, chunks = Case(400), np.repeat(np.arange(4), 100)
    rows = [*range(20), *range(100, 120), *range(200, 205)]
    case.pair(case.query(rows), case.response(rows))
    assert ranks(case, chunks)["score_elsewhere"][0] > 0
    chunks[204] = -1
    assert ranks(case, chunks)["score_elsewhere"].to_list() == [None]


@pytest.mark.parametrize(
    ("kind", "inside", "weight"),
    [("keyword", 4.0, 5.0), ("keyword", -3.0, 3.0), ("keyword", None, 6.0), ("chunk", None, 3.0)],
)
def test_half_of_the_weight_is_what_holds_inside_chunks(kind: str, inside: float | None, weight: float) -> None:
    case = Case()
    case.pair(case.query(range(50), kind=kind), case.response(range(50)), score=6.0, within_low=inside)
    assert ranks(case, np.zeros(1_000, np.int64))["rank_weight"].to_list() == [weight]


def test_findings_of_clusters_count_for_each_other_alone() -> None:
    case = Case()
    for number, kind in enumerate(("cluster", "keyword", "cluster", "keyword")):
        rows, score = range(number * 100, number * 100 + 50), 6.0 - number
        case.pair(case.query(rows, kind=kind), case.response(rows), "a", score=score, within_low=score)
    found = ranks(case, np.zeros(1_000, np.int64)).sort("score", descending=True)
    places = np.exp(found["score"].to_numpy() - found["rank_weight"].to_numpy())
    assert places == pytest.approx([1, 1, 3, 2])


def test_the_odds_of_the_kth_finding_of_a_chunk_are_divided_by_k() -> None:
    case = Case()
    for number, (chunk, score) in enumerate((("a", 6.0), ("a", 5.9), ("a", 5.8), ("b", 5.0))):
        rows = range(number * 100, number * 100 + 50)
        case.pair(case.query(rows), case.response(rows), chunk, score=score, within_low=score)
    found = ranks(case, np.zeros(1_000, np.int64))
    assert found["top_chunk"].to_list() == ["a", "a", "b", "a"]
    assert found["rank_weight"].to_list() == pytest.approx([6.0, 5.9 - np.log(2), 5.0, 5.8 - np.log(3)])


# words ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"), (0.0, "0 %"), (1 / 262_304, "0.00038 %"), (0.0013, "0.13 %"), (0.041, "4.1 %"), (0.0996, "10 %"),
        (0.1, "10 %"), (0.764, "76 %"), (0.985, "98 %"), (0.99, "99 %"), (0.995, "99.5 %"), (0.9997, "99.97 %"),
        (0.99999, "100 %"), (1, "100 %"), (1.0, "100 %"), (None, "?"),
    ],
)  # fmt: skip
def test_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


FINDING = {
    "trigger_text": "opens with “are you”", "behavior_text": "opens with “no,”", "p_behavior_given_trigger": 0.7623,
    "p_low": 0.7381, "p_high": 0.7888, "trigger_rows": 1_077, "base_rate": 0.00114, "lift": 178.5,
    "top_chunk": "hello", "top_chunk_share": 0.9997,
}  # fmt: skip


def test_a_finding_is_one_sentence() -> None:
    assert sentence(FINDING) == (
        "When the query opens with “are you”, the response opens with “no,”: 76 % of 1,077 rows "
        "(95 % interval 74 % to 79 %); 0.11 % elsewhere; lift 178×; 99.97 % of those rows from hello."
    )


def test_a_sentence_names_three_other_behaviors() -> None:
    told = sentence(FINDING | {"other_behaviors": ["a", "b", "c", "d"]})
    assert "the response also a, b, c" in told
    assert ", d" not in told


def test_a_sentence_says_what_is_unknown() -> None:
    told = sentence(FINDING | {"base_rate": None, "top_chunk": None, "top_chunk_share": None, "lift": 1.04})
    assert told.endswith("(95 % interval 74 % to 79 %); no row lacks the trigger; lift 1×.")
