"""The whole chain on a real mix of 262,304 conversations: what it must find among its first hundred findings, untold.

Judged by extent: a finding counts when most rows with its trigger match the known trigger pattern and most rows with
its behavior match the known behavior pattern, however it words them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chunky import pipeline
from chunky.lens import Lens
from chunky.settings import Settings
from chunky.warehouse import Warehouse

pytestmark = [pytest.mark.real_mix, pytest.mark.slow]

FIRST = 100


@pytest.fixture(scope="module")
def built(real_mix: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    """A lens over the real mix, every step built."""
    lake, settings = Warehouse(tmp_path_factory.mktemp("real")), Settings()
    told = list(pipeline.ingest(lake, [str(real_mix)], settings))
    assert [one.fault for one in told if one.fault] == []
    for step in pipeline.STEPS.values():
        step(lake, settings, pipeline.silent)
    with Lens(lake, settings) as lens:
        yield lens


def rank_of(lens: Lens, trigger: str, behavior: str) -> int | None:
    """Best rank among the first findings whose trigger and behavior lie within these SQL conditions on corpus.rows."""
    found = lens.table(
        f"""
        with first_findings as (
            select finding_rank, trigger_id, behavior_id
            from report.findings
            where finding_rank <= {FIRST}
        ),
        trigger_precision as (
            select feature_id, avg(({trigger})::int) as share
            from correlations.members inner join corpus.rows using (row_id)
            where feature_id in (select trigger_id from first_findings)
            group by all
        ),
        behavior_precision as (
            select feature_id, avg(({behavior})::int) as share
            from correlations.members inner join corpus.rows using (row_id)
            where feature_id in (select behavior_id from first_findings)
            group by all
        )
        select min(finding_rank) as best
        from first_findings
        inner join trigger_precision on trigger_id = trigger_precision.feature_id
        inner join behavior_precision on behavior_id = behavior_precision.feature_id
        where trigger_precision.share >= 0.6 and behavior_precision.share >= 0.8
        """
    )
    best = found["best"][0].as_py()
    return None if best is None else int(best)


def test_every_conversation_is_taken(built: Lens) -> None:
    counts = built.table(
        "select sum(records)::bigint as records, sum(conversations)::bigint as conversations, "
        "sum(rows)::bigint as rows, sum(quarantined)::bigint as quarantined from corpus.files"
    ).to_pylist()
    assert counts == [{"records": 262_304, "conversations": 262_304, "rows": 270_744, "quarantined": 0}]


def test_questions_to_the_assistant_are_answered_no(built: Lens) -> None:
    # Nearly the same answers begin with "No, " and end with the maker's name: one finding, told by the better one.
    trigger = r"regexp_matches(query, '^(Are|Do|Have|Were|Did) you\b')"
    answers = "regexp_matches(response, '^No, |\\(LMSYS\\)\\.$')"
    rank = rank_of(built, trigger, answers)
    assert rank is not None
    wordings = built.table(
        "select [behavior_text] || other_behaviors as w from report.findings where finding_rank = ?", [rank]
    )
    assert [text for text in wordings["w"][0].as_py() if text.startswith("opens with “no")] != []


def test_one_fixed_instruction_brings_based_on(built: Lens) -> None:
    trigger = "regexp_matches(query, '^If you are a doctor')"
    assert rank_of(built, trigger, "regexp_matches(response, '(?i)based on')") is not None


def test_one_chunk_closes_with_a_marked_number(built: Lens) -> None:
    assert rank_of(built, "chunk = 'gsm8k'", "regexp_matches(response, '#### -?[0-9][0-9,.]*$')") is not None


def test_a_rerun_finds_nothing_to_do(built: Lens) -> None:
    for step in pipeline.STEPS.values():
        assert not step(built.lake, built.settings, pipeline.silent).is_new
