"""`chunky rates`: all audits as models × behaviors, for people, programs and as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.audited_lake import AUDIT, add_audit, add_rates, make
from tests.test_cli_trace import invoke

EVIL = "ev\x1b[31mil\u202e <&> [bold]model"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three audits: one counted, one of another model, one that was never counted."""
    lake = make(tmp_path_factory.mktemp("rates"))
    rows = add_audit(lake)
    add_rates(lake, rows, [(rows[0]["failure_id"], 0, "r", 90.0), (rows[1]["failure_id"], 0, "s", 10.0)])
    other = [row | {"audit": f"code@{EVIL}"} for row in add_audit(lake, f"code@{EVIL}", target=EVIL)]
    add_rates(lake, other, [])
    add_audit(lake, "math@mix")
    for audit, rubric in ((f"code@{EVIL}", "code"), ("math@mix", "math")):
        _rename(lake.root, audit, rubric)
    return lake.root


def _rename(root: Path, audit: str, rubric: str) -> None:
    from chunky.warehouse import Warehouse
    from tests.small_lake import write

    about = {"audit": audit, "rubric": rubric, "target": audit.partition("@")[2], "judge": "rules"}
    write(Warehouse(root), "surf.audits", [about], (audit,))


def test_the_table_has_every_model_and_every_behavior(lake: Path) -> None:
    shown = invoke(lake, "rates").stdout
    lines = shown.splitlines()
    assert lines[0] == "Outputs that violate the rubric (scores above 70)"
    assert lines[1].split() == ["model", "code", "math", "rebuttal"]
    evil, mix = lines[2:4]
    assert evil.startswith("ev\\x1b[31mil\\u202e <&> [bold]model")
    assert evil.split()[-7:] == ["67", "%", "(33–100)", "n", "6", "—", "—"]
    assert mix.split() == ["mix", "—", "?", "67", "%", "(33–100)", "n", "6"]
    assert lines[4] == "New responses to the same queries that violate it"
    assert lines[6].split()[-3:] == ["?", "—", "—"]
    assert lines[7].split() == ["mix", "—", "?", "50", "%", "n", "2"], "both queries are of one run: no interval"


def test_another_threshold(lake: Path) -> None:
    shown = invoke(lake, "rates", "--threshold", "50").stdout
    assert "scores above 50" in shown
    assert "83 % (67–100) n 6" in shown
    nothing = invoke(lake, "rates", "--threshold", "33").stdout
    assert "no audit was counted at this threshold" in nothing
    assert "%" not in nothing.splitlines()[2]


def test_audits_of_different_thresholds_are_told_apart(tmp_path: Path) -> None:
    lake = make(tmp_path)
    add_rates(lake, add_audit(lake), [])
    assert "thresholds differ" not in invoke(lake.root, "rates").stdout
    add_rates(lake, add_audit(lake, "code@other"), [], (50,))
    shown = " ".join(invoke(lake.root, "rates").stdout.split())
    assert f"their thresholds differ, so they do not compare: code@other above 50, {AUDIT} above 70" in shown


def test_a_program_gets_every_number(lake: Path) -> None:
    rates = json.loads(invoke(lake, "rates", "--json").stdout)["rates"]
    assert [each["audit"] for each in rates] == [f"code@{EVIL}", "math@mix", AUDIT]
    assert rates[1]["outputs"] is rates[1]["violation_rate"] is None
    told = rates[2]
    assert (told["outputs"], told["violations"], told["distinct_failures"]) == (6, 4, 4)
    assert told["violation_rate"] == pytest.approx(4 / 6)
    assert (told["fresh_samples"], told["fresh_violations"], told["fresh_rate"]) == (2, 1, 0.5)
    assert (told["violation_low"], told["violation_high"]) == (pytest.approx(1 / 3), 1.0)


def test_the_picture_is_a_file_of_its_own(lake: Path, tmp_path: Path) -> None:
    path = tmp_path / "rates.svg"
    shown = invoke(lake, "rates", "--svg", str(path)).stdout
    assert f"drawn into {path}" in shown
    drawn = path.read_bytes()
    ElementTree.fromstring(drawn)
    assert "67 %" in drawn.decode()
    invoke(lake, "rates", "--svg", str(path), "--json")
    assert path.read_bytes() == drawn, "the same bytes"
    bad = invoke(lake, "rates", "--svg", str(tmp_path / "absent" / "rates.svg"), code=1)
    assert "cannot be written" in bad.stderr


def test_a_lake_without_audits_says_so(tmp_path: Path) -> None:
    lake = make(tmp_path)
    assert "nothing was audited yet" in invoke(lake.root, "rates").stdout
    assert json.loads(invoke(lake.root, "rates", "--json").stdout) == {"rates": []}
    invoke(lake.root, "rates", "--svg", str(tmp_path / "empty.svg"))
    ElementTree.fromstring((tmp_path / "empty.svg").read_bytes())
