"""Reading whole files: broken ones, odd ones, and the promise that every record is accounted for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chunky.corpus import Batch, Counts, ReadOptions, Source, discover, quarantine_schema, read_file, row_schema
from chunky.corpus import reading as reading_module
from chunky.errors import FileFault, SettingsError
from chunky.tables import REASONS
from tests.malformed import CASES, GOOD, ODD, Case, good, jsonl, turns

LIMITED = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, name: str, data: bytes) -> Source:
    path = folder / name
    path.write_bytes(data)
    return discover([str(path)])[0]


def read(source: Source, options: ReadOptions | None = None) -> tuple[pa.Table, pa.Table, Counts]:
    batches = list(read_file(source, options))
    return together(batches)


def together(batches: list[Batch]) -> tuple[pa.Table, pa.Table, Counts]:
    counts = sum((batch.counts for batch in batches), Counts())
    rows = pa.concat_tables([batch.rows for batch in batches])
    return rows, pa.concat_tables([batch.quarantine for batch in batches]), counts


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_comes_out_as_said(case: Case, tmp_path: Path) -> None:
    source = write(tmp_path, case.name, case.data)
    if case.fault is not None:
        with pytest.raises(FileFault) as caught:
            list(read_file(source, case.options))
        assert caught.value.reason == case.fault
        assert case.fault in REASONS
        assert source.file in caught.value.problem or "list" in caught.value.problem
        assert caught.value.remedy
        return
    rows, quarantine, counts = read(source, case.options)
    assert Counter(quarantine["reason"].to_pylist()) == Counter(case.quarantined)
    assert set(case.quarantined) <= set(REASONS)
    assert (rows.num_rows, counts.rows, counts.skipped) == (case.rows, case.rows, case.skipped)
    assert counts.records == counts.conversations + counts.quarantined + counts.skipped
    assert counts.quarantined == sum(case.quarantined.values())
    assert rows.schema == row_schema()
    assert quarantine.schema == quarantine_schema()
    rows.validate(full=True)
    quarantine.validate(full=True)
    for excerpt in quarantine["excerpt"].to_pylist() + quarantine["detail"].to_pylist():
        assert excerpt.isprintable()


def test_there_are_enough_broken_files() -> None:
    assert len(CASES) - len(ODD) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


def test_quarantine_says_where_and_what(tmp_path: Path) -> None:
    source = write(tmp_path, "mix.jsonl", jsonl(b"", {"source": "s", "prompt": "q", "response": "a\0"}, b"\x1b[2J{"))
    rows, quarantine, counts = read(source)
    assert rows["record_number"].to_pylist() == [1, 5]
    assert counts.records == 5
    assert counts.skipped == 1
    nul, bad = quarantine.to_pylist()
    assert (nul["file"], nul["record_number"], nul["chunk"], nul["reason"]) == (source.file, 3, "s", "NUL character")
    assert nul["detail"] == "turn 2 (assistant), character 2"
    assert (bad["record_number"], bad["chunk"], bad["excerpt"]) == (4, None, "\\x1b[2J{")


def test_rows_hold_what_the_record_says(tmp_path: Path) -> None:
    conversation = [{"role": "system", "content": "be kind"}, *turns(" hi\n", "ho ", "你", "好")]
    record = {"id": 7, "dataset": "d", "messages": conversation}
    rows, _, counts = read(write(tmp_path, "a.jsonl", json.dumps(record).encode()))
    keys = ("chunk", "conversation_id", "turn", "turns", "system", "query", "response", "query_chars", "response_chars")
    assert [tuple(row[key] for key in keys) for row in rows.to_pylist()] == [
        ("d", "7", 1, 2, "be kind", " hi\n", "ho ", 4, 3),
        ("d", "7", 2, 2, "be kind", "你", "好", 1, 1),
    ]
    assert counts.shape == "messages"


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
def test_packings_and_formats_read_alike(tmp_path: Path, packing: str) -> None:
    import gzip

    import zstandard

    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[packing]
    records = [good(n) for n in range(200)]
    expected = [(r["id"], r["messages"][0]["content"], r["messages"][1]["content"]) for r in records]
    bodies = {
        "a.jsonl": jsonl(*records[2:]).replace(jsonl()[: len(jsonl()) // 2], b""),
        "a.json": json.dumps(records).encode(),
        "b.json": json.dumps({"rows": records}, indent=1).encode(),
    }
    bodies["a.jsonl"] = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    for name, body in bodies.items():
        batches = list(read_file(write(tmp_path, name + packing, pack(body))))
        rows, _, _ = together(batches)
        columns = [rows[key].to_pylist() for key in ("conversation_id", "query", "response")]
        assert list(zip(*columns, strict=True)) == expected
        assert batches[0].format == name[2:] + packing
        assert batches[-1].bytes_read == len(pack(body))


def test_batches_are_bounded_and_together_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path, "a.jsonl", b"".join(json.dumps(good(n)).encode() + b"\n" for n in range(1000)))
    whole, _, whole_counts = read(source)
    monkeypatch.setattr(reading_module, "BATCH_RECORDS", 130)
    batches = list(read_file(source))
    rows, _, counts = together(batches)
    assert len(batches) == 8
    assert max(batch.counts.records for batch in batches) == 130
    assert rows.equals(whole)
    assert counts == whole_counts


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet"])
def test_limit_skips_the_rest_and_counts_it(tmp_path: Path, name: str) -> None:
    records = [{"prompt": f"q{n}", "response": "r"} for n in range(10)]
    source = write(tmp_path, name, b"x")
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(records), source.path)
    else:
        lines = [f"q{n},r\n" for n in range(10)]
        body = {"a.jsonl": "\n".join(map(json.dumps, records)), "a.json": json.dumps(records)}
        Path(source.path).write_text(body.get(name, "prompt,response\n" + "".join(lines)))
    rows, _, counts = read(discover([source.path])[0], ReadOptions(limit=4))
    assert rows["query"].to_pylist() == ["q0", "q1", "q2", "q3"]
    assert (counts.records, counts.skipped) == (10, 6)


def test_options_that_contradict_each_other_are_refused() -> None:
    for bad in ({"shape": "x"}, {"query_column": "a"}, {"limit": 0}, {"max_ratio": 0.0}, {"chunk": " "},
                {"chunk": "a", "chunk_column": "b"},
                {"shape": "prompt", "query_column": "a", "response_column": "b"}):  # fmt: skip
        with pytest.raises(SettingsError):
            ReadOptions(**bad)  # type: ignore[arg-type]


def test_a_folder_in_place_of_a_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(FileFault):
        list(read_file(Source(str(tmp_path), "x", "x", 0)))
    with pytest.raises(FileFault):
        list(read_file(Source(str(tmp_path / "gone.parquet"), "x", "x", 0)))


@settings(LIMITED, max_examples=80)
@given(st.sampled_from(["pretty.json", "crlf.jsonl", "repeats.jsonl.gz", "two-frames.jsonl.zst", "quotes-fine.csv",
                        "parquet-inside.jsonl", "wrapper.json"]), st.data())  # fmt: skip
def test_damage_of_any_kind_is_a_fault_or_accounted_for(tmp_path: Path, name: str, data: st.DataObject) -> None:
    body = next(case.data for case in ODD if case.name == name)
    start = data.draw(st.integers(0, len(body) - 1))
    end = data.draw(st.integers(start, min(start + 100, len(body))))
    patch = data.draw(st.binary(max_size=8) | st.sampled_from([b'"', b"[[", b"]", b"\\", b"\0", b"\n", b"\xff"]))
    try:
        rows, _, counts = read(write(tmp_path, name, body[:start] + patch + body[end:]))
    except FileFault as fault:
        reason = fault.reason
    else:
        reason = REASONS[0]
        assert counts.records == counts.conversations + counts.quarantined + counts.skipped
        rows.validate(full=True)
    assert reason in REASONS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["user", "gpt"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["messages", "conversations", "role", "from", "content", "value", "prompt", "response", "id",
                         "source", "chosen", "rejected", "instruction", "input", "output", "system", "history", "x"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
GARBAGE = st.one_of(
    JSON.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=30).filter(lambda line: b"\n" not in line),
    st.just(json.dumps(good(3)).encode()),
    st.just(b'{"prompt": "\\ud800", "response": "r"}'),
)


@LIMITED
@given(st.lists(GARBAGE, max_size=25))
def test_records_in_are_taken_quarantined_or_skipped(tmp_path: Path, garbage: list[bytes]) -> None:
    lines = [json.dumps(good(1)).encode(), *garbage]
    rows, quarantine, counts = read(write(tmp_path, "g.jsonl", b"".join(line + b"\n" for line in lines)))
    assert counts.records == len(lines) == counts.conversations + counts.quarantined + counts.skipped
    assert counts.skipped == sum(not line.strip() for line in lines)
    assert rows.num_rows == counts.rows
    assert quarantine.num_rows == counts.quarantined
    assert set(quarantine["reason"].to_pylist()) <= set(REASONS)
    taken = set(rows["record_number"].to_pylist())
    assert len(taken) == counts.conversations
    assert not taken & set(quarantine["record_number"].to_pylist())


@LIMITED
@given(st.lists(JSON, min_size=1, max_size=12), st.integers(1, 7), st.sampled_from([None, 1]))
def test_arrays_are_cut_where_they_should_whatever_the_pieces(values: list[Any], size: int, indent: int | None) -> None:
    from chunky.corpus.arrays import elements

    body = json.dumps(values, indent=indent).encode()
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    found = [json.loads(item) for item in elements(iter(pieces), Source("", "", "", 0), 10**6)]
    assert repr(found) == repr(json.loads(body))


FIELD = st.text(st.sampled_from('ab"\n\r,\t é'), max_size=6)


@LIMITED
@given(st.lists(st.lists(FIELD, min_size=3, max_size=3), min_size=1, max_size=8), st.integers(1, 9))
def test_csv_is_read_as_the_standard_library_wrote_it(table: list[list[str]], size: int) -> None:
    import csv
    import io

    from chunky.corpus.delimited import delimited

    sink = io.StringIO()
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b", "c"], *table])
    body = sink.getvalue().encode()
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    found = list(delimited(iter(pieces), b",", Source("", "", "", 0), 10**6))
    assert found == [dict(zip("abc", row, strict=True)) for row in table]


@LIMITED
@given(st.binary(max_size=60), st.integers(1, 5), st.integers(1, 8))
def test_lines_are_cut_where_they_should_whatever_the_pieces(body: bytes, size: int, most: int) -> None:
    from chunky.corpus.lines import Cut, lines

    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    found = list(lines(iter(pieces), most))
    expected = body.removeprefix(b"\xef\xbb\xbf" if size >= 3 else b"").split(b"\n")
    expected = expected[:-1] if expected[-1] == b"" else expected
    assert len(found) == len(expected)
    for line, want in zip(found, expected, strict=True):
        assert isinstance(line, Cut) == (len(want) > most)
        if len(want) <= most:
            assert line == (want if want.strip() else b"")


def test_a_gigantic_line_is_not_loaded(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "big.jsonl"
    with path.open("wb") as file:
        file.write(GOOD)
        file.writelines([b"x" * 1_000_000] * 60)
        file.write(b"\n" + GOOD)
    tracemalloc.start()
    rows, quarantine, _ = read(discover([str(path)])[0], ReadOptions(max_record_chars=100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert quarantine["reason"].to_pylist() == ["over-long record"]
    assert rows.num_rows == 4
    assert peak < 20_000_000


@pytest.mark.real_mix
@pytest.mark.slow
def test_the_real_mix_is_taken_whole(real_mix: Path) -> None:
    total = Counts()
    for source in discover([str(real_mix)]):
        for batch in read_file(source):
            total = total + batch.counts
    assert (total.records, total.rows, total.quarantined, total.skipped) == (262_304, 270_744, 0, 0)
