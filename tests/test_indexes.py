"""Every engine against the oracle, and the oracle against arithmetic with fractions."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.devices import Device, pick
from chunky.errors import InputError, PrerequisiteError, SettingsError
from chunky.indexes import choose_engine, installed_engines, open_index
from chunky.indexes.exact import Array, dot_error, to_float32, widened
from chunky.indexes.selecting import tensor_of

CPU = pick("cpu")
# The same code as on processors with 16-bit products: slower here, but the arithmetic is the same.
HALF = CPU._replace(half="AVX-512 bf16")
CUDA = [("torch", device) for device in [pick()] if device.kind == "cuda"]
CONTENDERS = [("faiss", CPU), ("torch", CPU), ("torch", HALF), *CUDA]
contenders = pytest.mark.parametrize(
    ("engine", "device"),
    [
        pytest.param(
            engine,
            device,
            id=f"{engine}-{device.name}-{device.half or 'plain'}",
            marks=pytest.mark.skipif(engine not in installed_engines(), reason=f"{engine} is not installed"),
        )
        for engine, device in CONTENDERS
    ],
)


class Blocks:
    """Vectors in blocks of odd sizes, as a table that does not fit gives them."""

    def __init__(self, vectors: Array, sizes: tuple[int, ...]) -> None:
        self.vectors, self.sizes = vectors, sizes

    def __iter__(self) -> Iterator[Array]:
        start = 0
        while start < len(self.vectors):
            for size in self.sizes:
                yield self.vectors[start : start + size]
                start += size


def unit(values: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return (values / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def bfloat16(values: np.ndarray) -> np.ndarray:
    """Truncated, which is as good as rounded here."""
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def stored(values: np.ndarray, kind: str) -> Array:
    return {
        "float16": lambda: values.astype(np.float16),
        "bfloat16": lambda: bfloat16(values),
        "float32": lambda: values,
    }[kind]()


def awkward(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Unit vectors with exact copies, near ties, zero rows and a tight bunch."""
    values = rng.standard_normal((n, d))
    copies = rng.integers(0, n, n // 4)
    values[rng.integers(0, n, n // 4)] = values[copies]
    bunch = rng.integers(0, n, n // 5)
    values[bunch] = values[0] + 1e-4 * rng.standard_normal((len(bunch), d))
    values[rng.integers(0, n, max(n // 50, 1))] = 0
    return unit(values)


def assert_same(found, wanted) -> None:
    np.testing.assert_array_equal(found.positions, wanted.positions)
    np.testing.assert_array_equal(found.scores, wanted.scores)
    assert found.positions.dtype == np.int64
    assert found.scores.dtype == np.float32


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32"])
def test_the_oracle_equals_arithmetic_with_fractions(kind: str) -> None:
    rng = np.random.default_rng(1)
    vectors = stored(awkward(rng, 40, 7), kind)
    queries = unit(rng.standard_normal((3, 7)))
    found = open_index("numpy", vectors, CPU).search(queries, 100)
    grid = 2**24
    for query, positions, scores in zip(queries, found.positions, found.scores, strict=True):
        asked = [Fraction(round(Fraction(float(v)) * grid), grid) for v in query]
        exact = [
            sum(a * Fraction(round(Fraction(float(v)) * grid), grid) for a, v in zip(asked, row, strict=True))
            for row in widened(vectors)
        ]
        # a float64 is exact here, so that numpy rounds the true number to float32
        rounded = [np.float32(float(value)) for value in exact]
        assert all(Fraction(float(value)) == value for value in exact)
        wanted = sorted(range(40), key=lambda place: (-rounded[place], place))
        assert positions.tolist() == wanted
        assert scores.tolist() == [rounded[place] for place in wanted]


@contenders
@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize(("n", "d", "q", "k"), [(3000, 37, 5, 20), (700, 64, 1, 700), (50, 3, 60, 80), (1, 1, 2, 1)])
def test_an_engine_equals_the_oracle(engine: str, device: Device, kind: str, n: int, d: int, q: int, k: int) -> None:
    rng = np.random.default_rng(n + d)
    values = awkward(rng, n, d)
    vectors = stored(values, kind)
    queries = np.concatenate([unit(rng.standard_normal((q, d))), values[: q // 2], np.zeros((1, d), np.float32)])
    wanted = open_index("numpy", vectors, CPU).search(queries, k)
    assert wanted.positions.shape == (len(queries), min(n, k))
    assert_same(open_index(engine, vectors, device).search(queries, k), wanted)
    blocks = Blocks(vectors, (7, 64, 1, 301))
    assert_same(open_index(engine, blocks, device).search(queries, k), wanted)


@contenders
@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32"])
def test_tensors_are_taken_where_they_are(engine: str, device: Device, kind: str) -> None:
    rng = np.random.default_rng(11)
    vectors, queries = stored(awkward(rng, 400, 19), kind), unit(rng.standard_normal((3, 19)))
    wanted = open_index("numpy", vectors, CPU).search(queries, 30)
    tensor = tensor_of(vectors, device)
    for given_ in (tensor, Blocks(tensor, (150, 1))):
        assert_same(open_index(engine, given_, device).search(queries, 30), wanted)
    assert_same(open_index("numpy", tensor, CPU).search(queries, 30), wanted)
    with pytest.raises(InputError, match="length"):
        open_index(engine, tensor * 3, device)
    with pytest.raises(InputError, match=r"float64 of shape \(400, 19\)"):
        open_index(engine, tensor.double(), device)


@contenders
def test_an_engine_equals_the_oracle_over_many_blocks(
    engine: str, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chunky.indexes.blockwise._PACKED_ROWS", 1000)
    monkeypatch.setattr("chunky.indexes.blockwise._WIDE_ROWS", 257)
    rng = np.random.default_rng(5)
    vectors = awkward(rng, 9_001, 24).astype(np.float16)
    for q in (1, 16, 300):
        queries = unit(rng.standard_normal((q, 24)))
        wanted = open_index("numpy", vectors, CPU).search(queries, 10)
        assert_same(open_index(engine, vectors, device).search(queries, 10), wanted)


@contenders
def test_all_vectors_alike_are_ties_by_position(engine: str, device: Device) -> None:
    vectors = np.repeat(unit(np.random.default_rng(2).standard_normal((1, 33))), 5000, 0).astype(np.float16)
    found = open_index(engine, vectors, device).search(vectors[:2].astype(np.float32), 17)
    assert found.positions.tolist() == [list(range(17))] * 2
    assert len(np.unique(found.scores)) == 1


@contenders
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 300),
    d=st.integers(1, 40),
    k=st.integers(1, 40),
    levels=st.integers(1, 3),
)
def test_vectors_of_few_levels_tie_often(
    engine: str, device: Device, seed: int, n: int, d: int, k: int, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng.integers(-levels, levels + 1, (n, d)).astype(np.float64)).astype(np.float16)
    queries = unit(rng.integers(-levels, levels + 1, (3, d)).astype(np.float64))
    wanted = open_index("numpy", vectors, CPU).search(queries, k)
    assert_same(open_index(engine, vectors, device).search(queries, k), wanted)


@contenders
def test_read_only_and_strided_arrays_are_taken(engine: str, device: Device) -> None:
    rng = np.random.default_rng(3)
    vectors = unit(rng.standard_normal((200, 12))).astype(np.float16)[::2]
    vectors.flags.writeable = False
    queries = unit(rng.standard_normal((2, 12)))
    assert_same(
        open_index(engine, vectors, device).search(queries, 5), open_index("numpy", vectors, CPU).search(queries, 5)
    )


@pytest.mark.parametrize("engine", installed_engines())
def test_nothing_is_found_in_nothing(engine: str) -> None:
    queries = unit(np.ones((2, 4)))
    assert open_index(engine, np.zeros((0, 4), np.float16), CPU).search(queries, 3).positions.shape == (2, 0)
    some = open_index(engine, np.eye(4, dtype=np.float16), CPU)
    assert some.search(np.zeros((0, 4), np.float32), 3).positions.shape == (0, 3)


@pytest.mark.parametrize("engine", installed_engines())
def test_bad_vectors_and_queries_are_refused(engine: str) -> None:
    good = np.eye(4, dtype=np.float16)
    nan = good.copy()
    nan[2, 1] = np.nan
    once = (block for block in [good])
    for bad in (good * 2, nan, good.astype(np.float64), good[0], [good, np.eye(3, dtype=np.float16)], ["text"], once):
        with pytest.raises(InputError):
            open_index(engine, bad, CPU).search(np.eye(4, dtype=np.float32), 1)
    index = open_index(engine, good, CPU)
    for queries, k in (
        (np.eye(4), 1),
        (np.eye(3, dtype=np.float32), 1),
        (np.eye(4, dtype=np.float32) * 3, 1),
        (np.full((1, 4), np.nan, np.float32), 1),
        (np.eye(4, dtype=np.float32), 0),
        (np.ones(4, np.float32) / 2, 1),
    ):
        with pytest.raises(InputError):
            index.search(queries, k)


def test_the_choice_is_told() -> None:
    cuda = Device("cuda:0", "cuda", "H200, 139 GiB free", 139 << 30, "tensor cores")
    assert choose_engine("auto", 1 << 30, cuda) == ("torch", "H200, 139 GiB free")
    assert choose_engine("auto", 100, CPU).engine == "numpy"
    assert choose_engine("auto", 1 << 30, CPU).engine == "torch"
    assert choose_engine("faiss", 1, CPU) == ("faiss", "asked for")
    with pytest.raises(SettingsError, match="annoy"):
        choose_engine("annoy", 1, CPU)


def test_auto_without_torch_and_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chunky.indexes.installed_engines", lambda: ("numpy", "faiss"))
    assert choose_engine("auto", 1 << 30, CPU).engine == "faiss"
    monkeypatch.setattr("chunky.indexes.installed_engines", lambda: ("numpy",))
    assert choose_engine("auto", 1 << 30, CPU).engine == "numpy"


def test_a_missing_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(PrerequisiteError, match="faiss-cpu"):
        open_index("faiss", np.eye(4, dtype=np.float16), CPU)


def test_faiss_without_a_gpu_says_so() -> None:
    pytest.importorskip("faiss")
    cuda = Device("cuda:0", "cuda", "", 1 << 30, "tensor cores")
    with pytest.raises(PrerequisiteError, match="GPU"):
        open_index("faiss", np.eye(4, dtype=np.float16), cuda)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("spread", [1.0, 30.0])
@pytest.mark.parametrize("d", [5, 384, 1000])
def test_rough_scores_stay_within_their_bound(kind: str, spread: float, d: int) -> None:
    torch = pytest.importorskip("torch")
    from chunky.indexes.selecting import Bytes, Prepared, Wide, has_bytes, tensor_of

    rng = np.random.default_rng(d)
    values = unit(np.exp(np.log(spread) * rng.standard_normal((300, d))) * rng.choice([-1, 1], (300, d)))
    block = stored(values, kind)
    queries = torch.from_numpy(to_float32(unit(rng.standard_normal((40, d)))))
    exact = queries.double().numpy() @ to_float32(block).astype(np.float64).T
    ready: list[Prepared] = [Wide(tensor_of(block, device), device) for device in (CPU, HALF)]
    ready += [Bytes(tensor_of(block, CPU))] if has_bytes() else []
    for prepared in ready:
        scores, error = prepared.rough(queries)
        assert scores.shape == exact.shape
        off = np.abs(scores.double().numpy() - exact)
        assert (off <= error.numpy()).all(), type(prepared).__name__
        assert error.max() < 0.1  # a bound that admits everything is none


def test_the_error_of_a_dot_product_grows_with_its_length() -> None:
    assert dot_error(384) < 3e-5
    assert dot_error(4096) < 3e-4
    assert dot_error(2) > 2**-24
