"""What a step has freed, given back to the system: allocators keep it otherwise, and a build is many steps long."""

from __future__ import annotations

import ctypes
import gc
import sys


def release() -> None:
    """Hand back memory that nothing uses: Arrow's pool, and the heap of the C library where that is glibc."""
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
