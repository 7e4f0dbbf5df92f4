"""One writer per table at a time: a lock file in the table's folder that says who holds it.

The lock is the kernel's (`flock`), so it goes with its process, also when that is killed: no stale locks.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from chunky.errors import LockedError

_POLL_SECONDS = 0.05


@contextmanager
def held(folder: Path, name: str, patience_seconds: float) -> Iterator[None]:
    """Hold the lock of table `name` in `folder` for the length of the block.

    LockedError, naming the owner, when another process holds it for longer than `patience_seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", encoding="utf-8") as handle:
        _acquire(name, handle, patience_seconds)
        handle.seek(0)
        handle.truncate()
        since = datetime.now(UTC).isoformat(timespec="seconds")
        handle.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}))
        handle.flush()
        yield  # closing the handle releases the lock


def _acquire(name: str, handle: IO[str], patience_seconds: float) -> None:
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                continue
            handle.seek(0)
            owner = handle.read().strip() or "another process"
            raise LockedError(
                f"{name} is being written by {owner}",
                "wait for it to finish or stop it; the lock goes with the process (setting engine.lock_seconds)",
            ) from None
        return
