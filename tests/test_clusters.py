"""k-means: every engine gives the oracle's labels, cut-off runs end as undisturbed ones, and clusters make sense."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.clusters import Clustering, State, assign, auto_k, kmeans, summarize
from chunky.clusters.seeding import choose_seeds
from chunky.clusters.sums import Sums, to_unit
from chunky.devices import pick
from chunky.errors import InputError
from chunky.indexes import installed_engines
from chunky.indexes.selecting import tensor_of
from tests.test_indexes import CPU, HALF, Blocks, awkward, contenders, unit

others = pytest.mark.parametrize("engine", [name for name in installed_engines() if name != "numpy"])


def bunches(seed: int, n: int, k: int, d: int, noise: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = unit(rng.standard_normal((k, d)))
    return unit(centers[rng.integers(0, k, n)] + noise * rng.standard_normal((n, d)) / d**0.5)


def same(found: Clustering, wanted: Clustering) -> None:
    for name in ("centroids", "labels", "similarities"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)
    assert found[3:] == wanted[3:]


class Memory:
    """A checkpoint in memory that can cut the run off: it raises after so many saves."""

    def __init__(self, saves: int = 1000) -> None:
        self.state: State | None = None
        self.left = saves
        self.saved = 0

    def load(self) -> State | None:
        return self.state

    def save(self, state: State) -> None:
        self.state, self.left, self.saved = state, self.left - 1, self.saved + 1
        if not self.left:
            raise KeyboardInterrupt


@contenders
@pytest.mark.parametrize(("n", "k", "d"), [(1500, 40, 17), (300, 299, 8), (60, 1, 5)])
def test_an_engine_assigns_as_the_oracle(engine: str, device, n: int, k: int, d: int) -> None:
    rng = np.random.default_rng(n)
    vectors = awkward(rng, n, d).astype(np.float16)
    # copies among the centroids: the lower number must win
    centroids = np.concatenate([vectors[:k].astype(np.float32), vectors[: k // 3].astype(np.float32)])
    wanted = assign(vectors, centroids, engine="numpy", device=CPU)
    for given_ in (vectors, Blocks(vectors, (5, 130))):
        found = assign(given_, centroids, engine=engine, device=device)
        np.testing.assert_array_equal(found.labels, wanted.labels)
        np.testing.assert_array_equal(found.similarities, wanted.similarities)
    assert wanted.labels.max() < k  # never the copy


def test_the_oracle_assigns_by_the_highest_score_and_the_lowest_number() -> None:
    vectors = awkward(np.random.default_rng(3), 200, 6).astype(np.float16)
    centroids = vectors[:30].astype(np.float32)
    scores = vectors.astype(np.float64) @ centroids.astype(np.float64).T
    found = assign(vectors, centroids, engine="numpy")
    for row, label in enumerate(found.labels):
        rounded = scores[row].astype(np.float32)
        assert label == min(np.flatnonzero(rounded == rounded.max()))
        assert found.similarities[row] == rounded.max()


@contenders
def test_an_engine_clusters_as_the_oracle(engine: str, device) -> None:
    vectors = bunches(1, 1200, 25, 24).astype(np.float16)
    weights = np.random.default_rng(1).integers(1, 50, 1200)
    wanted = kmeans(vectors, weights, 30, seed=7, engine="numpy", device=CPU)
    same(kmeans(vectors, weights, 30, seed=7, engine=engine, device=device), wanted)
    same(kmeans(Blocks(vectors, (11, 400)), weights, 30, seed=7, engine=engine, device=device), wanted)
    same(kmeans(tensor_of(vectors, device), weights, 30, seed=7, engine=engine, device=device), wanted)


@pytest.mark.skipif("torch" not in installed_engines(), reason="torch is not installed")
@pytest.mark.parametrize("noise", [0.0, 0.3, 3.0])  # copies, bunches, and next to no structure
def test_products_left_out_change_nothing(noise: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chunky.clusters.bounds._GROUP", 4)
    monkeypatch.setattr("chunky.clusters.bounds._NUMBERS", 100 * 20)
    monkeypatch.setattr("chunky.clusters.bounds._TOGETHER", 3)
    monkeypatch.setattr("chunky.clusters.threads._FEWEST", 10)
    vectors = bunches(3, 1500, 50, 20, noise).astype(np.float16)
    vectors[::97] = 0
    weights = np.random.default_rng(1).integers(1, 50, 1500)
    for seed in range(4):
        plain = CPU._replace(half=None)
        found = kmeans(vectors, weights, 40, seed=seed, tolerance=0, engine="torch", device=plain)
        same(found, kmeans(vectors, weights, 40, seed=seed, tolerance=0, engine="numpy", device=CPU))


@pytest.mark.skipif("torch" not in installed_engines(), reason="torch is not installed")
def test_most_products_are_left_out_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from chunky.clusters import bounds

    made: list[int] = []

    def count(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        made.append(len(left) * len(right))
        return product(left, right)

    product = bounds._product
    monkeypatch.setattr(bounds, "_product", count)
    vectors = bunches(8, 3000, 150, 32).astype(np.float16)
    found = kmeans(
        vectors, np.ones(3000, np.int64), 600, seed=0, tolerance=0, engine="torch", device=CPU._replace(half=None)
    )
    assert found.iterations > 3
    assert sum(made) < 0.6 * found.iterations * 3000 * 600


@contenders
def test_vectors_too_many_for_the_device_travel_at_every_pass(engine: str, device) -> None:
    vectors = bunches(4, 600, 9, 8).astype(np.float16)
    weights = np.ones(600, np.int64)
    wanted = kmeans(vectors, weights, 12, seed=7, engine="numpy", device=CPU)
    small = device._replace(memory_bytes=vectors.nbytes)
    same(kmeans(Blocks(vectors, (100,)), weights, 12, seed=7, engine=engine, device=small), wanted)


@pytest.mark.skipif("torch" not in installed_engines(), reason="torch is not installed")
def test_a_crew_answers_in_order_and_gives_torch_its_threads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from chunky.clusters.threads import crew

    monkeypatch.setattr("chunky.clusters.threads._FEWEST", 3)
    before = torch.get_num_threads()
    with crew() as threads:
        assert threads.over(10, 4, lambda rows: (rows.start, rows.stop))[-1] == (8, 10)
        assert threads.over(100, 7, lambda rows: torch.get_num_threads()) == [1] * 15
        assert not threads.over(0, 4, lambda rows: rows)
        with pytest.raises(ZeroDivisionError):
            threads.over(10, 4, lambda rows: 1 // rows.start)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("group", [4, 64])  # with bounds, and without
def test_threads_do_not_matter(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("chunky.clusters.bounds._GROUP", group)
    vectors = bunches(2, 2000, 25, 32).astype(np.float16)
    weights = np.ones(2000, np.int64)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(kmeans(vectors, weights, 40, seed=3, engine="torch", device=CPU._replace(half=None)))
    torch.set_num_threads(before)
    same(found[1], found[0])


def test_another_seed_gives_other_clusters() -> None:
    vectors, weights = bunches(2, 500, 5, 16), np.ones(500, np.int64)
    a, b = (kmeans(vectors, weights, 20, seed=seed, engine="numpy") for seed in (1, 2))
    assert not np.array_equal(a.labels, b.labels)


def test_separate_bunches_are_found() -> None:
    rng = np.random.default_rng(8)
    centers = unit(rng.standard_normal((12, 64)))
    truth = rng.integers(0, 12, 3000)
    vectors = unit(centers[truth] + 0.02 * rng.standard_normal((3000, 64)))
    found = kmeans(vectors, np.ones(3000, np.int64), 30, seed=0, engine="numpy")
    assert len({(a, b) for a, b in zip(truth.tolist(), found.labels.tolist(), strict=True)}) == 30  # pure clusters
    assert found.is_converged


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(2, 120), d=st.integers(1, 12), data=st.data())
def test_what_a_clustering_promises(seed: int, n: int, d: int, data: st.DataObject) -> None:
    vectors = awkward(np.random.default_rng(seed), n, d).astype(np.float16)
    weights = np.random.default_rng(seed + 1).integers(1, 9, n)
    k = data.draw(st.integers(1, n - 1))
    found = kmeans(vectors, weights, k, seed=seed, iterations=5, engine="numpy")
    again = assign(vectors, found.centroids, engine="numpy")
    np.testing.assert_array_equal(found.labels, again.labels)
    np.testing.assert_array_equal(found.similarities, again.similarities)
    lengths = np.linalg.norm(found.centroids.astype(np.float64), axis=1)
    assert ((np.abs(lengths - 1) < 1e-6) | (lengths == 0)).all()
    assert found.labels.dtype == np.int32
    assert found.inertia == pytest.approx(2 * np.sum(weights * (1 - found.similarities.astype(np.float64))))


def test_iterations_lower_the_inertia() -> None:
    vectors, weights = bunches(4, 800, 10, 16, noise=1.0), np.random.default_rng(4).integers(1, 9, 800)
    found = [
        kmeans(vectors, weights, 30, seed=1, iterations=i, tolerance=0, engine="numpy").inertia for i in (1, 2, 4, 8)
    ]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.97 * found[0]


def test_weights_are_repetitions() -> None:
    """A vector of weight w pulls as w copies of it do: from the same centroids the sums are the same."""
    vectors = bunches(5, 200, 4, 8)
    weights = np.random.default_rng(5).integers(1, 6, 200)
    labels = np.random.default_rng(6).integers(0, 7, 200).astype(np.int32)
    weighted, repeated = Sums(7, 8, int(weights.sum())), Sums(7, 8, int(weights.sum()))
    weighted.add(vectors, weights, labels)
    order = np.random.default_rng(7).permutation(np.repeat(np.arange(200), weights))
    repeated.add(vectors[order], np.ones(len(order), np.int64), labels[order])
    np.testing.assert_array_equal(weighted.totals(), repeated.totals())


def test_sums_of_huge_weights_do_not_depend_on_the_order() -> None:
    rng = np.random.default_rng(9)
    vectors, weights = unit(rng.standard_normal((500, 4))), rng.integers(1, 2**26, 500)
    labels = np.zeros(500, np.int32)
    totals = []
    orders = [(np.arange(500), None), (rng.permutation(500), None)]
    orders += [(np.arange(500)[::-1], CPU)] if "torch" in installed_engines() else []
    for order, device in orders:
        sums = Sums(1, 4, int(weights.sum()), device)
        for part in np.array_split(order, 7):
            sums.add(vectors[part], weights[part], labels[part])
        totals.append(sums.totals())
    np.testing.assert_array_equal(totals[0], totals[1])
    np.testing.assert_array_equal(totals[0], totals[-1])
    true = (vectors.astype(np.float64) * weights[:, None]).sum(0)
    np.testing.assert_allclose(totals[0][0], true, rtol=0, atol=1e-3 * np.abs(true).max())


@pytest.mark.parametrize("weight", [9, 2**24])  # the second: a coarser grid
def test_sums_from_which_vectors_moved_are_those_of_where_they_are(weight: int) -> None:
    rng = np.random.default_rng(6)
    vectors, weights = unit(rng.standard_normal((700, 5))), rng.integers(1, weight, 700)
    before, after = (rng.integers(0, 8, 700).astype(np.int32) for _ in range(2))
    for device in [None, *({CPU, pick()} if "torch" in installed_engines() else ())]:
        moved, fresh = (Sums(8, 5, int(weights.sum()), device) for _ in range(2))
        moved.add(vectors, weights, before)
        moved.move(vectors, weights, before, after)
        moved.move(vectors, weights, after, after)
        fresh.add(vectors, weights, after)
        np.testing.assert_array_equal(moved.totals(), fresh.totals())


def test_a_cluster_that_loses_all_starts_anew_at_the_worst_served() -> None:
    vectors = unit(np.concatenate([np.eye(4)[[0] * 50], np.eye(4)[[1] * 50], np.eye(4)[[2]]]) + 0.0)
    state = State("", 0, np.eye(4, dtype=np.float32)[[0, 0, 1]], np.inf, False)
    from chunky.clusters.assigning import labeler
    from chunky.clusters.spherical import _iterate, _stepping

    weights = np.ones(101, np.int64)
    label, unlabeled = labeler(state.centroids, "numpy", CPU), np.full(101, -1, np.int32)
    after = _iterate(state, vectors, weights, _stepping(label, None, state.centroids), unlabeled, Sums(3, 4, 101), 0)
    np.testing.assert_array_equal(after.centroids[1], np.eye(4, dtype=np.float32)[2])
    assert not after.is_done


def test_fewer_different_vectors_than_clusters_end() -> None:
    vectors = np.eye(3, dtype=np.float16)[np.arange(90) % 3]
    found = kmeans(vectors, np.ones(90, np.int64), 10, seed=0, engine="numpy")
    assert found.inertia == 0
    assert len(np.unique(found.labels)) == 3


@pytest.mark.parametrize("k", [50, 80])
def test_a_cluster_for_each_vector_is_identity(k: int) -> None:
    vectors = bunches(1, 50, 5, 8).astype(np.float16)
    found = kmeans(vectors, np.full(50, 2), k, seed=0, engine="numpy")
    assert found.labels.tolist() == list(range(50))
    assert (found.iterations, found.is_converged) == (0, True)
    np.testing.assert_allclose(found.similarities, 1, atol=1e-3)
    np.testing.assert_array_equal(assign(vectors, found.centroids, engine="numpy").labels, found.labels)


@pytest.mark.parametrize("saves", [1, 2, 4])
def test_a_run_that_was_cut_off_ends_as_an_undisturbed_one(saves: int) -> None:
    vectors, weights = bunches(6, 600, 10, 16, noise=1.0), np.ones(600, np.int64)
    options = {"seed": 5, "iterations": 6, "tolerance": 0.0, "engine": "numpy"}
    wanted = kmeans(vectors, weights, 25, **options)
    cut = Memory(saves)
    with pytest.raises(KeyboardInterrupt):
        kmeans(vectors, weights, 25, **options, checkpoint=cut)
    resumed = Memory()
    resumed.state = cut.state
    same(kmeans(vectors, weights, 25, **options, checkpoint=resumed), wanted)
    assert resumed.saved == 7 - saves  # one seeding and six iterations, none of them twice


def test_the_state_of_another_problem_is_not_taken_up() -> None:
    vectors, weights = bunches(6, 300, 10, 16), np.ones(300, np.int64)
    memory = Memory()
    kmeans(vectors, weights, 10, seed=5, engine="numpy", checkpoint=memory)
    same(
        kmeans(vectors, weights, 10, seed=6, engine="numpy", checkpoint=memory),
        kmeans(vectors, weights, 10, seed=6, engine="numpy"),
    )


_VICTIM = """
import os, signal, sys
import numpy as np
from chunky.clusters import State, kmeans

class Files:
    saves = 0
    def load(self):
        if not os.path.exists("state.npz"):
            return None
        with np.load("state.npz") as kept:
            return State(str(kept["problem"]), int(kept["iteration"]), kept["centroids"], float(kept["inertia"]),
                         bool(kept["is_done"]))
    def save(self, state):
        with open("log", "a") as log:
            log.write(f"{state.iteration}\\n")
        np.savez("new.npz", **state._asdict())
        os.replace("new.npz", "state.npz")
        Files.saves += 1
        if Files.saves == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)

rng = np.random.default_rng(1)
vectors = rng.standard_normal((500, 8)).astype(np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
found = kmeans(vectors, np.ones(500, np.int64), 20, seed=1, iterations=6, tolerance=0, engine="numpy",
               checkpoint=Files())
np.save("labels.npy", found.labels)
"""


@pytest.mark.slow
def test_kill_9_repeats_no_iteration_that_was_saved(tmp_path: Path) -> None:
    def run(folder: Path, kill_at: int) -> int:
        folder.mkdir(exist_ok=True)
        path = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-c", _VICTIM, str(kill_at)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        ).returncode

    assert run(tmp_path / "whole", 0) == 0
    assert run(tmp_path / "cut", 3) == -signal.SIGKILL
    assert run(tmp_path / "cut", 2) == -signal.SIGKILL
    assert run(tmp_path / "cut", 0) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "cut/labels.npy"), np.load(tmp_path / "whole/labels.npy"))
    assert (tmp_path / "cut/log").read_text() == (tmp_path / "whole/log").read_text()


def test_seeds_are_different_and_prefer_what_is_far_and_heavy() -> None:
    vectors = bunches(3, 400, 8, 32, noise=0.1)
    weights = np.ones(400, np.int64)
    seeds = choose_seeds(vectors, weights, 8, seed=1, engine="numpy", device=CPU)
    assert len(set(seeds.tolist())) == 8
    near = (vectors[seeds] @ vectors[seeds].T)[~np.eye(8, dtype=bool)]
    blind = [vectors[np.random.default_rng(number).permutation(400)[:8]] for number in range(50)]
    shared = [((some @ some.T)[~np.eye(8, dtype=bool)] > 0.9).any() for some in blind]
    assert np.mean(shared) > 0.9  # drawn blindly, two of eight nearly always share a bunch
    assert (near > 0.9).sum() <= 4
    weights[7] = 10**9
    drawn = [choose_seeds(vectors, weights, 2, seed=s, engine="numpy", device=CPU) for s in range(5)]
    assert all(7 in pair for pair in drawn)


@pytest.mark.parametrize(("distinct", "k"), [(0, 0), (1, 1), (4000, 4000), (16_000, 8000), (10**7, 25_000)])
def test_the_number_of_clusters(distinct: int, k: int) -> None:
    assert auto_k(distinct) == k


@given(st.integers(0, 10**8))
def test_the_number_of_clusters_never_falls(distinct: int) -> None:
    assert auto_k(distinct) <= auto_k(distinct + 1) <= min(distinct + 1, 25_000)


def test_bad_input_is_refused() -> None:
    vectors, weights = np.eye(4, dtype=np.float32), np.ones(4, np.int64)
    for bad in (weights[:3], weights.astype(np.int32), weights - 1):
        with pytest.raises(InputError):
            kmeans(vectors, bad, 2, seed=0)
    for k, iterations in ((0, 1), (1, 0)):
        with pytest.raises(InputError):
            kmeans(vectors, weights, k, seed=0, iterations=iterations)
    for centroids in (vectors[:0], vectors * 2, vectors.astype(np.float64), np.eye(3, dtype=np.float32)):
        with pytest.raises(InputError):
            assign(vectors, centroids)
    with pytest.raises(InputError):
        auto_k(-1)


def test_unit_keeps_zeros() -> None:
    found = to_unit(np.array([[3, 4], [0, 0]], np.float64))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0]], atol=1e-7)


def test_devices_with_16_bit_products_give_the_same_clusters() -> None:
    pytest.importorskip("torch")
    vectors, weights = bunches(9, 500, 9, 16).astype(np.float16), np.ones(500, np.int64)
    same(
        kmeans(vectors, weights, 12, seed=1, engine="torch", device=HALF),
        kmeans(vectors, weights, 12, seed=1, engine="torch", device=pick("cpu")),
    )


def test_a_summary_names_the_medoid_and_the_most_frequent() -> None:
    sentences = pl.DataFrame(
        {
            "cluster": [1, 0, 0, 0, 0],
            "text": ["z", "b", "a", "c", "d"],
            "count": [1, 5, 5, 9, 1],
            "similarity": pl.Series([1.0, 0.9, 0.9, 0.5, 0.1], dtype=pl.Float32),
        }
    )
    found = summarize(sentences, top=3)
    assert found.rows(named=True)[0] == {
        "cluster": 0,
        "sentences": 4,
        "attributes": 20,
        "medoid": "a",
        "top_texts": ["c", "a", "b"],
        "top_counts": [9, 5, 5],
        "similarity": pytest.approx((5 * 0.9 * 2 + 9 * 0.5 + 0.1) / 20),
    }
    assert found["cluster"].to_list() == [0, 1]
    assert summarize(sentences.clear()).columns == found.columns
    for bad in (sentences.drop("text"), sentences):
        with pytest.raises(InputError):
            summarize(bad, top=0)
