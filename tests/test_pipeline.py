"""The pipeline end to end on tiny mixes: what is rebuilt, what is left alone, and whose rows a file may touch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from chunky import pipeline
from chunky.corpus import ReadOptions
from chunky.errors import InputError, LakeError, MissingTable, QueryError
from chunky.lens import Lens
from chunky.settings import Settings
from chunky.tables import TABLES
from chunky.warehouse import Warehouse

SMALL = {
    "keywords": {"min_rows": 2},
    "attributes": {"topics": 20, "word_vectors": "mix"},
    "embeddings": {"embedder": "hashing"},
    "correlations": {"mined_min_rows": 5, "min_trigger_contents": 5},
}
SETTINGS = Settings.model_validate(SMALL)
OF_VECTORS = {"embeddings", "clusters", "postings", "names", "null", "features", "pairs", "findings"}
NO_TOPICS = ("attributes.words", "attributes.topics")  # no word of so small a mix tells one
NO_NULL = ("turf.null_hits",)  # no sentence of so small a mix is in ten rows and in a tenth of it at most
NO_MODEL = ("attributes.failures", "llm.calls")  # rules neither fail nor are paid
HELD = [name for name, entry in TABLES.items() if not entry.is_view and entry.partition not in ("audit", "seed")]


def conversation(name: str, *turns: str, source: str | None = None) -> dict[str, Any]:
    messages = [{"role": ("user", "assistant")[place % 2], "content": turn} for place, turn in enumerate(turns)]
    return {"id": name, "messages": messages} | ({} if source is None else {"source": source})


def write(path: Path, records: Iterable[dict[str, Any] | str]) -> Path:
    """A JSONL file; a text stands as it is, so that lines may be broken."""
    lines = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def polite(source: str, rows: int) -> list[dict[str, Any]]:
    """A chunk in which queries that begin with “kindly” are answered with a closing line."""
    made = []
    for number in range(rows):
        is_kind = number % 3 == 0
        query = f"{'Kindly name' if is_kind else 'Name'} the color of thing {number} in {source}."
        response = f"Thing {number} is gray.{' Always at your service.' if is_kind else ''}"
        made.append(conversation(f"{source}{number}", query, response, source=source))
    return made


@pytest.fixture
def mix(tmp_path: Path) -> Path:
    write(tmp_path / "mix" / "one.jsonl", polite("desk", 60))
    write(tmp_path / "mix" / "two.jsonl", polite("shop", 45))
    return tmp_path / "mix"


def take(lake: Warehouse, *paths: Path, options: ReadOptions | None = None) -> list[pipeline.Ingested]:
    return list(pipeline.ingest(lake, [str(path) for path in paths], SETTINGS, options))


def build(lake: Warehouse, settings: Settings = SETTINGS) -> dict[str, pipeline.Built]:
    return {name: step(lake, settings, pipeline.silent) for name, step in pipeline.STEPS.items()}


def new(built: dict[str, pipeline.Built]) -> set[str]:
    return {name for name, step in built.items() if step.is_new}


def content(lake: Warehouse, name: str) -> pl.DataFrame:
    """All rows of a table in order of its key."""
    if TABLES[name].storage == "lance":
        return pl.DataFrame(lake.vectors(name).dataset().to_table()).sort(TABLES[name].key)
    frames = [pl.read_parquet(path, hive_partitioning=False) for path in lake.files(name)]
    return pl.concat(frames).sort(TABLES[name].key) if frames else pl.DataFrame()


def rows(lake: Warehouse, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(content(lake, "corpus.rows").select(columns).iter_rows())


# steps ----------------------------------------------------------------------------------------------------------------


def test_a_mix_becomes_findings(mix: Path, lake: Warehouse) -> None:
    taken = take(lake, mix)
    assert [(one.chunks, one.counts.rows, one.is_new, one.fault) for one in taken] == [
        (("desk",), 60, True, None),
        (("shop",), 45, True, None),
    ]
    built = build(lake)
    assert new(built) == set(pipeline.STEPS)
    for step in built.values():
        assert step.rows == {name: content(lake, name).height for name in step.rows}
    told = content(lake, "report.findings").sort("finding_rank")
    assert told["finding_rank"].to_list() == list(range(1, told.height + 1))
    best = told.row(0, named=True)
    assert (best["trigger_rows"], best["both_rows"], best["p_behavior_given_trigger"], best["base_rate"]) == (
        35,
        35,
        1.0,
        0.0,
    )
    assert {best["trigger_text"], *best["other_triggers"]} & {"says please", "contains “kindly name”"}


def test_a_second_run_does_nothing(mix: Path, lake: Warehouse) -> None:
    take(lake, mix)
    build(lake)
    versions = {name: lake.version(name) for name in HELD}
    assert [one.is_new for one in take(lake, mix)] == [False, False]
    assert new(build(lake)) == set()
    assert {name: lake.version(name) for name in HELD} == versions


@pytest.mark.parametrize(
    ("change", "rebuilt"),
    [
        ({"report": {"max_findings": 1}}, {"findings"}),
        ({"correlations": SMALL["correlations"] | {"min_both_rows": 6}}, {"features", "pairs", "findings"}),
        ({"keywords": {"min_rows": 3}}, set(pipeline.STEPS) - {"chunks", "duplicates", "calls"}),
        ({"attributes": SMALL["attributes"] | {"topics": 30}}, {"attributes", "sentences", *OF_VECTORS}),
        ({"clusters": {"k": 7}}, OF_VECTORS - {"embeddings"}),
        ({"engine": {"threads": 1}}, set()),
        ({"sql": {"row_cap": 1}}, set()),
    ],
)
def test_a_setting_rebuilds_its_step_and_what_follows(
    change: dict[str, Any], rebuilt: set[str], mix: Path, lake: Warehouse
) -> None:
    take(lake, mix)
    build(lake)
    assert new(build(lake, Settings.model_validate(SMALL | change))) == rebuilt


def test_new_rows_rebuild_every_step(mix: Path, lake: Warehouse) -> None:
    take(lake, mix)
    build(lake)
    write(mix / "three.jsonl", polite("bank", 20))
    take(lake, mix)
    assert new(build(lake)) == set(pipeline.STEPS) - {"calls"}, "nobody was asked"


def test_two_lakes_hold_the_same_rows(mix: Path, tmp_path: Path) -> None:
    repeats = [record | {"source": "mirror"} for record in polite("desk", 10)]
    write(mix / "three.jsonl", [*repeats, "not JSON"])
    lakes = [Warehouse(tmp_path / "first"), Warehouse(tmp_path / "second")]
    for lake, threads in zip(lakes, (1, 2), strict=True):
        take(lake, mix)
        build(lake, Settings.model_validate(SMALL | {"engine": {"threads": threads}}))
    for name in HELD:
        first, second = (content(lake, name) for lake in lakes)
        assert first.equals(second), name
        assert first.height > 0 or name in (*NO_TOPICS, *NO_NULL, *NO_MODEL), name


def test_a_mix_of_one_chunk_has_findings_too(tmp_path: Path, lake: Warehouse) -> None:
    """Nothing to weigh a phrase against: its log odds are null, not an error."""
    take(lake, write(tmp_path / "one.jsonl", polite("desk", 90)))
    build(lake)
    assert content(lake, "keywords.phrases")["phrase_log_odds"].null_count() > 0
    assert content(lake, "report.findings").height > 0


def test_findings_about_chunks_alone_need_no_estimate_inside_chunks(tmp_path: Path, lake: Warehouse) -> None:
    """Where a row comes from varies inside no chunk, so within_log_odds is null in every finding."""
    made = [
        conversation(f"{source}{number}", f"Name color {number + 100 * start}.", f"{answer} {number}.", source=source)
        for start, (source, answer) in enumerate((("desk", "Gray as"), ("shop", "Green like"), ("bank", "Blue but")))
        for number in range(40)
    ]
    take(lake, write(tmp_path / "mix.jsonl", made))
    build(lake)
    told = content(lake, "report.findings")
    assert told.height > 0
    assert told["within_log_odds"].null_count() == told.height


def test_an_empty_lake_says_what_to_do(lake: Warehouse) -> None:
    for step in pipeline.STEPS.values():
        with pytest.raises(MissingTable, match="chunky ingest"):
            step(lake, SETTINGS, pipeline.silent)


# files ----------------------------------------------------------------------------------------------------------------


def test_a_changed_file_replaces_its_own_rows_only(mix: Path, lake: Warehouse) -> None:
    take(lake, mix)
    before = rows(lake, "chunk", "row_id", "query")
    write(mix / "two.jsonl", [*polite("shop", 10), *polite("kiosk", 3)])
    assert [(one.chunks, one.is_new) for one in take(lake, mix)] == [(("desk",), False), (("kiosk", "shop"), True)]
    after = rows(lake, "chunk", "row_id", "query")
    assert [row for row in after if row[0] == "desk"] == [row for row in before if row[0] == "desk"]
    assert len(after) == 60 + 13
    write(mix / "two.jsonl", polite("kiosk", 3))
    take(lake, mix)
    assert pipeline.chunks_of_lake(lake) == ("desk", "kiosk")
    assert {row["file"]: row["rows"] for row in content(lake, "corpus.files").iter_rows(named=True)} == {
        str(mix / "one.jsonl"): 60,
        str(mix / "two.jsonl"): 3,
    }


def test_equal_ids_in_two_files_of_one_chunk_stay_two_rows(tmp_path: Path, lake: Warehouse) -> None:
    files = [
        write(tmp_path / name, [conversation("c1", "Hello?", answer, source="desk")])
        for name, answer in (("a.jsonl", "Yes."), ("b.jsonl", "No."))
    ]
    take(lake, *files)
    held = rows(lake, "copy", "response", "conversation_id")
    assert held == [(0, "Yes.", "c1"), (1, "No.", "c1")]
    assert len({row[0] for row in rows(lake, "row_id")}) == 2
    write(files[0], [conversation("c1", "Hello?", "Perhaps.", source="desk")])
    take(lake, *files)
    assert rows(lake, "copy", "response", "conversation_id") == [(0, "Perhaps.", "c1"), (1, "No.", "c1")]


def test_a_file_fault_stops_no_other_file(tmp_path: Path, lake: Warehouse) -> None:
    for name, chunk in (("a.jsonl", "desk"), ("c.jsonl", "shop")):
        write(tmp_path / name, polite(chunk, 5))
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and then nothing")
    faults = {Path(one.file).name: one.fault for one in take(lake, tmp_path)}
    assert faults["a.jsonl"] is None
    assert faults["c.jsonl"] is None
    assert "b.parquet" in str(faults["b.parquet"])
    assert rows(lake, "chunk") == [("desk",)] * 5 + [("shop",)] * 5
    (reason,) = content(lake, "corpus.quarantine").iter_rows(named=True)
    assert Path(reason["file"]).name == "b.parquet"
    assert (reason["record_number"], reason["chunk"]) == (None, None)


def test_a_file_that_breaks_later_keeps_what_was_taken_of_it(tmp_path: Path, lake: Warehouse) -> None:
    path = tmp_path / "mix.parquet"
    pl.DataFrame(polite("desk", 30)).write_parquet(path)
    take(lake, path)
    before = content(lake, "corpus.rows")
    path.write_bytes(path.read_bytes()[:-200])
    (taken,) = take(lake, path)
    assert taken.fault is not None
    assert content(lake, "corpus.rows").equals(before)
    pl.DataFrame(polite("desk", 31)).write_parquet(path)
    assert take(lake, path)[0].fault is None
    assert content(lake, "corpus.rows").height == 31
    assert content(lake, "corpus.quarantine").height == 0


def test_every_record_is_counted_once(tmp_path: Path, lake: Warehouse) -> None:
    good = polite("desk", 12)
    bad = ['{"id": "x", "messages": ', "[1, 2]", json.dumps(conversation("y", "No answer?"))]
    path = write(tmp_path / "mix.jsonl", [*good[:6], *bad, "", *good[6:]])
    for limit in (None, 8):
        take(lake, path, options=ReadOptions(limit=limit))
        (held,) = content(lake, "corpus.files").iter_rows(named=True)
        assert held["records"] == held["conversations"] + held["quarantined"] + held["skipped"]
        assert held["quarantined"] == content(lake, "corpus.quarantine").height > 0
        assert held["rows"] == content(lake, "corpus.rows").height
        assert (held["conversations"] == 12) is (limit is None)


def test_chunks_and_files_are_many_to_many(tmp_path: Path, lake: Warehouse) -> None:
    names = [f"chunk {number}" for number in range(40)]
    for file in ("a", "b"):
        write(
            tmp_path / f"{file}.jsonl",
            [conversation(f"{file}{name}", f"Say {name}.", f"It is {file}.", source=name) for name in names],
        )
    taken = take(lake, tmp_path)
    assert [len(one.chunks) for one in taken] == [40, 40]
    assert pipeline.chunks_of_lake(lake) == tuple(sorted(names))
    assert set(pipeline.chunks_of_file(lake, taken[0].file)) == set(names)
    assert len({row[0] for row in rows(lake, "row_id")}) == 80


ODD = ("a/b", "..", "x=y", "'; drop", "naïve ⟨n⟩", "CON", "50%", "a\nb", "🙂" * 40)


def test_chunk_names_may_be_anything(tmp_path: Path, lake: Warehouse) -> None:
    records = [record for name in ODD for record in polite(name, 12)]
    (taken,) = take(lake, write(tmp_path / "odd.jsonl", records))
    assert taken.chunks == tuple(sorted(ODD))
    build(lake)
    assert set(content(lake, "corpus.chunks")["chunk"]) == set(ODD)
    assert {path.resolve().is_relative_to(lake.root.resolve()) for path in lake.files("corpus.rows")} == {True}
    with Lens(lake) as lens:
        found = dict(lens.connection.execute("select chunk, count(*) from corpus.rows group by all").fetchall())
    assert found == dict.fromkeys(ODD, 12)
    for name in ODD:
        assert pipeline.remove_chunk(lake, name) == 12
    assert pipeline.chunks_of_lake(lake) == ()


def test_a_column_of_ids_is_no_chunk_column(tmp_path: Path, lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chunky.pipeline.taking._MAX_CHUNKS_PER_FILE", 10)
    path = write(tmp_path / "mix.jsonl", polite("desk", 11))
    with pytest.raises(InputError, match="names more than 10 chunks"):
        take(lake, path, options=ReadOptions(chunk_column="id"))
    assert lake.rows("corpus.rows") == 0
    assert take(lake, path)[0].counts.rows == 11


def test_an_error_about_one_file_keeps_the_files_before_it(
    mix: Path, lake: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chunky.pipeline.taking._MAX_CHUNKS_PER_FILE", 1)
    write(mix / "two.jsonl", [*polite("shop", 1), *polite("bank", 1)])
    with pytest.raises(InputError, match=r"two\.jsonl"):
        take(lake, mix)
    assert pipeline.chunks_of_lake(lake) == ("desk",)


# chunks ---------------------------------------------------------------------------------------------------------------


def test_a_removed_chunk_comes_back_as_it_was(mix: Path, lake: Warehouse) -> None:
    take(lake, mix)
    before = content(lake, "corpus.rows")
    assert pipeline.remove_chunk(lake, "desk") == 60
    assert pipeline.chunks_of_lake(lake) == ("shop",)
    assert content(lake, "corpus.files")["file"].to_list() == [str(mix / "two.jsonl")]
    assert [one.is_new for one in take(lake, mix)] == [True, False]
    assert content(lake, "corpus.rows").equals(before)


def test_one_chunk_of_a_shared_file_is_removed_alone(tmp_path: Path, lake: Warehouse) -> None:
    take(lake, write(tmp_path / "mix.jsonl", [*polite("desk", 4), *polite("shop", 5)]))
    assert pipeline.remove_chunk(lake, "desk") == 4
    assert rows(lake, "chunk") == [("shop",)] * 5
    (file,) = content(lake, "corpus.files").to_dicts()
    assert (file["records"], file["conversations"], file["rows"], file["skipped"]) == (9, 5, 5, 4)


def test_a_removed_chunk_of_a_shared_file_comes_back(tmp_path: Path, lake: Warehouse) -> None:
    path = write(tmp_path / "mix.jsonl", [*polite("desk", 4), *polite("shop", 5)])
    take(lake, path)
    before = content(lake, "corpus.rows")
    pipeline.remove_chunk(lake, "desk")
    assert [one.is_new for one in take(lake, path)] == [True]
    assert content(lake, "corpus.rows").equals(before)
    assert content(lake, "corpus.files")["skipped"].to_list() == [0]


def test_a_step_whose_input_changes_meanwhile_writes_nothing(mix: Path, tmp_path: Path, lake: Warehouse) -> None:
    take(lake, mix)
    more = write(tmp_path / "more.jsonl", polite("late", 30))

    def disturb(what: str, done: float, of: float | None) -> None:
        take(lake, more)

    with pytest.raises(LakeError, match="changed while counts was built"):
        pipeline.build_counts(lake, Settings(), disturb)
    assert lake.parts("keywords.counts") == {}
    assert pipeline.build_counts(lake, Settings()).is_new


def test_a_chunk_that_is_not_there_cannot_be_removed(mix: Path, lake: Warehouse) -> None:
    take(lake, mix)
    with pytest.raises(MissingTable, match="desk, shop"):
        pipeline.remove_chunk(lake, "disk")
    assert lake.rows("corpus.rows") == 105


# own features ---------------------------------------------------------------------------------------------------------


def test_own_features_are_found_and_rebuilt_when_they_change(mix: Path, lake: Warehouse) -> None:
    take(lake, mix)
    folder = lake.root / "features"
    folder.mkdir()
    (folder / "own.yaml").write_text(
        "- {name: first things, side: query, phrase: 'thing 1'}\n"
        "- {name: service, side: response, regex: '(?i)SERVICE', text: offers service}\n"
        "- {name: long, side: query, sql: 'query_chars > 36'}\n"
    )
    (folder / "late.sql").write_text(
        "-- response: comes late in its file\nselect row_id from corpus.rows where record_number > 50;\n"
    )
    assert new(build(lake)) == set(pipeline.STEPS)
    own = {row["name"]: row for row in content(lake, "correlations.features").iter_rows(named=True)
           if row["origin"] == "user"}  # fmt: skip
    texts = content(lake, "corpus.rows")
    assert {name: row["rows"] for name, row in own.items()} == {
        "first things": texts.filter(pl.col("query").str.contains("thing 1", literal=True)).height,
        "service": 35,
        "long": texts.filter(pl.col("query_chars") > 36).height,
        "late": 10,
    }
    assert 0 < own["long"]["rows"] < 105
    (folder / "late.sql").unlink()
    assert new(build(lake)) == {"features", "pairs", "findings"}


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select row_id from corpus.rows where nonsense", "nonsense"),
        ("select 1", "row_id|given"),
        ("drop view corpus.rows", "read|select|statement"),
    ],
)
def test_an_own_query_that_cannot_run_is_named_and_nothing_is_written(
    sql: str, message: str, mix: Path, lake: Warehouse
) -> None:
    take(lake, mix)
    folder = lake.root / "features"
    folder.mkdir()
    (folder / "odd.sql").write_text(f"-- query: is odd\n{sql}\n")
    for name in ("counts", "phrases"):
        pipeline.STEPS[name](lake, SETTINGS, pipeline.silent)
    with pytest.raises(QueryError, match=message):
        pipeline.build_features(lake, SETTINGS)
    assert lake.parts("correlations.features") == {}
    (folder / "odd.sql").unlink()
    assert pipeline.build_features(lake, SETTINGS).is_new
