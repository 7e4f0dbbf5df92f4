"""What models make of texts, block by block; what the calls come to; and the rules as a provider like any other."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from chunky import files, fingerprints
from chunky.by_model import extraction
from chunky.cli.money import dollars, estimate_lines, lines_of, sentence_of
from chunky.cli.progress import watching
from chunky.corpus.ids import signed_hash
from chunky.errors import SettingsError
from chunky.llm import Budget, Ledger, Request, get_model
from chunky.llm.books import calls_reader, contents, costs, usage
from chunky.llm.protocol import Reply
from chunky.llm.roles import Parsed, extractor, summarizer
from chunky.llm.roles.extractor import Described
from chunky.llm.tally import Tally
from chunky.settings import load
from chunky.stages import STAGES, Stage

TEXTS = [
    ("a", "q1", "r1"),
    ("a", "q2", "r1"),
    ("a", "r1", "r2"),
    ("b", "q1", "r3"),
    ("b", "q3", "bad"),
    ("b", "q1", "bad"),
]


def batches() -> Iterator[pa.Table]:
    for start in (0, 2, 3):
        part = TEXTS[start : {0: 2, 2: 3, 3: 6}[start]]
        chunks, queries, responses = zip(*part, strict=True)
        ids = pa.array(range(start, start + len(part)), pa.int64())
        yield pa.table({"row_id": ids, "chunk": chunks, "query": queries, "response": responses})


def answering(asked: list[tuple[str, str]]) -> extraction.Ask:
    def ask(requests: Sequence[Request]) -> list[Parsed[Described]]:
        found: list[Parsed[Described]] = []
        for request in requests:
            side, text = request.facts["side"], request.facts["text"]
            asked.append((side, text))
            told = Described(side, (f"The {side} says {text}.", f"The {side} is.", f"The {side} ends.")[::-1])
            found.append(Parsed(None, "refusal", "no", None) if text == "bad" else Parsed(told, None, None, ""))
        return found

    return ask


@pytest.mark.parametrize("size", [1, 2, 4, 100])
def test_each_text_of_a_side_is_asked_about_once_whatever_the_block(size: int) -> None:
    asked: list[tuple[str, str]] = []
    repeats = extraction.find_repeats(batches)
    assert repeats.distinct == {"query": 4, "response": 4}
    assert {side: len(hashes) for side, hashes in repeats.hashes.items()} == {"query": 1, "response": 2}
    blocks = list(extraction.extract(batches, repeats, answering(asked), block_rows=size))
    assert sorted(asked) == sorted({*(("query", q) for _, q, _ in TEXTS), *(("response", r) for _, _, r in TEXTS)})
    parts = [(chunk, line) for block in blocks for chunk, part in block.chunks for line in part.to_pylist()]
    assert [line["chunk"] for _, line in parts] == [chunk for chunk, _ in parts]
    found = {(line["row_id"], line["side"], line["attribute_rank"]): line["attribute_id"] for _, line in parts}
    wanted = {}
    for row_id, (_, query, response) in enumerate(TEXTS):
        for side, text in (("query", query), ("response", response)):
            for rank, sentence in enumerate((f"The {side} ends.", f"The {side} is.", f"The {side} says {text}."), 1):
                if text != "bad":
                    wanted[row_id, side, rank] = signed_hash(side, sentence)
    assert found == wanted
    failures = [line for block in blocks for line in block.failures.to_pylist()]
    assert [(line["row_id"], line["side"], line["error"]) for line in failures] == [
        (4, "response", "refusal"), (5, "response", "refusal"),
    ]  # fmt: skip
    told = {line["attribute_id"] for block in blocks for line in block.sentences.to_pylist()}
    assert told == set(wanted.values())


def test_no_rows_give_no_blocks() -> None:
    repeats = extraction.find_repeats(lambda: [])
    assert repeats.distinct == {"query": 0, "response": 0}
    assert list(extraction.extract(lambda: [], repeats, answering([]))) == []


# what calls come to ---------------------------------------------------------------------------------------------------


def reply(usd: float | None = 0.5, cached: bool = False, attempts: int = 1) -> Reply:
    return Reply("x", None, None, 10, 2, usd, 0.1, cached, 0 if cached else attempts, "m")


def test_a_tally_projects_from_the_calls_that_were_paid() -> None:
    tally = Tally("judge", "m", 10)
    assert (tally.projected_usd, tally.calls_per_second) == (None, None)
    for given in (reply(cached=True), reply(cached=True), reply(), reply()):
        tally.add(given, None, 2.0)
    assert (tally.done, tally.cached, tally.made, tally.usd, tally.input_tokens) == (4, 2, 2, 1.0, 20)
    assert tally.projected_usd == 1.0 + 6 * 0.5
    assert tally.calls_per_second == 2
    tally.add(reply(None), "timeout", 3.0)
    assert (tally.projected_usd, tally.unpriced, tally.errors["timeout"]) == (None, 1, 1)
    assert "calls of unknown cost" in sentence_of(tally)


def test_the_panel_and_the_line_say_the_same() -> None:
    tally = Tally("extractor", "openai:m", 3)
    for error in (None, "refusal"):
        tally.add(reply(), error, 4.0)
    for told in ("\n".join(lines_of(tally)), sentence_of(tally)):
        for part in ("2 of 3", "$1.00 of about $1.50", "20", "0.5 calls/s", "refusal 1"):
            assert part in told


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_model_calls_are_a_panel_on_a_terminal_and_lines_elsewhere() -> None:
    screen, pipe = Terminal(), io.StringIO()
    for stream in (screen, pipe):
        with watching(False, stream=stream) as watcher:
            tally = Tally("extractor", "evil\x1b[31m", 200)
            watcher.calls(tally)
            for _ in range(200):
                tally.add(reply(), None, 5.0)
                watcher.calls(tally)
            watcher("then", 0, None)
    assert "model calls" in screen.getvalue()
    assert "evil\\x1b[31m" in screen.getvalue()
    lines = pipe.getvalue().splitlines()
    assert [line.split(" · ")[0] for line in lines] == [
        "extractor: 0 of 200 calls", "extractor: 200 of 200 calls", "then …",
    ]  # fmt: skip


def test_amounts_for_people() -> None:
    told = [dollars(value) for value in (None, 0, 0.00421, 0.5, 12.34, 1234.5)]
    assert told == ["?", "$0.00", "$0.0042", "$0.50", "$12.34", "$1,234.50"]


def test_an_estimate_without_a_price_says_where_to_write_one() -> None:
    from chunky.by_model.estimating import estimate

    sample = extractor.requests([extractor.Text("query", "What is it?")])
    one = estimate("extractor", "openai:m", items=5, calls=10, sample=sample, held_share=0.5, usage=None, price=None)
    assert (one.held_calls, one.usd, one.output_tokens) == (5, None, 5 * 250)
    assert 5 * 200 < one.input_tokens < 5 * 1_000
    lines = estimate_lines([one], 3)
    assert "in all about ?; limit $3.00" in lines
    assert "prices.toml" in lines[-1]


# books ----------------------------------------------------------------------------------------------------------------


def test_the_rules_are_a_provider_whose_calls_are_in_the_books() -> None:
    with Ledger(None) as ledger:
        model = get_model("rules", ledger=ledger, budget=Budget("run-7", 0))
        requests = summarizer.requests([summarizer.Cluster("query", (("The query asks.", 3),))])
        requests += extractor.requests([extractor.Text("query", "x")])
        replies = model.complete(requests)
        assert summarizer.read(requests[0], replies[0]).value == "The query asks."
        assert replies[1].error == "invalid request"
        calls = calls_reader(ledger).read_all().to_pylist()
        assert [(call["run"], call["role"], call["model"], call["usd"]) for call in calls] == [
            ("run-7", "summarizer", "rules", 0.0), ("run-7", "extractor", "rules", 0.0),
        ]  # fmt: skip
        assert [(call["error"], call["input_tokens"]) for call in calls] == [(None, None), ("invalid request", None)]
        assert [(each.role, each.calls, each.failed, each.usd) for each in costs(ledger)] == [
            ("extractor", 1, 1, 0.0), ("summarizer", 1, 0, 0.0),
        ]  # fmt: skip
        assert usage(ledger, "summarizer", "rules") is None
        assert [(each.model, each.answers, each.others) for each in contents(ledger)] == [("rules", 0, 2)]


def test_what_the_rules_must_know_of_a_mix_is_handed_in() -> None:
    tools = {"extract": lambda side, text: [f"The {side} is {text}."]}
    model = get_model("rules", tools=tools)
    (request,) = extractor.requests([extractor.Text("query", "short")], least=1)
    described = extractor.read(request, model.complete([request])[0]).value
    assert described == Described("query", ("The query is short.",))
    with pytest.raises(SettingsError, match="of which there is one"):
        get_model("rules:better")


def test_a_budget_without_limits_needs_no_price() -> None:
    assert not Budget("r").is_limited
    assert Budget("r", role_usd={"judge": 1}).is_limited
    address = "openai:m@http://127.0.0.1:9/v1"
    assert get_model(address, budget=Budget("r"), environ={}).name == address
    with pytest.raises(SettingsError, match="no price"):
        get_model(address, budget=Budget("r", 0), environ={})


# settings and fingerprints --------------------------------------------------------------------------------------------


def test_who_plays_is_a_setting_outside_the_sections(tmp_path: Path) -> None:
    assert load(folder=tmp_path).settings.model("summarizer") == "rules"
    (tmp_path / "chunky.toml").write_text('extractor = "openai:a"\n[llm]\nmax_cost = 5\n', encoding="utf-8")
    loaded = load(folder=tmp_path)
    assert (loaded.settings.model("extractor"), loaded.settings.model("summarizer")) == ("openai:a", "openai:a")
    assert loaded.settings.llm.max_cost == 5
    assert load(environ={"CHUNKY_EXTRACTOR": "openai:b"}, folder=tmp_path).settings.extractor == "openai:b"
    flags = {"extractor": "openai:c", "summarizer": "rules"}
    last = load(environ={"CHUNKY_EXTRACTOR": "openai:b"}, flags=flags, folder=tmp_path)
    assert (last.settings.model("extractor"), last.settings.model("summarizer")) == ("openai:c", "rules")
    assert next(origin for origin in last.origins if origin.name == "extractor").source == "flag"
    with pytest.raises(SettingsError, match="did you mean extractor"):
        load(flags={"extracter": "rules"}, folder=tmp_path)


PLAYED = [one for one in STAGES if one.role]


@pytest.mark.parametrize("one", PLAYED, ids=lambda one: one.name)
def test_the_code_of_a_role_covers_its_prompt(one: Stage) -> None:
    covered = {path.name for path in fingerprints.sources(one.model_code)}
    assert {f"{one.role}.md", "shared.md", f"{one.role}.py", "fences.py", "reading.py"} <= covered
    assert f"{one.role}.md" not in {path.name for path in fingerprints.sources(one.code)}, "rules read no prompt"


def test_rubrics_are_code_too() -> None:
    assert "rebuttal.yaml" in {path.name for path in fingerprints.sources(("chunky.rubrics",))}
    assert "rebuttal.yaml" in {path.name for path in fingerprints.sources(("chunky.llm.roles.judge",))}


def test_a_changed_prompt_changes_the_code_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest() -> str:
        fingerprints.code_digest.cache_clear()
        return fingerprints.code_digest(("chunky.thing",))

    monkeypatch.setattr(files, "_PACKAGE", tmp_path)
    (tmp_path / "thing" / "told").mkdir(parents=True)
    (tmp_path / "thing" / "told" / "__init__.py").write_bytes(b"")
    seen = {digest()}
    for name, text in (("ask.md", b"Be brief."), ("ask.md", b"Be long."), ("rubric.yaml", b"a: 1"), ("x.txt", b"")):
        (tmp_path / "thing" / "told" / name).write_bytes(text)
        seen.add(digest())
    assert len(seen) == 4, "notes beside them are none"
    fingerprints.code_digest.cache_clear()
