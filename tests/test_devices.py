"""The device is picked once and says why."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from chunky import devices
from chunky.devices import pick
from chunky.errors import PrerequisiteError, SettingsError


def a_torch(count: int, major: int = 9) -> SimpleNamespace:
    """Torch as far as the choice of a device looks at it, with so many GPUs."""
    cuda = SimpleNamespace(
        is_available=lambda: count > 0,
        device_count=lambda: count,
        mem_get_info=lambda number: (139 << 30, 141 << 30),
        get_device_properties=lambda number: SimpleNamespace(name="NVIDIA H200", major=major),
    )
    return SimpleNamespace(cuda=cuda, __version__="2.13.0+cpu")


def test_the_cpu_is_taken_where_there_is_no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", a_torch(0))
    found = pick()
    assert (found.name, found.kind) == ("cpu", "cpu")
    assert found.reason.startswith("no CUDA device: torch 2.13.0+cpu; ")
    assert found.memory_bytes > 1 << 20
    with pytest.raises(PrerequisiteError, match="no CUDA device"):
        pick("cuda")


def test_the_cpu_is_taken_where_there_is_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert pick().reason.startswith("no CUDA device: torch is not installed")
    assert pick("cpu").reason.startswith("asked for")


def test_cuda_is_taken_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", a_torch(2))
    assert pick() == ("cuda:0", "cuda", "NVIDIA H200, 139 GiB free", 139 << 30, "tensor cores")
    assert pick("cuda:1").name == "cuda:1"
    assert pick("cpu").kind == "cpu"
    with pytest.raises(PrerequisiteError, match="cuda:2"):
        pick("cuda:2")


def test_old_gpus_have_no_16_bit_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", a_torch(1, major=7))
    assert pick().half is None


@pytest.mark.parametrize("wanted", ["gpu", "cpu:1", "cuda:x", ""])
def test_another_word_is_refused(wanted: str) -> None:
    with pytest.raises(SettingsError, match="auto, cpu, cuda"):
        pick(wanted)


@pytest.mark.parametrize(
    ("maker", "flags", "half"),
    [
        ("GenuineIntel", "fpu avx512f avx512_bf16 amx_bf16", "AMX bf16"),
        ("GenuineIntel", "avx512_bf16", None),
        ("AuthenticAMD", "avx512_bf16", "AVX-512 bf16"),
        ("AuthenticAMD", "avx2 avx512f", None),
    ],
)
def test_16_bit_products_are_read_from_the_processors_flags(
    maker: str, flags: str, half: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = f"vendor_id\t: {maker}\nflags\t\t: {flags}\n"
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{one}\nprocessor : 1\n{one}")
    monkeypatch.setattr(devices, "_CPUINFO", tmp_path / "cpuinfo")
    found = pick("cpu")
    assert found.half == half
    assert found.reason.endswith(half or "no 16-bit products")


def test_a_kernel_that_tells_nothing_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_CPUINFO", tmp_path / "absent")
    monkeypatch.setattr(devices, "_MEMINFO", tmp_path / "absent")
    found = pick("cpu")
    assert found.half is None
    assert found.memory_bytes > 1 << 20
