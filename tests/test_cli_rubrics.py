"""`chunky rubrics`: what there is, what a judge reads, whether a rubric means what it says, and how to begin one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from chunky.rubrics import SKELETON, names, rubric
from tests.test_cli_trace import invoke

MISSED = """
principle: Do not shout.
signals: [{name: loud, weight: 0.5, regex: '!'}]
canaries: [{query: "q\\u202e", response: 'a!', low: 90, high: 100}, {query: q, response: a, low: 0, high: 10}]
"""


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for rubrics in what may become a lake; the working folder is another."""
    (tmp_path / "lake" / "rubrics").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "lake"


def add(lake: Path, name: str, text: str) -> Path:
    path = lake / "rubrics" / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_says_where_each_is_from(lake: Path) -> None:
    path = add(lake, "mine", "principle: Do not \u202esing.")
    add(lake, "broken", "principle: [")
    own = add(lake, "code", "principle: My own.")
    told = {each["name"]: each for each in json.loads(invoke(lake, "rubrics", "list", "--json").stdout)["rubrics"]}
    assert list(told) == sorted([*names(), "mine", "broken"])
    assert told["math"] == {
        "name": "math", "from": "package", "principle": rubric("math").principle, "problem": None,
    }  # fmt: skip
    assert (told["mine"]["from"], told["code"]["from"]) == (str(path), str(own))
    assert told["code"]["principle"] == "My own."
    assert "is no YAML" in told["broken"]["problem"]
    shown = invoke(lake, "rubrics", "list").stdout
    assert "Do not \\u202esing." in shown
    assert "! the rubric broken is no YAML" in shown
    assert "package" in invoke(lake.parent / "absent", "rubrics", "list").stdout, "no lake is needed"


def test_show_is_what_a_judge_reads(lake: Path) -> None:
    assert invoke(lake, "rubrics", "show", "rebuttal").stdout == rubric("rebuttal").text() + "\n"
    told = json.loads(invoke(lake, "rubrics", "show", "rebuttal", "--json").stdout)
    one = rubric("rebuttal")
    assert told["source"] == one.source
    assert told["signals"] == one.signal_facts()
    assert [each["query"] for each in told["canaries"]] == [each.query for each in one.canaries]
    assert (told["version"], told["behaviors"]) == (one.version, list(one.behaviors))
    assert "perhaps you meant rebuttal" in invoke(lake, "rubrics", "show", "rebutal", code=1).stderr


@pytest.mark.parametrize("name", names())
def test_the_rubrics_of_the_package_pass(lake: Path, name: str) -> None:
    shown = invoke(lake, "rubrics", "check", name).stdout
    assert shown.startswith(f"{name}: ")
    assert shown.endswith(" known answers are met by the rules judge\n")


def test_a_miss_is_told_and_costs_the_exit_code(lake: Path) -> None:
    path = add(lake, "loud", MISSED)
    shown = invoke(lake, "rubrics", "check", str(path), code=1).stdout.splitlines()
    assert shown[0] == "canary: 50.0 is not within 90 to 100: “q\\u202e” → “a!”"
    assert shown[1].startswith("no `scoring`: ")
    assert shown[-1] == "loud: 1 of 2 known answers are met by the rules judge"
    told = json.loads(invoke(lake, "rubrics", "check", "loud", "--json", code=1).stdout)
    assert (told["rubric"], told["misses"], len(told["warnings"])) == ("loud", 1, 2)
    assert [case["is_met"] for case in told["cases"]] == [False, True]


def test_a_rubric_that_lacks_everything_is_one_with_warnings(lake: Path) -> None:
    add(lake, "bare", "principle: Do not sing.")
    shown = invoke(lake, "rubrics", "check", "bare").stdout.splitlines()
    assert len(shown) == 5
    assert "without known answers" in shown[-1]
    add(lake, "bad", "principle: x\ncolor: red")
    assert "has the key 'color'" in invoke(lake, "rubrics", "check", "bad", code=1).stderr


def test_new_begins_one_that_passes_and_never_overwrites(lake: Path, tmp_path: Path) -> None:
    shown = invoke(lake, "rubrics", "new", "no-rhymes").stdout
    path = lake / "rubrics" / "no-rhymes.yaml"
    assert f"wrote {path}" in shown.replace("\n", " ")
    assert path.read_text(encoding="utf-8") == SKELETON
    invoke(lake, "rubrics", "check", "no-rhymes")
    path.write_text("principle: Mine.", encoding="utf-8")
    assert "is there already" in invoke(lake, "rubrics", "new", "no-rhymes", code=1).stderr
    assert path.read_text(encoding="utf-8") == "principle: Mine."
    ours = invoke(lake, "rubrics", "new", "code")
    assert "goes before the package's own rubric code" in ours.stderr
    assert json.loads(invoke(tmp_path / "no lake", "rubrics", "new", "mine", "--json").stdout) == {"file": "mine.yaml"}
    invoke(tmp_path / "no lake", "rubrics", "check", "mine.yaml")


@pytest.mark.parametrize("name", ["../up", "a b", "", ".hidden", "a.yaml", "-x-"])
def test_a_name_is_no_path(lake: Path, name: str) -> None:
    before = sorted(lake.parent.rglob("*"))
    assert "is no name of a rubric" in invoke(lake, "rubrics", "new", "--", name, code=1).stderr
    assert sorted(lake.parent.rglob("*")) == before


def test_a_trace_knows_the_rubrics_of_its_lake(traced: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(traced, tmp_path / "lake"))
    (own / "rubrics").mkdir()
    (own / "rubrics" / "mine.yaml").write_text("principle: The assistant should not apologize.", encoding="utf-8")
    asked = ("trace", "--query", "What is zorpal?", "--response", "I apologize.", "--json")
    assert json.loads(invoke(own, *asked, "--rubric", "mine").stdout)["rubric"] == "mine"
    assert "there is no rubric 'min'" in invoke(own, *asked, "--rubric", "min", code=1).stderr
