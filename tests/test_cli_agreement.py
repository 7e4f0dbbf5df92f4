"""`chunky agreement` and the step behind it: who rates, what stays, what is paid again, and what is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chunky.contracts import queries
from chunky.errors import InputError, MissingTable
from chunky.lens import Lens
from chunky.llm.roles import judge
from chunky.pipeline.agreement import rate_audit
from chunky.rubrics import grade, of_source
from chunky.settings import Settings
from chunky.stages import stage
from chunky.surf.agreement import alpha
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
from tests import role_server
from tests.audited_lake import AUDIT, EXCHANGES, REBUTTAL, add_audit, make
from tests.role_server import PRICES, RoleServer
from tests.test_cli_trace import invoke

SETTINGS = Settings()
_GRADED = grade([each[0] for each in EXCHANGES], [each[1] for each in EXCHANGES], REBUTTAL.signals)
SCORES = [round(score, 1) for score in _GRADED["violation_score"]]


@pytest.fixture
def lake(tmp_path: Path) -> Warehouse:
    lake = make(tmp_path)
    add_audit(lake)
    return lake


def held(lake: Warehouse, audit: str = AUDIT) -> dict[str, dict[str, float | None]]:
    """Rater → query → score."""
    found: dict[str, dict[str, float | None]] = {}
    with Lens(lake) as lens:
        rows = lens.table(
            "select rater, query, ratings.violation_score as score from surf.ratings as ratings "
            "inner join surf.failures as failures using (audit, failure_id) where audit = ?", [audit]
        ).to_pylist()  # fmt: skip
    for row in rows:
        found.setdefault(row["rater"], {})[row["query"]] = row["score"]
    return found


def labels(path: Path, *rows: str) -> Path:
    path.write_text("query,response,rater,score\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def row(number: int, rater: str, score: float) -> str:
    query, response, _ = EXCHANGES[number]
    return f'"{query}","{response}",{rater},{score}'


# the step -------------------------------------------------------------------------------------------------------------


def test_readings_of_the_judge_are_those_of_the_rules(lake: Warehouse) -> None:
    found = rate_audit(lake, SETTINGS, AUDIT)
    assert found.built.is_new
    assert sorted(held(lake)) == ["rules#1", "rules#2"]
    for scores in held(lake).values():
        assert scores == {query: pytest.approx(score) for (query, _, _), score in zip(EXCHANGES, SCORES, strict=True)}
    (only,) = found.agreement.to_dicts()
    assert (only["raters"], only["units"], only["ratings"], only["alpha"]) == (["rules#1", "rules#2"], 6, 12, 1.0)
    assert not rate_audit(lake, SETTINGS, AUDIT).built.is_new
    with Lens(lake) as lens:
        for name in stage("agreement").tables:
            for query in queries(TABLES[name]):
                assert lens.table(query.sql)["broken"].to_pylist() == [0], query.name


def test_people_are_compared_with_the_judge(lake: Warehouse, tmp_path: Path) -> None:
    people = [90.0, 80.0, 30.0, 0.0, 0.0]
    file = labels(tmp_path / "labels.csv", *(row(number, "anna", score) for number, score in enumerate(people)))
    found = rate_audit(lake, SETTINGS, AUDIT, repeats=1, labels=file)
    assert sorted(held(lake)) == ["anna", "rules#1"]
    (only,) = found.agreement.to_dicts()
    assert (only["units"], only["ratings"]) == (5, 10)
    both = np.array([people, SCORES[:5]]).T
    assert only["alpha"] == pytest.approx(alpha(both))
    assert only["violation_alpha"] == pytest.approx(alpha((both > 70).astype(float), "nominal"))


def test_ratings_that_were_there_stay(lake: Warehouse, tmp_path: Path) -> None:
    rate_audit(lake, SETTINGS, AUDIT, repeats=1)
    rate_audit(lake, SETTINGS, AUDIT, repeats=0, labels=labels(tmp_path / "one.csv", row(0, "anna", 90)))
    second = labels(tmp_path / "two.csv", row(0, "anna", 80), row(1, "anna", 70), row(1, "", 60))
    found = rate_audit(lake, SETTINGS, AUDIT, repeats=0, labels=second)
    assert held(lake)["anna"] == {EXCHANGES[0][0]: 80.0, EXCHANGES[1][0]: 70.0}, "the later one where there are two"
    assert held(lake)["two"] == {EXCHANGES[1][0]: 60.0}, "named like the file"
    assert len(held(lake)["rules#1"]) == 6
    assert found.agreement["raters"].to_list()[0] == ["anna", "rules#1", "two"]
    assert not rate_audit(lake, SETTINGS, AUDIT, repeats=0, labels=second).built.is_new


def test_another_text_of_the_rubric_forgets_models_and_keeps_people(lake: Warehouse, tmp_path: Path) -> None:
    rate_audit(lake, SETTINGS, AUDIT, labels=labels(tmp_path / "one.csv", row(0, "anna", 90)))
    changed = of_source("rebuttal", REBUTTAL.source.replace('"weight": 0.62', '"weight": 0.1'))
    assert changed.principle == REBUTTAL.principle
    add_audit(lake, rubric=changed)
    found = rate_audit(lake, SETTINGS, AUDIT, repeats=1)
    assert found.built.is_new
    assert sorted(held(lake)) == ["anna", "rules#1"], "the second reading was of the other text"


def test_failures_that_are_gone_take_their_ratings_with_them(lake: Warehouse) -> None:
    rate_audit(lake, SETTINGS, AUDIT)
    from tests.small_lake import write

    write(lake, "surf.failures", add_audit(lake)[:2], (AUDIT,))
    rate_audit(lake, SETTINGS, AUDIT, repeats=1)
    assert {rater: len(scores) for rater, scores in held(lake).items()} == {"rules#1": 2, "rules#2": 2}


def test_what_cannot_be_compared_is_an_error(lake: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody rates"):
        rate_audit(lake, SETTINGS, AUDIT, repeats=0)
    with pytest.raises(MissingTable, match="no failures of an audit 'absent'"):
        rate_audit(lake, SETTINGS, "absent")
    with pytest.raises(InputError, match="cannot be read"):
        rate_audit(lake, SETTINGS, AUDIT, labels=tmp_path / "absent.csv")
    assert not lake.parts("surf.ratings")


# a model as judge -----------------------------------------------------------------------------------------------------


@pytest.fixture
def served(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Warehouse, RoleServer, str]]:
    asked: dict[str, int] = {}

    def told(ask: Any) -> str:
        asked[ask.prompt] = asked.get(ask.prompt, 0) + 1
        return json.dumps({"reason": "so", "score": (len(ask.prompt) * 7 + 5 * asked[ask.prompt]) % 101})

    monkeypatch.setattr(role_server, "told", told)
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    (lake.root / "prices.toml").write_text(PRICES, encoding="utf-8")
    with RoleServer() as server:
        yield lake, server, server.openai


def test_another_judge_adds_and_is_paid_once(served: tuple[Warehouse, RoleServer, str]) -> None:
    lake, server, model = served
    rate_audit(lake, SETTINGS, AUDIT, repeats=1)
    found = rate_audit(lake, SETTINGS, AUDIT, repeats=0, judges=[model])
    assert sorted(held(lake)) == sorted([f"{model}#1", "rules#1"])
    assert sum(server.paid.values()) == 6
    assert found.agreement["units"].to_list() == [6]
    assert not rate_audit(lake, SETTINGS, AUDIT, repeats=0, judges=[model]).built.is_new
    rate_audit(lake, SETTINGS, AUDIT, repeats=1, judges=[model])
    assert sum(server.paid.values()) == 6, "what was asked is in the ledger"


def test_readings_of_one_model_are_asked_one_by_one(served: tuple[Warehouse, RoleServer, str]) -> None:
    lake, server, model = served
    add_audit(lake, "rebuttal@model", judge=model)
    found = rate_audit(lake, SETTINGS, "rebuttal@model", repeats=3, judges=["rules"])
    assert sum(server.paid.values()) == 18
    mine = [f"{model}#{number}" for number in (1, 2, 3)]
    assert found.agreement["raters"].to_list()[:2] == [[*mine, "rules#1"], mine], "all, then the judge with itself"
    scores = held(lake, "rebuttal@model")
    assert scores[mine[0]] != scores[mine[1]]


def test_a_reading_that_failed_is_asked_again(
    served: tuple[Warehouse, RoleServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, server, model = served
    good = role_server.told

    def told(ask: Any) -> str:
        return json.dumps({"reason": "so", "score": 200}) if EXCHANGES[0][0] in ask.prompt else good(ask)

    with monkeypatch.context() as changed:
        changed.setattr(role_server, "told", told)
        found = rate_audit(lake, SETTINGS, AUDIT, repeats=0, judges=[model])
    assert held(lake)[f"{model}#1"][EXCHANGES[0][0]] is None
    assert found.ratings["call_error"].drop_nulls().to_list() == ["judge: bad reply"]
    paid = sum(server.paid.values())
    again = rate_audit(lake, SETTINGS, AUDIT, repeats=0, judges=[model])
    assert again.built.is_new
    assert held(lake)[f"{model}#1"][EXCHANGES[0][0]] is not None
    assert sum(server.paid.values()) == paid + 1


# the verb -------------------------------------------------------------------------------------------------------------


def test_people_read_who_agrees_and_what_the_search_said(lake: Warehouse, tmp_path: Path) -> None:
    file = labels(
        tmp_path / "l.csv", row(0, "an\u202ena", 90), row(0, "anna", 90), row(1, "anna", 101), row(2, "anna", 0)
    )
    result = invoke(lake.root, "agreement", AUDIT, "--labels", str(file), code=1)
    lines = result.stdout.splitlines()
    assert lines[0] == f"ratings of the failures of {AUDIT}"
    assert lines[2].split() == ["anna", "2", "0", "45.0", "83.5", "1", "2"]
    assert lines[3].split()[:3] == ["rules#1", "6", "0"]
    assert lines[5] == "Krippendorff's alpha, 95 % interval over failures"
    assert lines[7].startswith("all 3 ")
    assert any(line.startswith("anna · rules#1 ") for line in lines)
    assert "1.00 (1.00 to 1.00)" in result.stdout
    assert "line 2: the rater 'an\\u202ena' has a name that cannot be printed" in result.stderr
    assert "line 4: the score '101' is no number from 0 to 100; write it as 70 or 70.5" in result.stderr


def test_a_program_gets_all_of_it(lake: Warehouse, tmp_path: Path) -> None:
    file = labels(tmp_path / "l.csv", row(0, "anna", 90), row(1, "anna", 20), "gone,gone,anna,5")
    told = json.loads(invoke(lake.root, "agreement", AUDIT, "--labels", str(file), "--json", code=1).stdout)
    assert list(told) == ["audit", "is_new", "raters", "agreement", "unusable"]
    assert [each["rater"] for each in told["raters"]] == ["anna", "rules#1", "rules#2"]
    assert told["raters"][0]["search_mean"] == 92.5
    assert [each["raters"] for each in told["agreement"]] == [
        ["anna", "rules#1", "rules#2"], ["rules#1", "rules#2"], ["anna", "rules#1"], ["anna", "rules#2"],
    ]  # fmt: skip
    assert [each["line"] for each in told["unusable"]] == [4]
    again = json.loads(invoke(lake.root, "agreement", AUDIT, "--labels", str(file), "--json", code=1).stdout)
    assert again == told | {"is_new": False}


def test_one_rater_agrees_with_nobody(lake: Warehouse) -> None:
    assert "one rater agrees with nobody" in invoke(lake.root, "agreement", AUDIT, "--repeats", "1").stdout
    assert "no failures of an audit" in invoke(lake.root, "agreement", "absent", code=1).stderr


def test_the_judge_is_asked_as_often_as_readings_are_told_apart() -> None:
    exchange = judge.Exchange("q", "r")
    first, second = (judge.requests([exchange], REBUTTAL, sample=number)[0] for number in (1, 2))
    assert first.messages == second.messages
    assert first.sample != second.sample
