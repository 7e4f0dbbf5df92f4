"""The corpus assets: a partition is taken again only when its file changed, and with the options of the last time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.describing import asset_key, parts_by_chunk, version_of
from chunky.warehouse import Warehouse
from dagster_project import partitions
from dagster_project.definitions import defs

QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


class Place(NamedTuple):
    lake: Path
    instance: dg.DagsterInstance

    def run(self, *tables: str, ops: dict | None = None, **more) -> dg.ExecuteInProcessResult:
        job = defs.resolve_implicit_global_asset_job_def()
        config = {"ops": ops or {}, "loggers": QUIET, "resources": {"lake": {"config": {"path": str(self.lake)}}}}
        chosen = [asset_key(name) for name in tables]
        return job.execute_in_process(config, instance=self.instance, asset_selection=chosen, **more)

    def take(self, *paths: Path, **reading) -> dg.ExecuteInProcessResult:
        config = {"paths": [str(path) for path in paths], "reading": reading}
        return self.run("corpus.files", "corpus.quarantine", ops={"take": {"config": config}})

    def told(self, table: str, chunk: str) -> list[dict]:
        """Metadata of the materializations of a partition, newest first."""
        wanted = dg.AssetRecordsFilter(asset_key(table), asset_partitions=[partitions.partition_key(chunk)])
        records = self.instance.fetch_materializations(wanted, limit=10).records
        return [{k: v.value for k, v in record.asset_materialization.metadata.items()} for record in records]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Place(tmp_path / "lake", instance)


def write(path: Path, chunks: dict[str, int]) -> Path:
    """A file of `chunks` (name → conversations), whose texts are in columns that no reader would guess."""
    with path.open("wb") as handle:
        for chunk, count in chunks.items():
            for n in range(count):
                handle.write(orjson.dumps({"q": f"question {n} of {chunk}", "a": f"answer {n}", "from": chunk}) + b"\n")
    return path


READING = {"query_column": "q", "response_column": "a", "chunk_column": "from"}


def test_taking_files_reports_partitions_and_counts(place: Place, tmp_path: Path) -> None:
    long = "dots ... and " * 12 + "more ....."
    file = write(tmp_path / "a.jsonl", {"x": 3, "y": 2, long: 1})
    assert place.take(file, **READING).success
    assert set(place.instance.get_dynamic_partitions("chunk")) == {"x", "y", partitions.partition_key(long)}
    assert {chunk: place.told("corpus.rows", chunk)[0]["dagster/row_count"] for chunk in ("x", "y", long)} == {
        "x": 3,
        "y": 2,
        long: 1,
    }
    event = place.instance.get_latest_materialization_event(asset_key("corpus.files")).asset_materialization
    assert event.metadata["records_taken"].value == 6
    assert event.metadata["taken"].records[0].data["rows"] == 6
    assert partitions.chunks_by_key(Warehouse(place.lake))[partitions.partition_key(long)] == long


def test_a_partition_is_taken_again_with_the_options_of_the_last_time(place: Place, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", {"x": 3, "y": 2})
    place.take(file, **READING)
    assert place.run("corpus.rows", partition_key="x").success
    newest, first = place.told("corpus.rows", "x")
    assert newest["is_new"] is False
    assert newest["fingerprint"] == first["fingerprint"]
    assert len(place.told("corpus.rows", "y")) == 1

    write(tmp_path / "a.jsonl", {"x": 4, "y": 2, "z": 1})
    assert place.run("corpus.rows", partition_key="x").success
    assert [told["dagster/row_count"] for told in place.told("corpus.rows", "x")] == [4, 3, 3]
    assert place.told("corpus.rows", "x")[0]["is_new"] is True
    assert place.told("corpus.rows", "z")[0]["dagster/row_count"] == 1
    assert len(place.told("corpus.rows", "y")) == 2  # its rows are those of a new version of the file
    assert set(place.instance.get_dynamic_partitions("chunk")) == {"x", "y", "z"}


def test_a_chunk_that_left_the_lake_leaves_the_partitions(place: Place, tmp_path: Path) -> None:
    place.take(write(tmp_path / "a.jsonl", {"x": 3, "y": 2}), **READING)
    place.take(write(tmp_path / "a.jsonl", {"x": 3}), **READING)
    assert place.instance.get_dynamic_partitions("chunk") == ["x"]


def test_an_unchanged_file_reports_nothing_new(place: Place, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", {"x": 3})
    place.take(file, **READING)
    place.take(file, **READING)
    event = place.instance.get_latest_materialization_event(asset_key("corpus.files")).asset_materialization
    assert event.metadata["is_new"].value is False
    assert len(place.told("corpus.rows", "x")) == 1


def test_a_stranger_and_a_vanished_file_are_errors_with_a_remedy(place: Place, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", {"x": 3})
    place.take(file, **READING)
    place.instance.add_dynamic_partitions("chunk", ["stranger"])
    with pytest.raises(dg.Failure, match="no chunk for 'stranger'"):
        place.run("corpus.rows", partition_key="stranger")
    file.unlink()
    with pytest.raises(dg.Failure, match="no file or folder"):
        place.run("corpus.rows", partition_key="x")
    assert Warehouse(place.lake).rows("corpus.rows") == 3


def test_phrases_of_one_partition_are_reported_for_all(place: Place, tmp_path: Path) -> None:
    place.take(write(tmp_path / "a.jsonl", {"x": 30, "y": 20}), **READING)
    assert place.run("keywords.counts", partition_key="x").success
    for chunk in ("x", "y"):
        (told,) = place.told("keywords.counts", chunk)
        assert told["dagster/row_count"] > 0
        assert told["is_new"] is True
    assert place.told("keywords.counts", "x")[0]["path"] != place.told("keywords.counts", "y")[0]["path"]


def test_the_data_version_of_a_partition_is_the_lake_s(place: Place, tmp_path: Path) -> None:
    place.take(write(tmp_path / "a.jsonl", {"x": 3, "y": 1}), **READING)
    lake = Warehouse(place.lake)
    for chunk, parts in parts_by_chunk(lake, "corpus.rows").items():
        assert version_of(parts) == lake.version("corpus.rows", (chunk,))
        assert place.told("corpus.rows", chunk)[0]["fingerprint"] == version_of(parts)


def evaluate(place: Place, cursor=None) -> dg.EvaluateAutomationConditionsResult:
    every = dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks()
    return dg.evaluate_automation_conditions(defs, place.instance, asset_selection=every, cursor=cursor)


def test_what_follows_from_new_files_is_asked_for(place: Place, tmp_path: Path) -> None:
    first = evaluate(place)
    place.take(write(tmp_path / "a.jsonl", {"x": 30, "y": 20}), **READING)
    second = evaluate(place, first.cursor)
    found = {result.key.to_user_string(): result.true_subset for result in second.results}
    asked = {key: 0 if subset.is_empty else subset.size for key, subset in found.items()}
    assert asked["corpus/chunks"] == 1
    assert asked["keywords/counts"] == 2
    assert asked["corpus/rows:distributions"] == 1
    assert asked["keywords/phrases"] == 0  # its upstream is not there yet
    third = evaluate(place, second.cursor).results
    assert [result.key for result in third if not result.true_subset.is_empty] == []


@given(chunks=st.lists(st.text(st.sampled_from(".%2E|[],a~\n\0 é"), max_size=200), unique=True))
@settings(deadline=None, max_examples=200)
def test_keys_are_distinct_and_allowed(chunks: list[str]) -> None:
    keys = [partitions.partition_key(chunk) for chunk in chunks]
    assert len(set(keys)) == len(chunks)
    dg.StaticPartitionsDefinition(keys)  # raises for what Dagster forbids
    assert not set("|[],") & set("".join(keys))
