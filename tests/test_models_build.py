"""A build in which a model finds the attributes and names the clusters: through the real SDK, against a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from chunky import pipeline
from chunky.errors import BudgetError, EngineError, SettingsError
from chunky.lens import Lens
from chunky.llm import BatchPolicy, Ledger
from chunky.llm.books import calls_reader
from chunky.llm.roles import extractor
from chunky.pipeline.models import model_of
from chunky.settings import Settings
from chunky.warehouse import Warehouse
from tests.batch_server import BatchServer
from tests.fault_server import Ask
from tests.role_server import PRICES, USD_A_CALL, RoleServer, told
from tests.test_pipeline import SMALL, build, new, polite, take, write

ROOT = Path(__file__).parent.parent
DISTINCT = 460  # of 600 texts: a third of the responses of a chunk are all alike but for the number
TABLES = ("attributes.row_attributes", "attributes.texts", "attributes.failures")
OF_A_MODEL = {
    "attributes", "embeddings", "sentences", "clusters", "postings", "names", "null", "features", "pairs", "findings",
    "calls",
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[RoleServer]:
    with RoleServer() as running:
        yield running


@pytest.fixture
def mixed(lake: Warehouse, tmp_path: Path) -> Warehouse:
    """300 rows of two chunks, and prices."""
    return mixed_lake(lake, tmp_path / "mix")


def mixed_lake(lake: Warehouse, mix: Path) -> Warehouse:
    write(mix / "one.jsonl", polite("desk", 160))
    write(mix / "two.jsonl", polite("shop", 140))
    take(lake, mix)
    (lake.root / "prices.toml").write_text(PRICES, encoding="utf-8")
    return lake


def by_model(server: RoleServer, **llm: Any) -> Settings:
    return Settings.model_validate(
        SMALL
        | {"extractor": server.openai, "clusters": {"k": 12}, "llm": llm}
        | {"correlations": SMALL["correlations"] | {"clusters": True}}
    )


def extract(lake: Warehouse, settings: Settings) -> pipeline.Built:
    return pipeline.STEPS["attributes"](lake, settings, pipeline.silent)


def rows(lake: Warehouse, sql: str) -> list[tuple[Any, ...]]:
    with Lens(lake) as lens:
        return pl.DataFrame(lens.table(sql)).rows()


def content(lake: Warehouse, table: str) -> list[tuple[Any, ...]]:
    return rows(lake, f"select * from {table} order by all")


# the whole build ------------------------------------------------------------------------------------------------------


class World(NamedTuple):
    """A lake that a model built, and whom it asked. Tests must not change it."""

    lake: Warehouse
    settings: Settings
    server: RoleServer
    built: dict[str, pipeline.Built]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with RoleServer(keeps_asks=True) as server:
        lake, settings = mixed_lake(Warehouse(folder / "lake"), folder / "mix"), by_model(server)
        yield World(lake, settings, server, build(lake, settings))


def test_a_model_fills_the_tables_that_rules_fill(world: World) -> None:
    lake = world.lake
    assert new(world.built) == set(pipeline.STEPS)
    per_side = "select row_id, side, count(*), max(attribute_rank) from attributes.row_attributes group by all"
    assert {(count, last) for _, _, count, last in rows(lake, per_side)} == {(10, 10)}
    assert len(rows(lake, per_side)) == 600
    asked = Counter(ask.prompt for ask in world.server.asks if "You name groups" not in str(ask.body))
    assert (len(asked), asked.total()) == (DISTINCT, DISTINCT), "each distinct text once"
    first = "select distinct attribute from attributes.row_attributes inner join attributes.texts using (attribute_id)"
    wanted = {"The query asks kindly.", "The query is plain.", "The response is plain."}
    assert {text for (text,) in rows(lake, f"{first} where attribute_rank = 1")} == wanted
    counted = dict(rows(lake, "select attribute, rows from attributes.texts where family = 'model'"))
    assert counted["The query asks kindly."] == 101
    assert counted["The query shows trait number 3 of all texts."] == 300
    assert rows(lake, "select count(*) from attributes.texts where attribute_weight is not null") == [(0,)]
    assert content(lake, "attributes.failures") == []


def test_neither_side_is_shown_the_other(world: World) -> None:
    for ask in world.server.asks:
        assert not ("Name the color" in ask.prompt and "is gray" in ask.prompt)


def test_what_follows_works_on_a_model_s_sentences(world: World) -> None:
    near = pipeline.nearest_sentences(world.lake, world.settings, "The query asks kindly.", "query", 3)
    texts = dict(rows(world.lake, "select attribute_id, attribute from attributes.texts"))
    assert texts[int(near.attribute_ids[0])] == "The query asks kindly."
    columns = "cluster_name, model, attributes, cluster"
    named = rows(world.lake, f"select {columns} from clusters.names inner join clusters.summaries using (cluster_id)")
    assert {model for _, model, *_ in named} == {"rules", world.server.openai}
    for name, model, size, medoid in named:
        assert (model == "rules") == (size == 1), "one sentence needs no model"
        assert name == (
            medoid if model == "rules" else f"{medoid[: medoid.index(' ', 4)]} is in a group of {min(size, 20)}."
        )
    features = rows(world.lake, "select text from correlations.features where kind = 'cluster'")
    assert any("is in a group of" in text for (text,) in features)
    assert rows(world.lake, "select 1 from report.findings"), "correlations over what the model said"


def test_a_second_build_asks_nobody(world: World) -> None:
    paid = Counter(world.server.paid)
    assert new(build(world.lake, world.settings)) == set()
    other = by_model(world.server, max_in_flight=2, run="other")
    assert new(build(world.lake, other)) == set(), "how it is asked is no result"
    assert pipeline.estimates(world.lake, world.settings) == []
    assert world.server.paid == paid


def test_another_extractor_makes_the_step_stale(mixed: Warehouse, server: RoleServer) -> None:
    rules = Settings.model_validate(SMALL | {"clusters": {"k": 12}})
    build(mixed, rules)
    assert content(mixed, "llm.calls") == [], "rules in a build are no calls"
    assert new(build(mixed, by_model(server))) == OF_A_MODEL
    assert rows(mixed, "select distinct family from attributes.texts") == [("model",)]
    assert "attributes" in new(build(mixed, rules))
    assert rows(mixed, "select count(*) from attributes.texts where family = 'model'") == [(0,)]


def test_the_summarizer_is_a_choice_of_its_own(mixed: Warehouse, server: RoleServer) -> None:
    rules = SMALL | {"clusters": {"k": 6}}
    build(mixed, Settings.model_validate(rules))
    named = Settings.model_validate(rules | {"summarizer": server.openai})
    assert new(build(mixed, named)) == {"names", "features", "pairs", "findings", "calls"}
    assert 0 < server.paid.total() <= 12
    assert rows(mixed, "select distinct role from llm.calls") == [("summarizer",)]


def test_the_other_vendor_speaks_too(mixed: Warehouse, server: RoleServer) -> None:
    extract(mixed, by_model(server))
    theirs = Settings.model_validate(SMALL | {"extractor": server.anthropic})
    assert extract(mixed, theirs).is_new
    assert server.paid.total() == 2 * DISTINCT
    assert len(rows(mixed, "select 1 from attributes.row_attributes")) == 6_000


# failures -------------------------------------------------------------------------------------------------------------


def failing(share: int) -> Any:
    """A plan in which one prompt in `share` is never answered well, in the way of its turn."""
    kinds = ("nine", "refusal", "wrong schema", "cut", "400")

    def plan(ask: Ask) -> str | None:
        number = sum(ask.prompt.encode())
        return kinds[number // share % len(kinds)] if number % share == 0 and "desk" in ask.prompt else None

    return plan


def test_a_failed_reply_is_a_row_of_failures_and_no_attribute(mixed: Warehouse, server: RoleServer) -> None:
    server.plan = failing(20)
    settings = by_model(server)
    extract(mixed, settings)
    failed = rows(mixed, "select row_id, side, error, detail from attributes.failures")
    assert 3 < len(failed) <= 30
    assert {error for _, _, error, _ in failed} <= {"bad reply", "refusal", "truncated", "invalid request"}
    assert all(detail for *_, detail in failed)
    described = set(rows(mixed, "select distinct row_id, side from attributes.row_attributes"))
    missing = {(row_id, side) for row_id, side, *_ in failed}
    assert not described & missing
    assert len(described | missing) == 600
    assert not extract(mixed, settings).is_new, "reported once"
    server.plan = lambda ask: None
    paid = server.paid.total()
    assert pipeline.forget_failures(mixed) == len(failed)
    assert extract(mixed, settings).is_new
    assert content(mixed, "attributes.failures") == []
    again = server.paid.total() - paid
    assert 0 < again <= len(failed), "asked again: what failed, and nothing else"
    assert pipeline.forget_failures(mixed) == 0


def test_nine_sentences_are_no_answer_and_are_not_served(mixed: Warehouse, server: RoleServer) -> None:
    server.plan = lambda ask: "nine" if "thing 7 in" in ask.prompt else None
    extract(mixed, by_model(server))
    assert [error for (error,) in rows(mixed, "select error from attributes.failures")] == ["bad reply"] * 2
    pipeline.STEPS["calls"](mixed, by_model(server), pipeline.silent)
    for reply, detail in rows(mixed, "select reply, detail from llm.calls where error = 'bad reply'"):
        assert "not 10" in detail
        assert len(json.loads(reply)["attributes"]) == 9, "the text is kept"
    assert rows(mixed, "select count(*) from llm.calls where error is not null") == [(2,)]


def test_a_name_that_fails_is_null_with_its_reason(mixed: Warehouse, server: RoleServer) -> None:
    build(mixed, by_model(server))
    server.plan = lambda ask: "refusal" if "mark 1" in ask.prompt else None
    settings = by_model(server, max_failed_share=1)
    other = settings.model_copy(update={"summarizer": server.anthropic})
    pipeline.STEPS["names"](mixed, other, pipeline.silent)
    failed = rows(mixed, "select cluster_name, error, detail from clusters.names where error is not null")
    assert failed
    assert {(name, error) for name, error, _ in failed} == {(None, "refusal")}
    assert new(build(mixed, other)) == {"features", "pairs", "findings", "calls"}, "the medoid stands in"


def test_a_step_that_fails_too_often_has_no_result(mixed: Warehouse, server: RoleServer) -> None:
    server.plan = failing(3)
    with pytest.raises(EngineError, match=r"of 460 calls of .* as extractor failed .*max_failed_share") as caught:
        extract(mixed, by_model(server))
    assert "kept" in caught.value.remedy
    assert mixed.parts("attributes.texts") == {}
    server.plan = lambda ask: "refusal"
    with pytest.raises(EngineError, match=r"100 calls of .* in a row failed, the last so: refusal"):
        extract(mixed, by_model(server, max_failed_share=1))


def test_a_key_that_stops_working_ends_the_step_at_once(mixed: Warehouse, server: RoleServer) -> None:
    server.plan = lambda ask: "401" if server.paid.total() > 50 else None
    with pytest.raises(EngineError, match="takes no more calls") as caught:
        extract(mixed, by_model(server, max_in_flight=4))
    assert "set a key" in caught.value.remedy
    assert server.faults["401"] <= 4
    paid = Counter(server.paid)
    server.plan = lambda ask: None
    extract(mixed, by_model(server))
    assert server.paid.total() == DISTINCT
    assert all(server.paid[prompt] == 1 for prompt in paid)


def test_passing_faults_leave_no_trace_in_the_table(mixed: Warehouse, server: RoleServer, tmp_path: Path) -> None:
    extract(mixed, by_model(server))
    wanted = [content(mixed, table) for table in TABLES]
    (mixed.root / "llm").rename(tmp_path / "ledger of a calm day")
    server.plan = lambda ask: "529" if ask.time == 1 and len(ask.prompt) % 5 == 0 else None
    # another model name, the same server: nothing is known of it
    calm = by_model(server).model_copy(update={"extractor": server.openai.replace("model@", "other@")})
    (mixed.root / "prices.toml").unlink()
    extract(mixed, calm)
    assert server.faults["529"] > 20
    assert [content(mixed, table) for table in TABLES] == wanted


# money ----------------------------------------------------------------------------------------------------------------


def test_a_budget_stops_the_build_and_what_was_paid_stays(mixed: Warehouse, server: RoleServer) -> None:
    with pytest.raises(BudgetError, match=r"the budget of this run ends after [\d,]+ of 460 calls") as caught:
        extract(mixed, by_model(server, max_cost=0.5))
    assert "--max-cost" in caught.value.remedy
    first = server.paid.total()
    assert first > 100
    assert first * USD_A_CALL <= 0.5
    pipeline.STEPS["calls"](mixed, by_model(server), pipeline.silent)
    assert rows(mixed, "select count(*), round(sum(usd), 6) from llm.calls where not is_cached") == [
        (first, round(first * USD_A_CALL, 6))
    ]
    extract(mixed, by_model(server, max_cost=5))
    assert server.paid.total() == DISTINCT, "it went on from there"


def test_a_role_has_a_limit_of_its_own(mixed: Warehouse, server: RoleServer) -> None:
    with pytest.raises(BudgetError):
        extract(mixed, by_model(server, max_cost=100, max_cost_extractor=0.3))
    assert server.paid.total() * USD_A_CALL <= 0.3


def test_a_name_joins_runs_under_one_budget(mixed: Warehouse, server: RoleServer) -> None:
    for _ in range(3):
        with pytest.raises(BudgetError):
            extract(mixed, by_model(server, max_cost=0.5, run="together"))
    assert server.paid.total() * USD_A_CALL <= 0.5
    with pytest.raises(SettingsError, match="other limits"):
        extract(mixed, by_model(server, max_cost=0.6, run="together"))


def test_a_limit_without_a_price_is_refused_before_any_call(mixed: Warehouse, server: RoleServer) -> None:
    (mixed.root / "prices.toml").unlink()
    with pytest.raises(SettingsError, match="no price is known"):
        extract(mixed, by_model(server, max_cost=5))
    assert server.seen.total() == 0
    extract(mixed, by_model(server))
    assert rows(mixed, "select count(*) from attributes.failures") == [(0,)]
    pipeline.STEPS["calls"](mixed, by_model(server), pipeline.silent)
    assert rows(mixed, "select distinct usd from llm.calls") == [(None,)], "unknown, not nothing"


def test_an_estimate_counts_without_asking(mixed: Warehouse, server: RoleServer) -> None:
    extraction, naming = pipeline.estimates(mixed, by_model(server))
    assert (extraction.items, extraction.calls, extraction.held_calls) == (300, DISTINCT, 0)
    assert "4 bytes" in extraction.basis
    assert extraction.usd is not None
    assert str(extraction.price_date) == "2026-11-25"
    assert (naming.calls, naming.is_bound) == (24, True)
    assert server.seen.total() == 0
    assert not (mixed.root / "llm").exists(), "looking makes no file"


def test_an_estimate_learns_from_the_ledger(mixed: Warehouse, server: RoleServer) -> None:
    with pytest.raises(BudgetError):
        extract(mixed, by_model(server, max_cost=0.6))
    paid = server.paid.total()
    extraction, _ = pipeline.estimates(mixed, by_model(server))
    assert extraction.basis == f"mean of {paid:,} answers in the ledger"
    left = extraction.calls - extraction.held_calls
    assert (extraction.input_tokens, extraction.output_tokens) == (100 * left, 10 * left)
    assert extraction.usd == pytest.approx(left * USD_A_CALL)
    assert extraction.held_calls == pytest.approx(paid, rel=0.35)
    build(mixed, by_model(server))
    other = by_model(server).model_copy(update={"summarizer": server.openai.replace("model@", "other@")})
    (naming,) = pipeline.estimates(mixed, other)
    (clusters,) = rows(mixed, "select count(*) from clusters.summaries where attributes > 1")
    assert ((naming.calls,), naming.is_bound) == (clusters, False)


def test_a_missing_key_is_no_bar_to_an_estimate(mixed: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    settings = Settings.model_validate(SMALL | {"extractor": "anthropic:some-model"})
    extraction, _ = pipeline.estimates(mixed, settings)
    assert (extraction.calls, extraction.usd) == (DISTINCT, None)


# rules by the protocol ------------------------------------------------------------------------------------------------


def test_the_rules_know_the_mix_through_the_protocol(mixed: Warehouse) -> None:
    rules = Settings.model_validate(SMALL)
    for step in ("counts", "phrases", "attributes"):
        pipeline.STEPS[step](mixed, rules, pipeline.silent)
    (query,) = rows(mixed, "select query from corpus.rows where query like 'Kindly%' order by row_id limit 1")[0]
    with Ledger(None) as ledger:
        model = model_of(mixed, rules, "extractor", ledger)
        (request,) = extractor.requests([extractor.Text("query", query)], least=1)
        described = extractor.read(request, model.complete([request])[0]).value
        assert described is not None
        stored = (
            "select attribute from attributes.row_attributes inner join attributes.texts using (attribute_id, side) "
        )
        stored += "inner join corpus.rows using (row_id) where query = $q and side = 'query' order by attribute_rank"
        wanted = [text for (text,) in rows(mixed, stored.replace("$q", f"$${query}$$"))]
        assert list(described.attributes) == wanted[:10]
        (call,) = calls_reader(ledger).read_all().to_pylist()
        assert (call["role"], call["model"], call["usd"]) == ("extractor", "rules", 0.0)


# killed ---------------------------------------------------------------------------------------------------------------

KILLED = """
    import sys
    from pathlib import Path
    from chunky import pipeline
    from chunky.settings import Settings
    from chunky.warehouse import Warehouse

    lake, settings = Warehouse(Path(sys.argv[1])), Settings.model_validate_json(sys.argv[2])
    pipeline.STEPS["attributes"](lake, settings, pipeline.silent)
"""


def test_a_killed_extraction_goes_on_without_paying_twice(mixed: Warehouse, tmp_path: Path) -> None:
    undisturbed = Warehouse(tmp_path / "undisturbed")
    take(undisturbed, tmp_path / "mix")
    with RoleServer(delay=0.02) as server:
        settings = by_model(server, max_in_flight=8)
        for goal in (60, 150):
            command = [sys.executable, "-c", textwrap.dedent(KILLED), str(mixed.root), settings.model_dump_json()]
            with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}) as child:
                while child.poll() is None:
                    if server.paid.total() >= goal:
                        os.kill(child.pid, signal.SIGKILL)
                    with suppress(subprocess.TimeoutExpired):
                        child.wait(0.002)
            assert child.returncode == -signal.SIGKILL
            assert mixed.parts("attributes.texts") == {}, "half a table is no table"
        assert extract(mixed, settings).is_new
        assert len(server.paid) == DISTINCT
        assert server.paid.total() - DISTINCT <= 2 * 8, "paid twice: at most what was in flight at a kill"
        pipeline.STEPS["calls"](mixed, settings, pipeline.silent)
        assert rows(mixed, "select count(*) from llm.calls where error = 'lost'")[0][0] <= 2 * 8
        paid = server.paid.total()
        other = settings.model_copy(update={"extractor": server.openai.replace("model@", "other@")})
        extract(undisturbed, other)
        assert server.paid.total() == paid + DISTINCT
    for table in TABLES:
        assert content(mixed, table) == content(undisturbed, table)


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_batches_fill_the_same_tables_at_the_batch_price(
    mixed: Warehouse, server: RoleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: str
) -> None:
    online = mixed_lake(Warehouse(tmp_path / "online"), tmp_path / "mix again")
    extract(online, by_model(server))
    prices = PRICES.replace("openai:", f"{api}:").replace("as_of", "batch_discount = 0.5\nas_of", 1)
    (mixed.root / "prices.toml").write_text(prices, encoding="utf-8")
    monkeypatch.setattr("chunky.llm.BatchPolicy", lambda: BatchPolicy(max_rows=100, first_look=0.01, longest_look=0.1))
    faults = iter(["errored", "expired"])
    seen: set[str] = set()

    def plan(ask: Ask) -> str | None:
        is_new = ask.prompt not in seen
        seen.add(ask.prompt)
        return next(faults, None) if is_new and len(seen) % 50 == 0 else None

    with BatchServer(plan=plan, answer=told) as vendor:
        settings = by_model(server, batch=True, max_cost=1_000)
        settings = settings.model_copy(update={"extractor": getattr(vendor, api), "summarizer": "rules"})
        for name in ("attributes", "embeddings", "sentences", "clusters", "names", "calls"):
            pipeline.STEPS[name](mixed, settings, pipeline.silent)
        assert len(vendor.paid) == DISTINCT
        assert max(vendor.paid.values()) == 1
        assert vendor.calls["submit"] <= 8, "all texts went out together"
    for table in ("row_attributes", "texts", "failures"):
        sql = f"select * from attributes.{table} order by all"
        assert rows(mixed, sql) == rows(online, sql), table
    ((spent,),) = rows(mixed, "select sum(usd) from llm.calls where not is_cached")
    assert spent == pytest.approx(DISTINCT * USD_A_CALL / 2)
