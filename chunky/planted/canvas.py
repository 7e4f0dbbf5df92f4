"""The canvas: the texts of a world while plants are put in, and the operations that made them.

A world is its background plus an ordered list of operations, each with a random stream of its own; leaving out the
operations of one owner therefore gives the same world without that plant, byte for byte elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from chunky.planted.editors import Editor
from chunky.planted.predicates import Predicate
from chunky.planted.wording import stream

__all__ = ["Canvas", "Operation", "Texts", "apply"]

SIDES = ("query", "response")


@dataclass
class Texts:
    """The three columns of a mix, in row order."""

    sources: list[str]
    queries: list[str]
    responses: list[str]

    def copy(self) -> Texts:
        """A copy whose columns can be changed."""
        return Texts(list(self.sources), list(self.queries), list(self.responses))

    def side(self, side: str) -> list[str]:
        """The column of `side`."""
        return self.queries if side == "query" else self.responses


@dataclass(frozen=True)
class Operation:
    """One change of one row by `owner`: an editor at work on a side, or (query, response) put in place of both."""

    owner: str
    row: int
    side: str
    editor: Editor | None
    replacement: tuple[str, str] | None = None

    def random(self, seed: int) -> Random:
        """The stream of this operation alone."""
        return stream(seed, f"{self.owner} {self.row} {self.side}")


def apply(texts: Texts, operation: Operation, seed: int) -> None:
    """Carry out one operation on `texts`."""
    if operation.replacement is not None:
        texts.queries[operation.row], texts.responses[operation.row] = operation.replacement
    elif operation.editor is not None:
        column = texts.side(operation.side)
        column[operation.row] = operation.editor.edit(column[operation.row], operation.random(seed))


@dataclass
class Canvas:
    """Texts in the making: who owns which row, and which operations were carried out.

    A row has one owner among plants and their distractors, so that no plant disturbs another one's predicate; cues are
    laid over owned rows as well, where they break nothing.
    """

    seed: int
    texts: Texts
    operations: list[Operation] = field(default_factory=list)
    owner: dict[int, str] = field(default_factory=dict)
    editors: list[Editor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.members: dict[str, list[int]] = {}
        for row, source in enumerate(self.texts.sources):
            self.members.setdefault(source, []).append(row)
        import polars as pl

        self._untouched = {side: pl.Series(side, self.texts.side(side), dtype=pl.String) for side in SIDES}

    def free(self, rows: Iterable[int], rng: Random) -> list[int]:
        """The unowned of `rows` in random order."""
        found = [row for row in rows if row not in self.owner]
        rng.shuffle(found)
        return found

    def matches(self, editor: Editor, rows: Sequence[int]) -> list[bool]:
        """Whether each row carries the editor's thing now, as far as its predicate can tell."""
        if editor.predicate is None:
            return [False] * len(rows)
        column = self.texts.side(editor.side)
        return editor.predicate.holds_each([column[row] for row in rows])

    def natural_rows(self, editor: Editor) -> int:
        """How many rows of the untouched background carry the editor's thing, as far as its predicate can tell."""
        return 0 if editor.predicate is None else int(editor.predicate.holds(self._untouched[editor.side]).sum())

    def put(self, editor: Editor, owner: str, rows: Sequence[int], count: int) -> list[int]:
        """Edit up to `count` of `rows` in order; rows that carry it already or refuse the edit are passed over.

        Returns the rows edited, in order, which the owner then holds.
        """
        done: list[int] = []
        waiting = list(rows)
        while waiting and len(done) < count:
            batch, waiting = waiting[: count - len(done)], waiting[count - len(done) :]
            natural = self.matches(editor, batch)
            batch = [row for row, has in zip(batch, natural, strict=True) if not has]
            done.extend(self._edit(editor, owner, batch))
        return done

    def _edit(self, editor: Editor, owner: str, rows: Sequence[int]) -> list[int]:
        operations = [self._operation(editor, owner, row) for row in rows]
        column = self.texts.side(editor.side)
        before = [(self.texts.queries[row], self.texts.responses[row]) for row in rows]
        for operation in operations:
            apply(self.texts, operation, self.seed)
        if editor.exact is not None:
            kept = editor.exact.holds_each([column[row] for row in rows])
        else:
            kept = [column[row] != old[editor.side == "response"] for row, old in zip(rows, before, strict=True)]
        for operation, old, good in zip(operations, before, kept, strict=True):
            if good:
                self.operations.append(operation)
                self.owner.setdefault(operation.row, owner)
            else:
                self.texts.queries[operation.row], self.texts.responses[operation.row] = old
        return [row for row, good in zip(rows, kept, strict=True) if good]

    def _operation(self, editor: Editor, owner: str, row: int) -> Operation:
        if editor.rewrite is None:
            return Operation(owner, row, editor.side, editor)
        fresh = editor.rewrite(stream(self.seed, f"{owner} {row} rewrite"))
        return Operation(owner, row, editor.side, None, fresh)

    def swap(self, owner: str, donor: int, host: int) -> None:
        """Exchange the texts of two rows, so that what `donor` said is now said in the host's chunk."""
        texts = self.texts
        pair = [(texts.queries[row], texts.responses[row]) for row in (donor, host)]
        for row, content in ((host, pair[0]), (donor, pair[1])):
            operation = Operation(owner, row, "query", None, content)
            apply(texts, operation, self.seed)
            self.operations.append(operation)
            self.owner[row] = owner

    def overlay(self, editor: Editor, owner: str, rows: Sequence[int], guards: dict[str, Predicate]) -> list[int]:
        """Edit `rows` whoever owns them, but only where no predicate of `guards` changes its answer."""
        column = self.texts.side(editor.side)
        before = [column[row] for row in rows]
        checks = {name: guard.holds_each(before) for name, guard in guards.items()}
        operations = [Operation(owner, row, editor.side, editor) for row in rows]
        for operation in operations:
            apply(self.texts, operation, self.seed)
        after = [column[row] for row in rows]
        good = [True] * len(rows) if editor.exact is None else editor.exact.holds_each(after)
        for name, guard in guards.items():
            good = [
                fine and was == now for fine, was, now in zip(good, checks[name], guard.holds_each(after), strict=True)
            ]
        for operation, old, fine in zip(operations, before, good, strict=True):
            if fine:
                self.operations.append(operation)
            else:
                column[operation.row] = old
        return [row for row, fine in zip(rows, good, strict=True) if fine]
