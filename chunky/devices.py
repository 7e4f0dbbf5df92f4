"""Which device does the vector work, decided once, with the reason; and what 16-bit products it has.

Nothing here computes. Torch is imported only to ask it about CUDA, and a machine without torch is simply a CPU.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, NamedTuple

from chunky.errors import PrerequisiteError, SettingsError

__all__ = ["Device", "pick"]

_CPUINFO: Final = Path("/proc/cpuinfo")
_MEMINFO: Final = Path("/proc/meminfo")
# Best first: AMX multiplies tiles; AVX512_BF16 doubles the multiplications of a 512-bit register where the processor
# issues as many of them as of others. AMD's do (sentences were embedded three times as fast on Zen 5); Intel's issue
# half as many (torch 2.13 on a Xeon with that flag: 167 GFLOP/s where fp32 made 280, and 400 sentences/s for 500). A
# processor with neither widens 16-bit numbers before it multiplies: 6 GFLOP/s where fp32 ran at 42.
_HALVES: Final = (("amx_bf16", "", "AMX bf16"), ("avx512_bf16", "AuthenticAMD", "AVX-512 bf16"))
_GIB: Final = 2**30


class Device(NamedTuple):
    """A device: `name` as torch says it, `kind` cpu or cuda, why it was taken, and its free memory in bytes.

    `half` names what multiplies 16-bit numbers faster than 32-bit ones, or is None where nothing does.
    """

    name: str
    kind: str
    reason: str
    memory_bytes: int
    half: str | None


def pick(wanted: str = "auto") -> Device:
    """The device to use: `auto` takes CUDA where it works, else the CPU; `cpu`, `cuda` and `cuda:N` are taken as said.

    Raises SettingsError for another word, PrerequisiteError where CUDA is asked for and missing.
    """
    kind, _, number = wanted.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (number and (kind != "cuda" or not number.isdigit())):
        raise SettingsError(f"there is no device {wanted!r}", "use auto, cpu, cuda or cuda:N")
    if kind == "cpu":
        return _cpu("asked for")
    torch, without = _torch_with_cuda()
    if torch is None:
        if kind == "cuda":
            raise PrerequisiteError(f"device {wanted}: {without}", "use cpu, or install a torch built for CUDA")
        return _cpu(without)
    return _cuda(torch, int(number or 0))


def _torch_with_cuda() -> tuple[Any, str]:
    """Torch where it sees a CUDA device, else None; and why not."""
    try:
        import torch
    except ImportError:
        return None, "no CUDA device: torch is not installed"
    if not torch.cuda.is_available():
        return None, f"no CUDA device: torch {torch.__version__}"
    return torch, ""


def _cuda(torch: Any, number: int) -> Device:
    if number >= torch.cuda.device_count():
        raise PrerequisiteError(
            f"there is no device cuda:{number}: torch sees {torch.cuda.device_count()}", "use cuda or a lower number"
        )
    free, _ = torch.cuda.mem_get_info(number)
    properties = torch.cuda.get_device_properties(number)
    half = "tensor cores" if properties.major >= 8 else None  # bf16 products came with compute capability 8
    return Device(f"cuda:{number}", "cuda", f"{properties.name}, {free / _GIB:.0f} GiB free", int(free), half)


def _cpu(reason: str) -> Device:
    half = _half(_text(_CPUINFO))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    described = f"{reason}; {cores} cores, {half or 'no 16-bit products'}"
    return Device("cpu", "cpu", described, _free_memory(_text(_MEMINFO)), half)


def _half(cpuinfo: str) -> str | None:
    described: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        described.setdefault(name.strip(), value)
    flags, maker = described.get("flags", "").split(), described.get("vendor_id", "").strip()
    return next((name for flag, only, name in _HALVES if flag in flags and only in ("", maker)), None)


def _free_memory(meminfo: str) -> int:
    """Bytes that can be had without swapping; all of the machine's where the kernel does not tell."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
