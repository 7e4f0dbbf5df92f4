"""Rubrics: files, names and sentences; signals graded as their formula says; known answers; none knows the planter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chunky.rubrics
from chunky import rubrics
from chunky.errors import InputError, SettingsError
from chunky.llm import get_model
from chunky.llm.roles import judge
from chunky.planted import WorldSpec, plant_world
from chunky.planted.banks import QUERY_BANKS, RESPONSE_BANKS
from chunky.rubrics import SKELETON, check, grade, names, of_source, read_file, rubric
from chunky.rubrics.rubric import parse_text, parse_yaml
from chunky.rubrics.signals import signals_of
from tests.test_planted_truth import wordings

FOLDER = Path(chunky.rubrics.__file__).parent
PACKAGED = ("analytic", "code", "identity", "literary_style", "math", "rebuttal", "refusal")


def test_seven_rubrics_travel_with_the_package() -> None:
    assert names() == list(PACKAGED)


@pytest.mark.parametrize("name", PACKAGED)
def test_a_packaged_rubric_is_whole(name: str) -> None:
    one = rubric(name)
    assert one.name == name
    assert one.details
    assert one.critical
    assert one.signals
    assert len(one.behaviors) >= 3
    assert all(behavior.startswith("The response ") for behavior in one.behaviors)
    spans = [(each.low, each.high) for each in one.scoring]
    assert spans[0][1] == 100
    assert spans[-1][0] == 0
    assert spans == sorted(spans, reverse=True), "worst first"
    assert any(each.response for each in one.scoring)
    assert {canary.high <= 40 for canary in one.canaries} == {True, False}, "both kinds of answers are known"
    shown = {(each.query, each.response) for each in one.scoring}
    assert not shown & {(canary.query, canary.response) for canary in one.canaries}, "the judge must not know them"
    text = one.text()
    assert one.principle in text
    assert all(canary.response not in text for canary in one.canaries)
    assert "CRITICAL" in text


@pytest.mark.parametrize("name", PACKAGED)
def test_the_rules_judge_knows_the_known_answers(name: str) -> None:
    one = rubric(name)
    scores = grade([c.query for c in one.canaries], [c.response for c in one.canaries], one.signals)
    for canary, score in zip(one.canaries, scores["violation_score"], strict=True):
        assert canary.low <= score <= canary.high, canary


@pytest.mark.parametrize("name", PACKAGED)
def test_a_packaged_rubric_passes_its_check(name: str) -> None:
    found = check(rubric(name))
    assert found.misses == ()
    assert found.warnings == ()
    assert {case.kind for case in found.cases} >= {"canary", "example of severe", "example of none"}
    told = judge.requests([judge.Exchange(case.query, case.response) for case in found.cases], rubric(name))
    replies = zip(told, get_model("rules").complete(told), strict=True)
    assert [judge.read(*each).value.score for each in replies] == [case.score for case in found.cases]  # type: ignore[union-attr]


def test_a_check_finds_what_is_missed_and_what_lacks() -> None:
    lines = (
        "principle: Do not shout.",
        "scoring: [{grade: bad, low: 90, high: 100, when: a, query: q, response: '!'}, {grade: ok, when: b, query: q}]",
        "signals: [{name: loud, weight: 0.5, regex: '!'}]",
        "canaries: [{query: q, response: '!', low: 50, high: 50}, {query: q, response: '!', low: 51}]",
    )
    found = check(parse_yaml("loud", "\n".join(lines)))
    assert [(case.kind, case.score, case.is_met) for case in found.cases] == [
        ("canary", 50.0, True), ("canary", 50.0, False), ("example of bad", 50.0, False),
    ]  # fmt: skip
    assert len(found.misses) == 2
    told = " ".join(found.warnings)
    assert "no `critical`" in told
    assert "canaries of one kind" in told
    assert "the example of ok is not shown" in told
    assert "`scoring`" not in told
    bare = check(parse_text("bare", "Do not sing."))
    assert bare.cases == ()
    assert [warning.split()[1] for warning in bare.warnings] == [
        "`scoring`:",
        "`critical`:",
        "`signals`:",
        "`canaries`:",
    ]


def test_signals_that_only_excuse_are_told() -> None:
    one = parse_yaml("mild", "principle: x\nsignals: [{name: a, weight: -0.5, regex: b}]")
    assert any("no score of the rules judge is above 0" in each for each in check(one).warnings)


def test_the_skeleton_is_a_rubric_in_which_a_check_finds_nothing() -> None:
    found = check(parse_yaml("mine", SKELETON))
    assert (found.misses, found.warnings) == ((), ())
    assert len(found.cases) >= 4
    assert set(re.findall(r"^(\w+):", SKELETON, re.MULTILINE)) == {
        "principle", "details", "scoring", "critical", "behaviors", "signals", "canaries",
    }  # fmt: skip


@pytest.mark.parametrize("name", PACKAGED)
def test_the_source_of_a_packaged_rubric_is_the_rubric(name: str) -> None:
    again = of_source(name, rubric(name).source)
    assert again == rubric(name)
    assert again.version == rubric(name).version
    assert again.source == rubric(name).source


@settings(deadline=None, max_examples=150)
@given(st.text(min_size=1, max_size=80).filter(str.strip))
def test_the_source_of_a_sentence_is_the_sentence(text: str) -> None:
    one = parse_text("mine", text)
    again = of_source("mine", one.source)
    assert again == one
    assert again.principle == text.strip()
    assert again.version == one.version


def test_scores_are_graded_not_yes_or_no() -> None:
    answers = [
        "It sank in 1912.",
        "Actually, it sank in 1912.",
        "No, it did not actually sink.",
        "No. That is false. A myth.",
    ]
    scores = grade(["When did the Titanic sink?"] * 4, answers, rubric("rebuttal").signals)["violation_score"].to_list()
    assert scores == sorted(scores)
    assert len({round(score) for score in scores}) == 4
    assert 0 < scores[1] < 50


def test_no_rubric_knows_the_strings_of_the_planter() -> None:
    files = [*FOLDER.glob("*.yaml"), *FOLDER.glob("*.py"), *(FOLDER.parent / "llm").rglob("*.py")]
    source = "\n".join(file.read_text(encoding="utf-8") for file in files).casefold()
    assert len(files) > 15
    for seed in range(8):
        truth = plant_world(WorldSpec(seed=seed, rows=1_500, chunks=5, plants=4, tiers=("plain",))).truth
        for plant in truth.plants:
            for string in (*plant.trigger.strings, *plant.behavior.strings):
                assert len(string) < 8 or string.casefold() not in source, string
    assert not [
        text for bank in (*QUERY_BANKS, *RESPONSE_BANKS) for text in wordings(bank) if text.casefold() in source
    ]
    probes = [bank.probe.casefold() for bank in (*QUERY_BANKS, *RESPONSE_BANKS) if bank.probe]
    assert len(probes) > 5
    assert not [probe for probe in probes if probe in source]
    assert "chunky.planted" not in source


def test_a_name_a_file_and_a_sentence(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("principle: Do not shout.\nbehaviors: The response shouts.\n", encoding="utf-8")
    assert rubric("code") == read_file(FOLDER / "code.yaml")
    assert rubric(str(mine)) == rubric(mine) == rubric("mine", [tmp_path])
    assert rubric(mine).behaviors == ("The response shouts.",)
    assert names([tmp_path]) == sorted([*PACKAGED, "mine"])
    notes = tmp_path / "notes.txt"
    notes.write_text("No puns.\nNot one.\n", encoding="utf-8")
    assert rubric(notes).principle == "No puns.\nNot one."
    said = rubric("The assistant should not rhyme.")
    assert said.principle == said.text().removeprefix("PRINCIPLE\n") == "The assistant should not rhyme."
    assert re.fullmatch(r"text_[0-9a-f]{8}", said.name)
    assert (
        rubric(" The assistant should not rhyme.\n").name == said.name != rubric("The assistant should not sing.").name
    )
    (tmp_path / "code.yaml").write_text("principle: Mine.", encoding="utf-8")
    assert rubric("code", [tmp_path]).principle == "Mine."


def test_the_folder_of_a_lake_goes_before_the_package(tmp_path: Path) -> None:
    assert rubrics.folders_of(tmp_path) == ()
    folder = tmp_path / "rubrics"
    folder.mkdir()
    folders = rubrics.folders_of(tmp_path)
    (folder / "no-rhymes.yaml").write_text("principle: Do not rhyme.", encoding="utf-8")
    (folder / "code.yml").write_text("principle: Mine.", encoding="utf-8")
    (folder / "notes.txt").write_text("no rubric", encoding="utf-8")
    assert folders == (folder,)
    assert rubric("no-rhymes", folders).principle == "Do not rhyme."
    assert rubric("code", folders).principle == "Mine."
    assert rubric("math", folders) == rubric("math")
    files = rubrics.files(folders)
    assert list(files) == names(folders) == sorted([*PACKAGED, "no-rhymes"])
    assert [name for name, path in files.items() if not rubrics.is_packaged(path)] == ["code", "no-rhymes"]
    with pytest.raises(SettingsError, match="perhaps you meant no-rhymes"):
        rubric("no-rhyme", folders)


@pytest.mark.parametrize(
    ("spec", "kind", "problem"),
    [
        ("rebutal", SettingsError, "perhaps you meant rebuttal"),
        ("zzz", SettingsError, "known: analytic"),
        ("absent.yaml", InputError, "no rubric file"),
        ("folder/absent", InputError, "no rubric file"),
        (Path("absent"), InputError, "cannot be read"),
        ("", InputError, "empty"),
        ("  \n", InputError, "empty"),
    ],
)
def test_what_is_no_rubric_is_an_error_with_a_remedy(spec: str | Path, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind, match=problem):
        rubric(spec)


def test_a_sentence_too_long_for_a_path_is_a_sentence() -> None:
    assert rubric("do not " * 2_000 + "\0").principle.startswith("do not")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no keys"),
        ("- a\n- b", "has no keys"),
        ("principle: [", "is no YAML"),
        ("principle: x\nprinciple: y", "the key 'principle' is there twice"),
        ("principle: x\nsignals:\n  - {name: a, weight: 1, regex: b, regex: c}", "the key 'regex' is there twice"),
        ("details: [a]", "has no principle"),
        ("principle: '  '", "has no principle"),
        ("principle: 5", "has no principle"),
        ("principle: x\nprinciples: y", "perhaps you meant `principle`"),
        ("principle: x\ncolor: red", "known: principle"),
        ("principle: x\ndetails: [1]", "no list of sentences"),
        ("principle: x\nscoring: [a]", "no list of mappings"),
        ("principle: x\nscoring: [{grade: a, low: 0, high: 200, when: b}]", "0 to 200"),
        ("principle: x\nscoring: [{grade: a, low: 9, high: 2, when: b}]", "9 to 2"),
        ("principle: x\nscoring: [{low: 0, high: 2, when: b}]", "has no grade"),
        ("principle: x\ncanaries: [{query: a, low: 0}]", "has no response"),
        ("principle: x\ncanaries: [{query: a, response: b, low: high}]", "'high'"),
        ("principle: x\ncanaries: [{query: a, response: no, low: 1}]", "quoted if it is yes"),
        ("principle: x\ncanaries: [{query: a, response: b, score: 1}]", "the key 'score'"),
        ("principle: x\nsignals: {a: b}", "is no list"),
        ("principle: x\nsignals: [a]", "no mapping"),
        ("principle: x\nsignals: [{name: a, weight: 0, shape: refusal}]", "the weight 0"),
        ("principle: x\nsignals: [{name: a, weight: yes, shape: refusal}]", "the weight True"),
        ("principle: x\nsignals: [{name: a, weight: 1}]", "no condition"),
        ("principle: x\nsignals: [{name: a, weight: 1, shape: refusal, regex: b}]", "none or several tests"),
        ("principle: x\nsignals: [{name: a, weight: 1, shape: refusals}]", "perhaps you meant `refusal`"),
        ("principle: x\nsignals: [{name: a, weight: 1, side: query, shape: refusal}]", "no shape 'refusal' of a query"),
        ("principle: x\nsignals: [{name: a, weight: 1, side: both, regex: a}]", "the side 'both'"),
        ("principle: x\nsignals: [{name: a, weight: 1, regex: '('}]", "cannot be read"),
        ("principle: x\nsignals: [{name: a, weight: 1, regex: '(?=a)'}]", "cannot be read"),
        ("principle: x\nsignals: [{name: a, weight: 1, share: '['}]", "cannot be read"),
        ("principle: x\nsignals: [{name: a, weight: 1, phrases: []}]", "a phrases of"),
        ("principle: x\nsignals: [{name: a, weight: 1, phrases: ['\n']}]", "holds no word"),
        ("principle: x\nsignals: [{name: a, weight: 1, regex: a, full: 0}]", "a regex of"),
        ("principle: x\nsignals: [{name: a, weight: 1, regex: a, ful: 2}]", "with ful"),
        ("principle: x\nsignals: [{name: a, weight: 1, length: long}]", "a length of"),
        ("principle: x\nsignals: [{name: a, weight: 1, regex: a}, {name: a, weight: 1, regex: b}]", "is taken"),
        ("principle: x\nsignals: [{name: violation_score, weight: 1, regex: a}]", "is taken"),
    ],
)
def test_a_broken_file_says_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml("mine", text)
    assert problem in str(caught.value)


PLAIN = [
    {"name": "loud", "weight": 0.5, "regex": "!", "full": 4},
    {"name": "late", "weight": 0.25, "phrases": ["by the way", "oh"], "full": 2, "closing": 12},
    {"name": "a and b", "weight": 0.8, "all": [{"regex": "a"}, {"regex": "b", "side": "query", "full": 2}]},
    {"name": "long", "weight": 0.3, "length": 20, "unless": [{"regex": "z"}]},
    {"name": "excuse", "weight": -0.6, "side": "query", "share": "x+", "full": 0.5},
]


def by_hand(query: str, response: str) -> float:
    """The formula again, in plain Python, for PLAIN alone."""
    tail = re.findall(r"\w+|\S", response.rstrip()[-12:].lower())
    has_way = any(tail[n : n + 3] == ["by", "the", "way"] for n in range(len(tail)))
    loud = min(1, response.count("!") / 4)
    late = (has_way + ("oh" in tail)) / 2
    both = min(min(1, response.count("a")), min(1, query.count("b") / 2))
    long = max(0.0, min(1, len(response) / 20) - min(1, response.count("z")))
    excuse = min(1, (sum(map(len, re.findall("x+", query))) / max(1, len(query))) / 0.5)
    room = (1 - 0.5 * loud) * (1 - 0.25 * late) * (1 - 0.8 * both) * (1 - 0.3 * long)
    return 100 * (1 - room) * (1 - 0.6 * excuse)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.text(alphabet="abx ", max_size=8),
            st.lists(st.sampled_from(["a", "!", "oh", "by the way", "z", "word"]), max_size=8).map(" ".join),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_grade_is_the_formula(rows: list[tuple[str, str]]) -> None:
    queries, responses = map(list, zip(*rows, strict=True))
    scores = grade(queries, responses, signals_of(PLAIN))["violation_score"].to_list()
    assert scores == pytest.approx([by_hand(query, response) for query, response in rows])


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40), st.text(max_size=200), st.sampled_from(PACKAGED))
def test_a_score_is_a_number_from_0_to_100_whatever_the_text(query: str, response: str, name: str) -> None:
    frame = grade([query], [response], rubric(name).signals)
    assert 0 <= frame["violation_score"].item() <= 100
    assert all(0 <= value <= 1 for value in frame.drop("violation_score").row(0))


def test_nothing_to_score_by_is_an_error() -> None:
    with pytest.raises(InputError, match="no signals"):
        grade(["a"], ["b"], ())


def test_the_version_follows_what_a_score_depends_on() -> None:
    base = "principle: x\nsignals: [{name: a, weight: 1, regex: a}]"
    version = parse_yaml("a", base).version
    assert parse_yaml("b", base + "\ncanaries: [{query: a, response: b, low: 3}]").version == version
    assert parse_yaml("a", base.replace("weight: 1", "weight: 0.9")).version != version
    assert parse_yaml("a", base.replace("principle: x", "principle: y")).version != version
