"""Diff: one planted correlation more or less is one headline; what merely was mined anew is none."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from chunky import accepted, diff, pipeline
from chunky.cli.diff import as_data, as_markdown, escaped
from chunky.errors import InputError
from chunky.lens import Lens
from chunky.planted import World, WorldSpec, feature_matches, plant_world, without_plant, write_world
from chunky.settings import Settings
from chunky.tables import TABLES
from chunky.warehouse import Warehouse

# a small lake by hand -----------------------------------------------------------------------------------------------

SCHEMA = pl.DataFrame(TABLES["report.findings"].arrow_schema.empty_table()).schema
T, B, OTHER, CHUNK = 1, 2, 3, 9


def finding(trigger: int, behavior: int, score: float = 2.0, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: ({pl.String: "x", pl.Boolean: False, pl.Float64: 0.01}.get(kind, 1))  # type: ignore[call-overload]
        for name, kind in SCHEMA.items()
    }
    texts = {"trigger_text": f"has t{trigger}", "behavior_text": f"has b{behavior}", "scope": None}
    return row | {"trigger_id": trigger, "behavior_id": behavior, "score": score, **texts, **more}


def side(members: dict[int, list[int]], rows: range, told: list[dict[str, Any]], chunk: str = "c") -> diff.Side:
    corpus = pl.DataFrame(
        {"row_id": list(rows), "content_id": list(rows), "chunk": [chunk] * len(rows)},
        schema={"row_id": pl.Int64, "content_id": pl.Int64, "chunk": pl.String},
    )
    arrays = {name: np.array(sorted(ids), np.int64) for name, ids in members.items()}
    return diff.Side(pl.DataFrame(told, schema=SCHEMA, orient="row"), corpus, arrays)


ROWS = range(1000)
STRONG = {T: list(range(100)), B: [*range(90), *range(500, 510)]}
WEAK = {T: list(range(100)), B: [*range(1), *range(500, 510)]}


def headlines(before: diff.Side, after: diff.Side, chunk_ids: tuple[int, ...] = ()) -> list[diff.News]:
    return diff.compare(before, after, chunk_ids)


def test_a_lake_does_not_differ_from_itself() -> None:
    lake = side(STRONG, ROWS, [finding(T, B)])
    assert headlines(lake, lake) == []


def test_appeared_and_went_are_mirror_images() -> None:
    weak, strong = side(WEAK, ROWS, []), side(STRONG, ROWS, [finding(T, B)])
    (appeared,), (went,) = headlines(weak, strong), headlines(strong, weak)
    assert (appeared.kind, went.kind) == ("appeared", "went")
    assert (appeared.before, appeared.after) == (went.after, went.before)
    assert appeared.after.p == 0.9
    assert appeared.changed_rows == 89
    assert (appeared.chunk, appeared.chunk_share) == ("c", 1.0)


def test_a_feature_that_was_mined_in_one_lake_only_is_no_news() -> None:
    """The pair is a finding of one lake alone, but the other holds the same rows."""
    assert headlines(side(STRONG, ROWS, []), side(STRONG, ROWS, [finding(T, B)])) == []


def test_moved_needs_intervals_apart_and_odds_doubled() -> None:
    def lake(hits: int) -> diff.Side:
        return side({T: list(range(200)), B: [*range(hits), *range(500, 505)]}, ROWS, [finding(T, B)])

    assert [news.kind for news in headlines(lake(60), lake(140))] == ["moved"]
    assert headlines(lake(60), lake(70)) == [], "the intervals overlap"

    def big(hits: int) -> diff.Side:
        rows = range(40_000)
        return side({T: list(range(20_000)), B: [*range(hits), *range(30_000, 30_100)]}, rows, [finding(T, B)])

    assert headlines(big(10_000), big(10_800)) == [], "intervals apart, odds much the same"


def test_scope_moves_only_beyond_its_interval() -> None:
    def lake(scope: str, middle: float) -> diff.Side:
        numbers = {"within_log_odds": middle, "within_low": middle - 0.5, "within_high": middle + 0.5}
        return side(STRONG, ROWS, [finding(T, B, scope=scope, **numbers)])

    assert headlines(lake("mixed", 1.0), lake("within", 1.2)) == []
    (moved,) = headlines(lake("between", 0.0), lake("within", 2.0))
    assert (moved.kind, moved.scope_before, moved.scope_after) == ("moved", "between", "within")


def test_too_few_rows_to_compare_are_judged_by_the_rows_themselves() -> None:
    def lake(extent: int) -> diff.Side:
        return side({T: list(range(extent)), B: list(range(extent))}, ROWS, [finding(T, B)] if extent >= 20 else [])

    assert headlines(lake(19), lake(21)) == [], "the threshold was crossed by two rows"
    assert [news.kind for news in headlines(lake(5), lake(60))] == ["appeared"]
    assert [news.kind for news in headlines(lake(60), lake(0))] == ["went"]


def test_weak_or_doubtful_findings_do_not_count() -> None:
    weak = side(WEAK, ROWS, [])
    for told in (finding(T, B, score=0.5), finding(T, B, q_value=0.05), finding(T, B, score=-1.0)):
        assert headlines(weak, side(STRONG, ROWS, [told])) == []
    told = pl.DataFrame([finding(T, B, score=0.0)], schema=SCHEMA, orient="row")
    assert diff.worth_telling(told, min_score=0.0).is_empty(), "a score of 0 is no correlation"


def test_news_on_the_same_rows_are_one_headline() -> None:
    before = {**WEAK, OTHER: [], CHUNK: list(ROWS)}
    after = {**STRONG, OTHER: list(range(80)), CHUNK: list(ROWS)}
    told = [finding(T, B), finding(T, OTHER), finding(OTHER, B)]
    (only,) = headlines(side(before, ROWS, []), side(after, ROWS, told))
    assert len(only.folded) == 2


def test_news_on_other_rows_are_headlines_of_their_own() -> None:
    more = list(range(600, 700))
    before = {**WEAK, 11: more, 12: []}
    after = {**STRONG, 11: more, 12: more}
    assert len(headlines(side(before, ROWS, []), side(after, ROWS, [finding(T, B), finding(11, 12)]))) == 2


def test_a_cue_inside_an_added_chunk_is_not_hidden_by_what_the_chunk_does_everywhere() -> None:
    """New rows 1000–1999 always show 12; those with the cue T, and few others, show B."""
    old, new = range(1000), range(2000)
    cue = list(range(1000, 1300))
    before = {T: [], B: [], CHUNK: [], 12: list(range(100)), 13: []}
    after = {
        T: cue,
        B: [*cue[:280], 1900],
        CHUNK: list(range(1000, 2000)),
        12: [*range(100), *range(1000, 2000)],
        13: list(range(1000, 1900)),
    }
    told = [finding(T, B), finding(13, 12), finding(CHUNK, 12), finding(CHUNK, B)]
    news = headlines(side(before, old, []), side(after, new, told), (CHUNK,))
    assert (T, B) in {(one.trigger_id, one.behavior_id) for one in news}
    assert (CHUNK, B) not in {(one.trigger_id, one.behavior_id) for one in news}, "told by the cue"


MEMBERS = st.sets(st.integers(0, 39), max_size=40)


@settings(deadline=None, max_examples=80)
@given(MEMBERS, MEMBERS, st.lists(st.integers(0, 12), min_size=40, max_size=40), st.booleans())
def test_counts_agree_with_the_obvious_oracle(
    trigger: set[int], behavior: set[int], contents: list[int], is_chunk: bool
) -> None:
    chunks = ["a" if row < 17 else "b" for row in range(40)]
    # the same content is on the same side of every feature, as it is in a corpus
    trigger = {row for row in range(40) if contents[row] in {contents[other] for other in trigger}}
    behavior = {row for row in range(40) if contents[row] in {contents[other] for other in behavior}}
    rows = pl.DataFrame(
        {"row_id": range(40), "content_id": contents, "chunk": chunks}, schema_overrides={"row_id": pl.Int64}
    )
    one = diff.Side(
        pl.DataFrame(schema=SCHEMA),
        rows,
        {T: np.array(sorted(trigger), np.int64), B: np.array(sorted(behavior), np.int64)},
    )
    world = diff._World(one, one)
    got = world.after.measure(world.after.mask(T), world.after.mask(B), is_chunk)

    def distinct(members: set[int]) -> int:
        return len({(contents[row], chunks[row] if is_chunk else "") for row in members})

    both = trigger & behavior
    assert (got.trigger_rows, got.both_rows) == (len(trigger), len(both))
    assert (got.trigger_n, got.both_n) == (distinct(trigger), distinct(both))
    assert (got.p is None) == (got.log_odds is None) == (not trigger)
    if trigger:
        a, b, c = distinct(both), distinct(trigger) - distinct(both), distinct(behavior) - distinct(both)
        assert (got.log_odds, got.error) == diff.log_odds(a, b, c, distinct(set(range(40))) - a - b - c)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    with Lens(Warehouse(tmp_path_factory.mktemp("empty"))) as lens:
        yield lens


@settings(deadline=None, max_examples=40)
@given(a=st.integers(0, 300), b=st.integers(0, 300), c=st.integers(0, 300), d=st.integers(0, 10_000))
def test_statistics_are_those_of_the_sql_macros(empty: Lens, a: int, b: int, c: int, d: int) -> None:
    got = (*diff.wilson(a, a + b), *diff.log_odds(a, b, c, d))
    row = empty.connection.execute(
        "select stats.wilson_low($a, $a + $b), stats.wilson_high($a, $a + $b), stats.log_odds($a, $b, $c, $d), "
        "stats.log_odds_error($a, $b, $c, $d)",
        {"a": a, "b": b, "c": c, "d": d},
    ).fetchall()[0]
    assert got == pytest.approx([(0.0, 1.0)[place] if value is None else value for place, value in enumerate(row)])


# accepted pairs -----------------------------------------------------------------------------------------------------

TODAY = datetime.date(2026, 6, 1)
ENTRY = {"trigger": "has t1", "behavior": "has b2", "reason": "house style", "date": "2026-01-31"}


def listed(**changes: Any) -> list[accepted.Entry]:
    return accepted.parse("accepted.yaml", json.dumps([{**ENTRY, **changes}]))


def news() -> list[diff.News]:
    return headlines(side(WEAK, ROWS, []), side(STRONG, ROWS, [finding(T, B)]))


@pytest.mark.parametrize(("trigger", "behavior"), [("has t1", "has b2"), ("has *", "*"), ("has t?", "has b2")])
def test_an_accepted_pair_is_told_apart(trigger: str, behavior: str) -> None:
    judged = accepted.judge(news(), listed(trigger=trigger, behavior=behavior), TODAY)
    assert judged.news == ()
    assert [entry.reason for _, entry in judged.accepted] == ["house style"]
    assert judged.complaints == ()


def test_brackets_in_a_text_are_no_pattern() -> None:
    entry = listed(trigger="has [a-z]")[0]
    assert not entry.covers(news()[0])


def test_stale_and_expired_entries_are_complained_of_and_silence_nothing() -> None:
    judged = accepted.judge(news(), [*listed(trigger="other"), *listed(until="2026-05-31")], TODAY)
    assert len(judged.news) == 1
    assert ["ran out on 2026-05-31" in line or "matches no news" in line for line in judged.complaints] == [True, True]
    assert accepted.judge(news(), listed(until="2026-06-01"), TODAY).news == ()


def test_a_folded_pair_is_taken_out_and_the_headline_stays() -> None:
    after = side({**STRONG, OTHER: list(range(80))}, ROWS, [finding(T, B), finding(T, OTHER)])
    told = headlines(side({**WEAK, OTHER: []}, ROWS, []), after)
    (folded,) = told[0].folded
    judged = accepted.judge(told, listed(trigger=folded.trigger_text, behavior=folded.behavior_text), TODAY)
    assert [one.folded for one in judged.news] == [()]
    assert [one for one, _ in judged.accepted] == [folded]


@pytest.mark.parametrize(
    "text",
    [
        "trigger: x",
        "- x",
        "[1]",
        "- {trigger: x",
        "- {trigger: a, behavior: b, reason: c}",
        "- {trigger: a, behavior: b, reason: ' ', date: 2026-01-01}",
        "- {trigger: a, behavior: b, date: 2026-01-01}",
        "- {trigger: a, behavior: b, reason: c, date: soon}",
        "- {trigger: a, behavior: b, reason: c, date: 2026-02-30}",
        "- {trigger: a, behavior: b, reason: c, date: 2026-01-01, until: never}",
        "- {trigger: a, behavior: b, reason: c, date: 2026-01-01, because: d}",
        "!!python/object:os.system {}",
    ],
)
def test_a_bad_list_is_an_error_that_names_the_file(text: str) -> None:
    with pytest.raises(InputError, match=r"accepted\.yaml"):
        accepted.parse("accepted.yaml", text)


def test_an_empty_list_is_fine() -> None:
    assert accepted.parse("accepted.yaml", "# nothing yet\n") == []


# showing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        "a | b",
        "line\nbreak",
        "<script>alert(1)</script>",
        "@everyone",
        "[x](javascript:x)",
        "![i](http://e.x/i.png)",
        "`code`",
        "**bold**",
        "# head",
        "https://evil.example",
        "&lt;b&gt;",
        "\x1b[31mred",
        "\u202eevil",
        "a ~~b~~",
        "$x^2$",
    ],
)
def test_hostile_text_is_inert_in_markdown(hostile: str) -> None:
    after = side(STRONG, ROWS, [finding(T, B, trigger_text=hostile)])
    judged = accepted.judge(headlines(side(WEAK, ROWS, []), after), [], TODAY)
    table = as_markdown(judged).splitlines()[2:]
    assert len(table) == 3, "a heading, a rule, one line"
    assert table[2].replace(r"\|", "").count("|") == 6
    text = escaped(hostile)
    for dangerous in ("\n", "<", ">", "@", "://", "\x1b", "\u202e"):
        assert dangerous not in text
    for place, character in enumerate(text):
        assert character not in "`*[]|~$" or text[place - 1] == "\\"


def test_json_holds_all_numbers() -> None:
    judged = accepted.judge(news(), [], TODAY)
    data = json.loads(json.dumps(as_data(judged, Path("a"), Path("b"), 0.7)))
    assert data["news"][0]["before"]["p_behavior_given_trigger"] == 0.01
    assert data["news"][0]["after"]["trigger_rows"] == 100


# planted worlds, through the whole pipeline --------------------------------------------------------------------------


def build(world: World, folder: Path, **correlations: Any) -> Path:
    files = write_world(world, folder.with_suffix(".mix"))
    quick = {"embeddings": {"embedder": "hashing"}, "attributes": {"topics": 60, "word_vectors": "mix"}}
    values = Settings.model_validate(quick | {"correlations": {"clusters": True} | correlations})
    lake = Warehouse(folder)
    assert all(taken.fault is None for taken in pipeline.ingest(lake, [str(files.folder)], values))
    for name, step in pipeline.STEPS.items():
        if name not in ("chunks", "duplicates"):
            step(lake, values, pipeline.silent)
    return folder


def run(*arguments: object) -> tuple[int, str, str]:
    from chunky.cli.app import app

    result = CliRunner().invoke(app, ["diff", *(str(argument) for argument in arguments), "--quiet"])
    return result.exit_code, result.stdout, result.stderr


def about(world: World, lake: Path, plant_id: str) -> set[tuple[str, int]]:
    """(role, feature_id) of the features most of whose rows carry that side of the plant."""
    with Lens(Warehouse(lake)) as lens:
        rows = pl.DataFrame(lens.table("select row_id, conversation_id from corpus.rows"))
        members = pl.DataFrame(lens.table("select feature_id, row_id from correlations.members"))
    found = feature_matches(world.truth, rows, members).filter(
        (pl.col("plant_id") == plant_id) & (pl.col("precision") >= 0.6)
    )
    return {(role, feature) for role, feature in found.select("role", "feature_id").iter_rows()}


class Pair:
    """One world, and the same without its first plain plant, as two lakes."""

    def __init__(self, folder: Path, spec: WorldSpec) -> None:
        self.world = plant_world(spec)
        self.plant = self.world.truth.plants[0]
        self.full = build(self.world, folder / "full")
        self.less = build(without_plant(self.world, self.plant.plant_id), folder / "less")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    spec = WorldSpec(seed=11, rows=1_200, chunks=4, plants=2, cues=1, tiers=("plain",), prevalence=(0.25, 0.35))
    return Pair(tmp_path_factory.mktemp("worlds"), spec)


def check_one_plant(pair: Pair) -> None:
    named = about(pair.world, pair.full, pair.plant.plant_id)
    for before, after, kind in ((pair.less, pair.full, "appeared"), (pair.full, pair.less, "went")):
        code, out, _ = run(before, after, "--json")
        told = json.loads(out)["news"]
        assert code == 1
        assert told, "the plant must be told"
        for one in told:
            assert one["kind"] == kind
            assert ("trigger", one["trigger_id"]) in named or ("behavior", one["behavior_id"]) in named, one[
                "trigger_text"
            ]
        assert ("trigger", told[0]["trigger_id"]) in named
        assert ("behavior", told[0]["behavior_id"]) in named


def test_one_plant_more_or_less_is_told_and_nothing_else(pair: Pair) -> None:
    check_one_plant(pair)


def test_findings_of_clusters_are_left_out_and_counted(pair: Pair) -> None:
    code, out, err = run(pair.less, pair.full, "--json")
    told = json.loads(out)
    assert told["left_out"] > 0
    assert f"note: {told['left_out']} findings of clusters are left out" in err
    known: set[int] = set()
    for folder in (pair.less, pair.full):
        with Lens(Warehouse(folder)) as lens:
            rows = lens.table("select feature_id from correlations.features where kind = 'cluster'")
            known |= set(rows["feature_id"].to_pylist())
    every = [one for news in told["news"] for one in (news, *news["folded"])]
    assert not {one[side] for one in every for side in ("trigger_id", "behavior_id")} & known
    code, out, err = run(pair.less, pair.full, "--json", "--clusters")
    told = json.loads(out)
    assert (code, told["left_out"]) == (1, 0)
    assert "left out" not in err
    every = [one for news in told["news"] for one in (news, *news["folded"])]
    assert {one[side] for one in every for side in ("trigger_id", "behavior_id")} & known


@pytest.mark.slow
def test_the_same_mix_mined_otherwise_is_no_difference(pair: Pair, tmp_path: Path) -> None:
    other = build(pair.world, tmp_path / "other", mined_per_chunk=25)
    for lakes in ((pair.full, other), (other, pair.full)):
        code, out, err = run(*lakes)
        assert (code, out.strip()) == (0, "no difference")
        assert "different settings" in err


def test_exit_codes_and_outputs(pair: Pair, tmp_path: Path) -> None:
    assert run(pair.full, pair.full)[0] == 0
    code, out, _ = run(pair.less, pair.full)
    assert code == 1
    assert "appeared" in out
    code, out, _ = run(pair.less, pair.full, "--markdown")
    assert code == 1
    assert out.startswith("**chunky diff**: ")
    for wrong in (
        (pair.full,),
        (pair.full, tmp_path / "nothing"),
        (pair.full, tmp_path),
        (pair.full, pair.full, "--min-score", "x"),
        (pair.full, pair.full, "--accepted", tmp_path / "none.yaml"),
        (pair.full, pair.full, "--json", "--markdown"),
    ):
        code, out, err = run(*wrong)
        assert (code, out) == (2, ""), wrong
        assert err


def test_accepted_pairs_silence_ci(pair: Pair, tmp_path: Path) -> None:
    _, out, _ = run(pair.less, pair.full, "--json")
    entries = [
        {"trigger": one["trigger_text"], "behavior": one["behavior_text"], "reason": "wanted", "date": "2026-01-01"}
        for one in json.loads(out)["news"]
    ]
    file = tmp_path / "accepted.yaml"
    file.write_text(json.dumps([*entries, {**entries[0], "trigger": "nobody says this"}]), encoding="utf-8")
    code, out, err = run(pair.less, pair.full, "--accepted", file)
    assert code == 0
    assert f"no difference, {len(entries)} accepted" in out
    assert "nobody says this" in err
    file.write_text("- {trigger: x, behavior: y}", encoding="utf-8")
    assert run(pair.less, pair.full, "--accepted", file)[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", [101, 102, 103])
def test_fresh_worlds(tmp_path: Path, seed: int) -> None:
    check_one_plant(Pair(tmp_path, WorldSpec(seed=seed, rows=4_000, chunks=9, plants=6, cues=3, tiers=("plain",))))
