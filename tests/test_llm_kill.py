"""Killed at random moments, an extraction goes on where it was.

Online, nothing is paid twice but what was in flight; in batches nothing at all, for the vendor can be asked what it has
taken.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from chunky.llm import Ledger
from chunky.llm.books import calls_reader, verify
from tests.batch_server import BatchServer
from tests.fault_server import FaultServer, answer_to

ROOT = Path(__file__).parent.parent
_EXTRACT = """
import json, sys
from pathlib import Path
from chunky.llm import Ledger, Message, Request, get_model
path, spec, rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Ledger(path) as ledger:
    model = get_model(spec, ledger=ledger, max_in_flight=8, environ={})
    asked = [Request("extractor", (Message("user", f"row {i}"),), 50) for i in range(rows)]
    replies = model.complete(asked)
    ledger.flush()
    path.with_suffix(".json").write_text(json.dumps([reply.text for reply in replies]))
"""
_EXTRACT_IN_BATCHES = _EXTRACT.replace("import Ledger", "import BatchPolicy, Ledger").replace(
    "max_in_flight=8", "batch=BatchPolicy(max_rows=50, max_open=3, first_look=0.02, longest_look=0.1, grace=1.0)"
)


def one_life(path: Path, server: FaultServer, rows: int, calls: int | None) -> bool:
    """Run the extraction, killed after `calls` more paid calls (None: never); whether it came to its end."""
    goal = None if calls is None else server.paid.total() + calls
    with subprocess.Popen([sys.executable, "-c", _EXTRACT, str(path), server.openai, str(rows)], cwd=ROOT) as child:
        while child.poll() is None:
            if goal is not None and server.paid.total() >= goal:
                os.kill(child.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.001)
    assert child.returncode in (0, -signal.SIGKILL)
    return child.returncode == 0


@pytest.mark.parametrize(("rows", "kills"), [(60, 2), pytest.param(2_000, 50, marks=pytest.mark.slow)])
def test_a_killed_extraction_goes_on_and_pays_again_only_what_was_in_flight(
    rows: int, kills: int, tmp_path: Path
) -> None:
    path, draws = tmp_path / "ledger.sqlite", random.Random(rows)
    with FaultServer(delay=0.01) as server:
        for _ in range(kills):
            assert not one_life(path, server, rows, draws.randint(1, rows // (kills + 1)))
        assert one_life(path, server, rows, None)
        paid = Counter(server.paid)
        assert one_life(path, server, rows, None)
        assert server.paid == paid, "all answers are kept"
    assert json.loads(path.with_suffix(".json").read_text()) == [answer_to(f"row {i}") for i in range(rows)]
    with Ledger(path) as ledger:
        calls = calls_reader(ledger).read_all().to_pylist()
        lost = Counter(call["prompt_hash"] for call in calls if call["error"] == "lost")
        answered = [call["prompt_hash"] for call in calls if call["error"] is None and not call["is_cached"]]
        assert len(answered) == len(set(answered)) == rows
        assert paid.total() - rows <= lost.total() <= 8 * kills, "paid twice: only what was in flight at a kill"
        assert set(lost) <= set(answered)
        assert verify(ledger) == []


def one_life_in_batches(path: Path, server: BatchServer, api: str, rows: int, moment: tuple[int, int] | None) -> bool:
    """Run the extraction, killed so many calls and then looks at the child from now (None: never); whether it came to
    its end.
    """
    calls, looks = (sys.maxsize, 0) if moment is None else moment
    goal = server.calls.total() + calls
    command = [sys.executable, "-c", _EXTRACT_IN_BATCHES, str(path), getattr(server, api), str(rows)]
    with subprocess.Popen(command, cwd=ROOT) as child:
        while child.poll() is None:
            if server.calls.total() >= goal:
                looks -= 1
                if looks < 0:
                    os.kill(child.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.001)
    assert child.returncode in (0, -signal.SIGKILL)
    return child.returncode == 0


@pytest.mark.parametrize("api", ["anthropic", "openai"])
@pytest.mark.parametrize(("rows", "kills"), [(200, 3), pytest.param(2_000, 50, marks=pytest.mark.slow)])
def test_a_killed_extraction_in_batches_pays_for_each_row_once(api: str, rows: int, kills: int, tmp_path: Path) -> None:
    path, draws = tmp_path / "ledger.sqlite", random.Random(f"{api} {rows}")
    with BatchServer(delay=0.01, lasts=0.05) as server:
        for _ in range(kills):
            assert not one_life_in_batches(path, server, api, rows, (draws.randint(1, 5), draws.randint(0, 30)))
        assert one_life_in_batches(path, server, api, rows, None)
        assert server.paid == Counter({f"row {i}": 1 for i in range(rows)})
        submits, batches = server.calls["submit"], len(server.batches)
        assert one_life_in_batches(path, server, api, rows, None)
        assert server.calls["submit"] == submits, "all answers are kept"
        assert batches <= submits
    assert json.loads(path.with_suffix(".json").read_text()) == [answer_to(f"row {i}") for i in range(rows)]
    with Ledger(path) as ledger:
        calls = calls_reader(ledger).read_all().to_pylist()
        assert Counter(call["error"] for call in calls) == {None: len(calls)}, "no call was lost"
        assert sum(not call["is_cached"] for call in calls) == rows
        assert ledger.connection.execute("select count(*) from intents").fetchone() == (0,)
        assert verify(ledger) == []
