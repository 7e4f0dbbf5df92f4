"""Fingerprints: change what a result depends on and it changes; change anything else and it does not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from chunky import files, fingerprints
from chunky.settings import Settings
from chunky.stages import STAGES, Stage, stage


def changed(section: str) -> Settings:
    """Settings that differ from the default in the first whole number of one section, or in its first text."""
    part = getattr(Settings(), section)
    if isinstance(part, str):
        return Settings.model_validate({section: "openai:model"})
    values = part.model_dump()
    numbers = {name: value + 1 for name, value in values.items() if type(value) is int}
    name = next(iter(numbers or values))
    return Settings.model_validate({section: {name: numbers.get(name, "hashing")}})


def fingerprint(
    one: Stage, settings: Settings | None = None, inputs: dict[str, str] | None = None, seed: int = 0
) -> str:
    return fingerprints.provenance(one, settings or Settings(), inputs or {"a": "1"}, seed)["fingerprint"]


@pytest.mark.parametrize("one", STAGES, ids=lambda one: one.name)
def test_a_fingerprint_covers_the_stage_s_own_sections_alone(one: Stage) -> None:
    for section in Settings.model_fields:
        assert (fingerprint(one, changed(section)) != fingerprint(one)) == (section in one.sections)


def test_inputs_seed_and_stage_change_the_fingerprint() -> None:
    one = stage("phrases")
    assert fingerprint(one) == fingerprint(one)
    others = {
        fingerprint(one, inputs={"a": "2"}),
        fingerprint(one, inputs={"b": "1"}),
        fingerprint(one, inputs={"a": "1", "b": "1"}),
        fingerprint(one, seed=1),
        fingerprint(dataclasses.replace(one, name="other")),
        fingerprint(dataclasses.replace(one, engines=("duckdb",))),
        fingerprint(dataclasses.replace(one, code=("sql/corpus",))),
    }
    assert len(others) == 7
    assert fingerprint(one) not in others


def test_the_order_of_inputs_does_not_matter() -> None:
    one = stage("phrases")
    assert fingerprint(one, inputs={"a": "1", "b": "2"}) == fingerprint(one, inputs={"b": "2", "a": "1"})


def test_provenance_is_flat_text_and_readable() -> None:
    facts = fingerprints.provenance(stage("features"), Settings(), {"corpus.rows": "abc"})
    assert all(isinstance(key, str) and isinstance(text, str) for key, text in facts.items())
    assert json.loads(facts["inputs"]) == {"corpus.rows": "abc"}
    assert set(json.loads(facts["engines"])) == {"polars", "duckdb", "numpy"}
    assert set(json.loads(facts["settings"])) == set(stage("features").sections)


def test_a_changed_source_changes_the_code_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest() -> str:
        fingerprints.code_digest.cache_clear()
        return fingerprints.code_digest(("chunky.thing",))

    monkeypatch.setattr(files, "_PACKAGE", tmp_path)
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "a.py").write_bytes(b"x = 1\n")
    first = digest()
    (tmp_path / "thing" / "a.py").write_bytes(b"x = 1\r\n")
    assert digest() == first, "a checkout with other line endings is the same code"
    (tmp_path / "thing" / "a.py").write_bytes(b"x = 2\n")
    second = digest()
    assert second != first
    (tmp_path / "thing" / "b.py").write_bytes(b"")
    assert digest() not in (first, second)
    fingerprints.code_digest.cache_clear()
