from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.errors import LakeError, SettingsError
from chunky.llm.books import CALLS_SCHEMA, calls_reader, prune, stats, verify
from chunky.llm.budget import Budget
from chunky.llm.ledger import Answer, Call, Ledger, Outcome

ROOT = Path(__file__).parent.parent


def call(name: str, role: str = "judge", run: str = "r") -> Call:
    return Call(hashlib.sha256(name.encode()).digest(), role, "openai:m", "v1", 0, run)


def answer(text: str = "yes", nano: int = 5) -> Outcome:
    return Outcome(text, None, None, 10, 2, nano, nano, 0.5, 1)


FAILED = Outcome("no JSON", "bad reply", "no JSON: line 1", 10, 2, 5, 5, 0.5, 1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "llm" / "ledger.sqlite", time_of_day=lambda: 1_000.0) as opened:
        yield opened


def test_an_answer_is_found_again_by_its_content(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.find(call("a").key) is None
    assert ledger.claim(call("a"), 9).state == "mine"
    ledger.settle(call("a"), answer("é\0😀"))
    assert ledger.find(call("a").key) == Answer("é\0😀", 10, 2)
    assert ledger.claim(call("a"), 9).answer == Answer("é\0😀", 10, 2)
    with Ledger(tmp_path / "llm" / "ledger.sqlite") as other:
        assert other.find(call("a").key) == Answer("é\0😀", 10, 2)


def test_a_failure_is_written_down_and_never_found(ledger: Ledger) -> None:
    ledger.claim(call("a"), 9)
    ledger.settle(call("a"), FAILED)
    assert ledger.find(call("a").key) is None
    assert ledger.claim(call("a"), 9).state == "mine"
    (row,) = calls_reader(ledger).read_all().to_pylist()
    assert (row["error"], row["detail"], row["reply"]) == ("bad reply", "no JSON: line 1", "no JSON")


def test_an_answer_that_is_taken_back_is_a_failure(ledger: Ledger) -> None:
    ledger.claim(call("a"), 9)
    ledger.settle(call("a"), answer("maybe"))
    assert ledger.reject(call("a").key, "neither yes nor no")
    assert not ledger.reject(call("a").key, "again")
    assert ledger.find(call("a").key) is None
    (row,) = calls_reader(ledger).read_all().to_pylist()
    assert (row["error"], row["detail"], row["reply"]) == ("bad reply", "neither yes nor no", "maybe")


def test_who_comes_second_learns_who_was_first(ledger: Ledger, tmp_path: Path) -> None:
    ledger.claim(call("a"), 9)
    with Ledger(tmp_path / "llm" / "ledger.sqlite") as other:
        claim = other.claim(call("a"), 9)
        assert (claim.state, claim.owner) == ("theirs", ledger.owner)
        assert not other.bury(ledger.owner), "it lives"
        assert other.claim(call("a"), 9).state == "theirs"


def test_what_a_closed_ledger_left_open_is_lost_and_counted(ledger: Ledger, tmp_path: Path) -> None:
    with Ledger(tmp_path / "llm" / "ledger.sqlite") as other:
        other.open_budget(Budget("r", max_usd=1))
        other.claim(call("a"), 7)
    assert ledger.claim(call("a"), 7).state == "mine"
    (row,) = calls_reader(ledger).read_all().to_pylist()
    assert (row["error"], row["usd"], row["counted_usd"]) == ("lost", None, 7e-9)
    (whole,) = ledger.spending("r")
    assert (whole.spent_usd, whole.reserved_usd) == (7e-9, 7e-9)


_CLAIM_AND_WAIT = """
import sys
from pathlib import Path
from chunky.llm.budget import Budget
from chunky.llm.ledger import Call, Ledger
ledger = Ledger(Path(sys.argv[1]))
ledger.open_budget(Budget("r", max_usd=1))
assert ledger.claim(Call(bytes.fromhex(sys.argv[2]), "judge", "m", run="r"), 7).state == "mine"
print("claimed", ledger.owner, flush=True)
sys.stdin.read()
"""


def test_the_calls_of_a_killed_process_are_lost_and_taken_over(ledger: Ledger) -> None:
    assert ledger.path is not None
    command = [sys.executable, "-c", _CLAIM_AND_WAIT, str(ledger.path), call("a").key.hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        owner = child.stdout.readline().split()[1]
        claim = ledger.claim(call("a"), 7)
        assert (claim.state, claim.owner) == ("theirs", owner)
        assert not ledger.bury(owner)
        os.kill(child.pid, signal.SIGKILL)
    assert ledger.bury(owner)
    assert ledger.claim(call("a"), 7).state == "mine"
    assert [row["error"] for row in calls_reader(ledger).read_all().to_pylist()] == ["lost"]
    assert verify(ledger) == []


FORKS = """
import os, sys
from pathlib import Path
from chunky.llm.ledger import Ledger
from chunky.llm.owners import is_alive

folder = Path(sys.argv[1])
with Ledger(folder / "a") as first:
    assert is_alive(folder / "a.owners", first.owner)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # holds the end of a pipe until the parent has looked
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    owner = first.owner
print(is_alive(folder / "a.owners", owner))
os.close(writer)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_child_does_not_keep_its_parent_alive(tmp_path: Path) -> None:
    # In a process of its own: Lance, imported by other tests of this one, warns of every fork.
    done = subprocess.run([sys.executable, "-c", FORKS, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def test_a_budget_refuses_only_what_cannot_fit(ledger: Ledger) -> None:
    ledger.open_budget(Budget("r", max_usd=100e-9, role_usd={"judge": 60e-9}))
    assert ledger.claim(call("a"), 50).state == "mine"
    assert ledger.claim(call("b"), 50).state == "later", "the role has 10 left until the first call settles"
    assert ledger.claim(call("c", "extractor"), 50).state == "mine"
    assert ledger.claim(call("d", "extractor"), 1).state == "later", "the run is full"
    assert ledger.claim(call("e", "extractor"), 101).state == "no"
    ledger.settle(call("a"), answer(nano=5))
    assert ledger.claim(call("b"), 45).state == "mine"
    ledger.settle(call("c", "extractor"), answer(nano=50))
    ledger.settle(call("b"), answer(nano=45))
    assert ledger.claim(call("f"), 11).state == "no"
    assert [(s.role, round(s.spent_usd * 1e9), s.reserved_usd) for s in ledger.spending("r")] == [
        ("", 100, 0),
        ("judge", 50, 0),
    ]
    assert ledger.claim(call("f", run="another"), 1_000).state == "mine", "no limits there"


def test_an_attempt_that_may_be_paid_counts(ledger: Ledger) -> None:
    ledger.open_budget(Budget("r", max_usd=25e-9))
    ledger.claim(call("a"), 10)
    assert ledger.count_attempt(call("a"), 10)
    assert not ledger.count_attempt(call("a"), 10), "20 counted, and no room for 10 more"
    ledger.settle(call("a"), Outcome(None, "budget", None, None, None, None, 0, 1.0, 2))
    (row,) = calls_reader(ledger).read_all().to_pylist()
    assert (row["counted_usd"], ledger.spending("r")[0].spent_usd) == (20e-9, 20e-9)
    assert verify(ledger) == []


def test_a_run_has_one_set_of_limits(ledger: Ledger) -> None:
    ledger.open_budget(Budget("r", max_usd=1))
    ledger.open_budget(Budget("r", max_usd=1))
    for other in (Budget("r", max_usd=2), Budget("r"), Budget("r", max_usd=1, role_usd={"judge": 1})):
        with pytest.raises(SettingsError, match="other limits"):
            ledger.open_budget(other)
    assert [s.limit_usd for s in ledger.spending("r")] == [1.0]
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match="no limit"):
            ledger.open_budget(Budget("s", max_usd=bad))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["judge", "extractor"]), st.integers(0, 40), st.integers(0, 100), st.booleans()),
        max_size=40,
    )
)
def test_no_order_of_calls_passes_a_limit(steps: list[tuple[str, int, int, bool]]) -> None:
    limits = {"": 100, "judge": 40}
    open_calls: list[tuple[Call, int]] = []
    with Ledger(None) as ledger:
        ledger.open_budget(Budget("r", max_usd=100e-9, role_usd={"judge": 40e-9}))
        for number, (role, bound, used_percent, settles_first) in enumerate(steps):
            if open_calls and settles_first:
                done, most = open_calls.pop(0)
                ledger.settle(done, answer(nano=most * used_percent // 100))
            asked = call(f"{number}", role)
            if ledger.claim(asked, bound).state == "mine":
                open_calls.append((asked, bound))
            for spending in ledger.spending("r"):
                assert round((spending.spent_usd + spending.reserved_usd) * 1e9) <= limits[spending.role]
            assert verify(ledger) == []


_SPEND = """
import sys
from pathlib import Path
from chunky.llm.budget import Budget
from chunky.llm.ledger import Call, Ledger, Outcome
with Ledger(Path(sys.argv[1])) as ledger:
    ledger.open_budget(Budget("r", max_usd=1000e-9))
    for number in range(40):
        asked = Call(f"{sys.argv[2]} {number}".encode(), "judge", "m", run="r")
        if ledger.claim(asked, 7).state == "mine":
            ledger.settle(asked, Outcome("yes", None, None, 1, 1, 5 + number % 3, 5 + number % 3, 0.1, 1))
"""


def test_sixteen_processes_never_pass_a_limit_together(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    children = [
        subprocess.Popen([sys.executable, "-c", _SPEND, str(path), str(number)], cwd=ROOT) for number in range(16)
    ]
    assert [child.wait(120) for child in children] == [0] * 16
    with Ledger(path) as ledger:
        (whole,) = ledger.spending("r")
        spent = sum(calls_reader(ledger).read_all()["usd"].to_pylist())
        assert whole.spent_usd == pytest.approx(spent)
        assert 990e-9 < whole.spent_usd <= 1000e-9, "640 calls wanted about 3,840"
        assert whole.reserved_usd == 0
        assert verify(ledger) == []
    assert list((tmp_path / "ledger.sqlite.owners").iterdir()) == []


def test_notes_of_hits_come_in_groups(ledger: Ledger) -> None:
    ledger.claim(call("a"), 9)
    ledger.settle(call("a"), answer())
    for _ in range(3):
        ledger.note(call("a"), "cached", Outcome("yes", None, None, 10, 2, 0, 0, 0.0, 0))
    table = calls_reader(ledger).read_all()
    assert table.schema == CALLS_SCHEMA
    assert table["is_cached"].to_pylist() == [False, True, True, True]
    assert len(set(table["call_id"].to_pylist())) == 4
    (sums,) = stats(ledger)
    assert (sums.calls, sums.cached, sums.failed, sums.input_tokens, sums.usd) == (4, 3, 0, 10, 5e-9)


def test_calls_come_in_batches(ledger: Ledger) -> None:
    for number in range(10):
        ledger.note(call(str(number), run="r" if number % 2 else "s"), "cached", answer())
    assert [batch.num_rows for batch in calls_reader(ledger, batch_rows=4)] == [4, 4, 2]
    assert calls_reader(ledger, run="s").read_all()["run"].to_pylist() == ["s"] * 5


def test_pruning_keeps_answers_and_what_was_spent(tmp_path: Path) -> None:
    now = [1.0]
    with Ledger(tmp_path / "a", time_of_day=lambda: now[0]) as ledger:
        ledger.open_budget(Budget("r", max_usd=1))
        for time, outcome in ((1.0, answer()), (2.0, FAILED), (3.0, FAILED)):
            now[0] = time
            ledger.claim(call(f"{time}"), 9)
            ledger.settle(call(f"{time}"), outcome)
        assert prune(ledger, before=3.0, model="another") == 0
        assert prune(ledger, before=3.0) == 1
        assert ledger.find(call("1.0").key) is not None
        assert prune(ledger, before=3.0, keep_answers=False) == 1
        assert ledger.find(call("1.0").key) is None
        assert ledger.spending("r")[0].spent_usd == pytest.approx(15e-9)
        assert [
            row["started_at"].replace(tzinfo=UTC).timestamp() for row in calls_reader(ledger).read_all().to_pylist()
        ] == [3.0]


def test_verify_sees_a_changed_answer_and_a_lost_reserve(ledger: Ledger) -> None:
    ledger.open_budget(Budget("r", max_usd=1))
    ledger.claim(call("a"), 9)
    ledger.settle(call("a"), answer())
    assert verify(ledger) == []
    ledger.connection.execute("update calls set reply = 'no'")
    ledger.connection.execute("update budgets set reserved_nano = 1")
    assert [told.split(" ")[1] for told in verify(ledger)] == ["answer", "reserve"]


def test_a_file_that_is_no_ledger_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("not a database, but long enough to be looked at " * 40)
    with pytest.raises(LakeError, match="cannot be used as a ledger"):
        Ledger(tmp_path / "a")
    later = sqlite3.connect(tmp_path / "b")
    later.execute("pragma user_version = 99")
    later.close()
    with pytest.raises(LakeError, match="version 99"):
        Ledger(tmp_path / "b")
