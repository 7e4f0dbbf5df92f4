"""Failures and the files that they come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chunky import turf
from chunky.corpus import Source
from chunky.errors import FileFault, InputError
from chunky.rubrics import rubric
from chunky.turf import Unusable, failures_of, read_records, unusable_object

RUBRIC = "The assistant should not sing."
ONE = {"query": "q", "response": "r", "rubric": RUBRIC}


def source(path: Path, data: bytes) -> Source:
    path.write_bytes(data)
    return Source(str(path), path.name, "", len(data))


def test_equal_failures_are_one_and_names_of_one_principle_too(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(RUBRIC)
    found, unusable = failures_of([ONE, ONE, ONE | {"rubric": str(tmp_path / "mine.txt")}], rubric)
    assert (len(found), unusable) == (1, [])
    assert found[0].failure_id == turf.failure_of("q", "r", rubric(RUBRIC)).failure_id


def test_numbers_count_every_record_and_blank_lines() -> None:
    records: list[Any] = [ONE, None, InputError("no", "yes"), {"response": "r"}, ONE | {"query": "p"}]
    found, unusable = failures_of(records, rubric)
    assert [each.query for each in found] == ["q", "p"]
    assert unusable == [
        Unusable(3, "no; yes"),
        Unusable(4, "the record has no query; give it the fields query, response, rubric", None, "r", None),
    ]


def test_an_unusable_record_has_the_keys_of_a_trace() -> None:
    told = unusable_object(Unusable(4, "no query", None, "r", None))
    assert (told["failure_id"], told["response"], told["verdict"]) == (None, "r", "unusable record")
    assert told["explanation"] == "Record 4 cannot be traced: no query."


def test_records_keep_their_place_and_only_their_own_fields(tmp_path: Path) -> None:
    data = b'{"query": "q", "other": 1}\n\nnot json\n{"response": null}\n"text"\n'
    records = list(read_records(source(tmp_path / "f.jsonl", data)))
    assert (records[0], records[1], records[3]) == ({"query": "q"}, None, {"response": None})
    problems = [str(record) for record in records if isinstance(record, InputError)]
    assert [text.partition(":")[0] for text in problems] == [
        "the record cannot be read (bad JSON", "the record cannot be read (wrong type",
    ]  # fmt: skip


def test_a_record_of_any_length_is_cut_and_told(tmp_path: Path) -> None:
    (record,) = read_records(source(tmp_path / "f.jsonl", b'{"query": "' + b"x" * 13_000_000 + b'"}\n'))
    assert isinstance(record, InputError)
    assert "over-long record" in record.problem


def test_text_that_is_no_utf_8_costs_its_own_record(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"q\xff")]
    )
    pq.write_table(pa.table({"query": bad, "response": ["r", "s"]}), tmp_path / "f.parquet")
    path = tmp_path / "f.parquet"
    first, second = read_records(Source(str(path), "f.parquet", "", path.stat().st_size))
    assert first == {"query": "q", "response": "r"}
    assert isinstance(second, InputError)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("f.jsonl", b""),
        ("f.jsonl", b"\n \n"),
        ("f.json", b"[]"),
        ("f.json", b'[{"query": "q"'),
        ("f.zip", b"PK\x03\x04"),
        ("f.parquet", b"PAR1 and no more"),
        ("f.jsonl.gz", b"\x1f\x8b\x08 no gzip"),
    ],
)
def test_a_file_that_is_no_list_of_records_is_a_fault(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(FileFault):
        list(read_records(source(tmp_path / name, data)))


def test_a_file_without_rows_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"query": pa.array([], pa.string())}), path)
    with pytest.raises(FileFault, match="holds no record"):
        list(read_records(Source(str(path), "f.parquet", "", path.stat().st_size)))
