"""Models from the command line: what is said before money is spent, what is left when it ends, and no key anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chunky import pipeline
from chunky.cli.app import app
from chunky.lens import Lens
from chunky.llm import Budget, Ledger
from chunky.llm.batches.books import BatchBooks, Wish
from chunky.llm.ledger import Call
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
from tests.fault_server import Ask
from tests.role_server import PRICES, USD_A_CALL, RoleServer
from tests.test_pipeline import polite, take, write

ROOT = Path(__file__).parent.parent
KEY = "sk-planted-0123456789abcdefghij"
ROWS = 120
ATTRIBUTES = [part for step in ("counts", "phrases", "attributes") for part in ("--only", step)]


@pytest.fixture
def server() -> Iterator[RoleServer]:
    with RoleServer() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lake with rows and prices."""
    write(tmp_path / "mix" / "one.jsonl", polite("desk", ROWS))
    lake = Warehouse(tmp_path / "lake")
    take(lake, tmp_path / "mix")
    (lake.root / "prices.toml").write_text(PRICES, encoding="utf-8")
    return lake.root


def invoke(lake: Path, *arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["--lake", str(lake), *arguments], env={"CHUNKY_LAKE": None})
    assert result.exit_code == code, result.output
    return result


def of(server: RoleServer, *more: str) -> list[str]:
    return ["build", "--set", f"extractor={server.openai}", "--set", "clusters.k=8", *more]


def test_a_dry_run_says_rows_calls_tokens_and_dollars(folder: Path, server: RoleServer) -> None:
    told = invoke(folder, *of(server, "--dry-run")).stdout
    for part in (f"{ROWS} rows", "calls", "tokens in", "out", "$", "prices of 2026-11-25", "no limit"):
        assert part in told
    assert "above the limit" in invoke(folder, *of(server, "--dry-run", "--max-cost", "0.01")).stdout
    data = json.loads(invoke(folder, *of(server, "--dry-run", "--max-cost", "2", "--json")).stdout)
    assert data["max_cost"] == 2
    extraction, naming = data["estimates"]
    assert (extraction["items"], extraction["held_calls"], extraction["price_date"]) == (ROWS, 0, "2026-11-25")
    assert extraction["usd"] > naming["usd"] > 0
    assert server.seen.total() == 0
    assert Warehouse(folder).parts("corpus.chunks") == {}, "nothing was built"


def test_a_dry_run_without_models_says_so(folder: Path) -> None:
    assert "nothing will be spent" in invoke(folder, "build", "--dry-run").stdout


def test_the_command_line_says_what_it_costs_and_what_it_cost(folder: Path, server: RoleServer) -> None:
    stopped = invoke(folder, *of(server, "--max-cost", "0.25"), code=1)
    before, _, after = stopped.stderr.partition("starting Dagster")
    assert "calls" in before
    assert "$" in before
    assert "above the limit" in before
    assert "error: the budget of this run ends after" in after
    first = server.paid.total()
    assert 0 < first * USD_A_CALL <= 0.25
    with Lens(Warehouse(folder)) as lens:
        (spent,) = lens.table("select sum(usd) as usd, count(*) as calls from llm.calls").to_pylist()
    assert spent == {"usd": pytest.approx(first * USD_A_CALL), "calls": first}, "the table shows it, come what may"
    done = invoke(folder, *of(server, "--max-cost", "5"))
    assert max(server.paid.values()) == 1
    assert f"{first} from the ledger" in done.stderr
    data = json.loads(invoke(folder, "cost", "--json").stdout)
    assert [each["role"] for each in data["costs"]] == ["extractor", "extractor", "summarizer"]
    assert data["usd"] == pytest.approx(server.paid.total() * USD_A_CALL)
    assert len({each["run"] for each in data["costs"]}) == 2, "a build is a run"
    run = data["costs"][0]["run"]
    shown = invoke(folder, "cost", "--run", run[:9]).stdout
    assert run in shown
    assert data["costs"][1]["run"] not in shown
    assert f"{first} calls, 0 of them for nothing" in shown
    question = json.loads(invoke(folder, "sql", "--question", "model_costs", "--json").stdout)
    assert run in json.dumps(question)


def test_batches_at_the_vendor_are_told(folder: Path) -> None:
    with Ledger(folder / "llm" / "ledger.sqlite") as ledger:
        ledger.open_budget(Budget("night", max_usd=1))
        calls = [Call(bytes([n]) * 32, "extractor", "openai:model", "v1", 0, "night") for n in range(3)]
        BatchBooks(ledger, "openai:model").plan([Wish(call, 2_000_000, 100) for call in calls], None)
    (batch,) = json.loads(invoke(folder, "cost", "--json").stdout)["open_batches"]
    assert (batch["model"], batch["rows"], batch["reserved_usd"]) == ("openai:model", 3, pytest.approx(0.006))
    assert batch["submitted_at"] is None
    assert "1 batches with 3 calls are at the vendors" in invoke(folder, "cost").stdout.replace("\n", " ")


def test_a_dry_run_of_batches_takes_their_price(folder: Path, server: RoleServer) -> None:
    data = json.loads(invoke(folder, *of(server, "--dry-run", "--json")).stdout)
    prices = PRICES.replace("as_of", "batch_discount = 0.5\nas_of", 1)
    (folder / "prices.toml").write_text(prices, encoding="utf-8")
    halved = json.loads(invoke(folder, *of(server, "--dry-run", "--json", "--set", "llm.batch=true")).stdout)
    assert halved["estimates"][0]["usd"] == pytest.approx(data["estimates"][0]["usd"] / 2)


def test_the_cache_tells_checks_and_forgets(folder: Path, server: RoleServer) -> None:
    assert "no model was ever asked" in invoke(folder, "cost").stdout
    assert json.loads(invoke(folder, "cache", "stats", "--json").stdout)["models"] == []
    assert not (folder / "llm" / "ledger.sqlite").exists()
    told = invoke(folder, *of(server, *ATTRIBUTES)).stderr
    assert "summarizer" not in told, "what is not asked for has no cost"
    answers = server.paid.total()
    (model,) = json.loads(invoke(folder, "cache", "stats", "--json").stdout)["models"]
    assert (model["answers"], model["others"], model["model"]) == (answers, 0, server.openai)
    assert f"{answers} answers checked, 0 problems" in invoke(folder, "cache", "verify").stdout
    assert json.loads(invoke(folder, "cache", "prune", "--json").stdout) == {"forgotten": 0}
    with pipeline.ledger_of(Warehouse(folder)) as ledger:
        ledger.connection.execute("update calls set reply = 'forged' where call = 1")
    broken = invoke(folder, "cache", "verify", code=1).stdout
    assert "is not what was written" in broken
    gone = json.loads(invoke(folder, "cache", "prune", "--answers", "--yes", "--json").stdout)
    assert gone == {"forgotten": answers}
    assert json.loads(invoke(folder, "cost", "--json").stdout)["costs"] == []


def test_failed_replies_are_asked_for_again_on_request(folder: Path, server: RoleServer) -> None:
    server.plan = lambda ask: "refusal" if "thing 5 in" in ask.prompt else None
    invoke(folder, *of(server, *ATTRIBUTES))
    assert Warehouse(folder).rows("attributes.failures") == 1
    server.plan = lambda ask: None
    paid = server.paid.total()
    invoke(folder, *of(server, *ATTRIBUTES))
    assert server.paid.total() == paid
    assert (
        "asked again: 1 reply that could not be used"
        in invoke(folder, *of(server, "--retry-failed", *ATTRIBUTES)).stderr
    )
    assert server.paid.total() == paid + 1
    assert Warehouse(folder).rows("attributes.failures") == 0


def leaking(ask: Ask) -> str | None:
    """Some calls fail with a message that holds the caller's key, as gateways do."""
    return {0: "400", 1: "429"}.get(sum(ask.prompt.encode()) % 60) if ask.time == 0 else None


def test_a_planted_key_is_nowhere_after_a_build(folder: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "CHUNKY_LAKE": str(folder), "CHUNKY_KEY_127_0_0_1": KEY, "OPENAI_LOG": "debug",
    }  # fmt: skip
    with RoleServer(key=KEY, plan=leaking) as server:
        more = ("--set", "llm.max_failed_share=1")
        command = [sys.executable, "-c", "from chunky.cli import main; main()", *of(server, *more)]
        done = subprocess.run(command, env=environment, capture_output=True, check=False, cwd=ROOT)
        told = done.stdout + done.stderr
        assert done.returncode == 0, told.decode()[-2_000:]
        assert server.paid.total() > ROWS, "the key was used"
        assert server.faults["400"] > 0
        refused = RoleServer(key="another key altogether")
        with refused:
            command[-len(of(refused, *more)) :] = of(refused, *more)
            failed = subprocess.run(command, env=environment, capture_output=True, check=False, cwd=ROOT)
        assert failed.returncode == 1
        told += failed.stdout + failed.stderr
        assert b"takes no more calls" in told
    assert KEY.encode() not in told
    for path in folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    with Lens(Warehouse(folder)) as lens:  # files of tables are compressed
        for name, entry in TABLES.items():
            if entry.storage == "parquet":
                assert KEY not in str(lens.table(f"select * from {name}").to_pylist()), name
        messages = lens.table("select detail from llm.calls where error = 'invalid request'")["detail"].to_pylist()
    assert messages
    assert all("[key]" in message for message in messages), "the server's message came through, the key did not"
