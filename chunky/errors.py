"""Every error that chunky raises on purpose, each ending with what to do next.

    ChunkyError
    ├── SettingsError          a setting has a value that cannot be used
    ├── PrerequisiteError      an optional package, engine or key is missing
    ├── InputError             a file or record that the user named cannot be read
    │   └── FileFault          the file as a whole is unusable; other files go on
    ├── LakeError              the lake on disk is not what was expected
    │   ├── MissingTable       a table that a verb needs has not been built
    │   ├── ContractError      rows that break the catalog's promises
    │   └── LockedError        another process is writing the same table
    ├── EngineError            a model or a server failed, or gave something unusable
    │   └── BudgetError        the models of a run may spend no more
    └── QueryError             a SQL question that cannot be answered

A message has two parts, what is wrong and the remedy, so that no reader is left with a stack trace.
"""

from __future__ import annotations

__all__ = [
    "BudgetError",
    "ChunkyError",
    "ContractError",
    "EngineError",
    "FileFault",
    "InputError",
    "LakeError",
    "LockedError",
    "MissingTable",
    "PrerequisiteError",
    "QueryError",
    "SettingsError",
]


class ChunkyError(Exception):
    """Base of all errors raised on purpose; `problem` and `remedy` are shown on two lines."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  → {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[ChunkyError], tuple[str, ...]]:
        """Errors cross process borders (Dagster steps), so they must survive a round trip."""
        return (type(self), (self.problem, self.remedy))


class SettingsError(ChunkyError):
    """A setting has a value that cannot be used."""


class PrerequisiteError(ChunkyError):
    """An optional package, an engine or a key is missing."""


class InputError(ChunkyError):
    """A file or a record that the user named cannot be read."""


class FileFault(InputError):
    """The file as a whole is unusable; nothing of it is taken and the other files go on.

    `reason` is the short code that `corpus.quarantine.reason` holds.
    """

    def __init__(self, problem: str, remedy: str, reason: str = "unreadable file") -> None:
        super().__init__(problem, remedy)
        self.reason = reason

    def __reduce__(self) -> tuple[type[FileFault], tuple[str, ...]]:
        return (type(self), (self.problem, self.remedy, self.reason))


class LakeError(ChunkyError):
    """The lake on disk is not what was expected."""


class MissingTable(LakeError):
    """A table that a verb needs has not been built."""


class ContractError(LakeError):
    """Rows break a promise that the catalog makes about their table."""


class LockedError(LakeError):
    """Another process is writing the same table."""


class EngineError(ChunkyError):
    """A model or a server failed, or answered with something that cannot be used."""


class BudgetError(EngineError):
    """The models of a run may spend no more; what was paid for is kept."""


class QueryError(ChunkyError):
    """A SQL question that cannot be answered."""
