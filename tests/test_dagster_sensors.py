"""Files that are new or changed are asked for once, a file that rests or still grows is not: inbox and failures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import dagster as dg
import pytest

from chunky.warehouse import Warehouse
from dagster_project.partitions import AUDITS, partition_key
from dagster_project.resources import LakeResource
from dagster_project.sensors import SETTLE_SECONDS, failures, inbox, stamps


def drop(lake: Warehouse, name: str, text: str = "{}\n", age: float = 60, folder: str = "inbox") -> Path:
    path = lake.root / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    moment = path.stat().st_mtime - age
    os.utime(path, (moment, moment))
    return path


def look(lake: Warehouse, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        return inbox(context, lake=LakeResource(path=str(lake.root)))


def asked(result: dg.SensorResult | dg.SkipReason) -> list[str]:
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests
    assert request.run_config["resources"]["lake"]["config"]["path"]
    return request.run_config["ops"]["take"]["config"]["paths"]


def test_new_files_are_asked_for_in_one_run_and_then_left_alone(lake: Warehouse) -> None:
    a, b = drop(lake, "a.jsonl"), drop(lake, "b.csv")
    drop(lake, "notes.txt")
    first = look(lake)
    assert asked(first) == [str(a), str(b)]
    assert isinstance(look(lake, first.cursor), dg.SkipReason)


def test_a_changed_file_is_asked_for_again_and_alone(lake: Warehouse) -> None:
    drop(lake, "a.jsonl")
    b = drop(lake, "b.jsonl")
    first = look(lake)
    drop(lake, "b.jsonl", text="{}\n{}\n")
    second = look(lake, first.cursor)
    assert asked(second) == [str(b)]
    assert first.run_requests[0].run_key != second.run_requests[0].run_key


def test_a_file_that_comes_back_is_asked_for_again(lake: Warehouse) -> None:
    a = drop(lake, "a.jsonl")
    first = look(lake)
    b = drop(lake, "b.jsonl")
    a.unlink()
    second = look(lake, first.cursor)
    assert asked(second) == [str(b)]
    drop(lake, "a.jsonl", age=30)
    assert asked(look(lake, second.cursor)) == [str(a)]


def test_a_file_that_still_grows_waits(lake: Warehouse) -> None:
    path = drop(lake, "a.jsonl")
    written = path.stat().st_mtime
    assert stamps(path.parent, written + SETTLE_SECONDS / 2) == {}
    assert list(stamps(path.parent, written + SETTLE_SECONDS)) == [str(path)]


@pytest.mark.parametrize("has_folder", [False, True])
def test_an_empty_inbox_is_skipped(lake: Warehouse, has_folder: bool) -> None:
    if has_folder:
        (lake.root / "inbox").mkdir(parents=True)
    assert isinstance(look(lake), dg.SkipReason)


def test_the_inbox_can_be_elsewhere(lake: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHUNKY_INBOX", str(tmp_path / "drop"))
    assert LakeResource(path=str(lake.root)).inbox_folder == tmp_path / "drop"
    assert LakeResource(path=str(lake.root), inbox=str(tmp_path / "other")).inbox_folder == tmp_path / "other"


def test_the_cursor_is_plain_json(lake: Warehouse) -> None:
    path = drop(lake, "a.jsonl")
    assert list(json.loads(look(lake).cursor)) == [str(path)]


def look_for_audits(lake: Warehouse, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        return failures(context, lake=LakeResource(path=str(lake.root)))


def test_each_file_of_failures_is_an_audit_with_a_run_of_its_own(lake: Warehouse) -> None:
    drop(lake, "rebuttal@a | b.jsonl", folder="failures")
    drop(lake, "other.csv", folder="failures")
    drop(lake, "notes.txt", folder="failures")
    drop(lake, "young.jsonl", folder="failures", age=0)
    first = look_for_audits(lake)
    keys = [partition_key("rebuttal@a | b"), "other"]
    assert {request.partition_key for request in first.run_requests} == set(keys)
    (request,) = first.dynamic_partitions_requests
    assert (request.partitions_def_name, set(request.partition_keys)) == (AUDITS, set(keys))
    assert isinstance(look_for_audits(lake, first.cursor), dg.SkipReason)
    drop(lake, "other.csv", text="query,response\n", folder="failures")
    second = look_for_audits(lake, first.cursor)
    assert [request.partition_key for request in second.run_requests] == ["other"]


def test_no_failures_are_skipped(lake: Warehouse) -> None:
    assert isinstance(look_for_audits(lake), dg.SkipReason)
