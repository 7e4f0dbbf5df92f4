"""Who is alive: each process that uses a ledger holds a lock on a file of its own, which the kernel drops with it.

A process id can be used again, and means nothing in another container; a lock does neither.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path
from secrets import token_hex

BATCH = "batch:"  # an intent owned by a batch outlives the process that sent it


class Owner:
    """The mark of one open ledger; it is alive until `close` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = f"{os.getpid()}-{token_hex(6)}"
        self._path = folder / self.name
        self._handle = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        _open.add(self)

    def close(self) -> None:
        """Give the mark up."""
        self._path.unlink(missing_ok=True)
        self.drop()

    def drop(self) -> None:
        """Close the file and leave the mark: what a forked child does with its parent's, lest it keep it alive."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        _open.discard(self)


def is_alive(folder: Path, name: str) -> bool:
    """Whether the owner of that name still runs."""
    try:
        handle = os.open(folder / name, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


_open: weakref.WeakSet[Owner] = weakref.WeakSet()


def _drop_all() -> None:
    for owner in list(_open):
        owner.drop()


os.register_at_fork(after_in_child=_drop_all)
