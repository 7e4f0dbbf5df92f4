"""Errors: one tree, drawn as it is; each says what is wrong and what to do, and survives a process border."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from chunky import errors

CLASSES = [member for _, member in inspect.getmembers(errors, inspect.isclass) if member.__module__ == errors.__name__]


def test_public_names_are_all_classes_of_the_module() -> None:
    assert sorted(errors.__all__) == sorted(member.__name__ for member in CLASSES)


def test_the_drawing_shows_every_class_under_its_parent() -> None:
    drawn: dict[str, str] = {}
    parents = {0: "Exception"}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│ ]*)(?:[├└]── )?([A-Z]\w+)", line)
        if match and (match.group(2) == "ChunkyError" or "──" in line):
            depth = 0 if "──" not in line else line.index("──") // 4
            parents[depth + 1] = match.group(2)
            drawn[match.group(2)] = parents[depth]
    assert drawn == {member.__name__: member.__base__.__name__ for member in CLASSES if member.__base__}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_message_ends_with_the_remedy_and_survives_a_process_border(kind: type[errors.ChunkyError]) -> None:
    error = kind("the pot is empty", "fill it")
    assert str(error).splitlines()[0] == "the pot is empty"
    assert str(error).endswith("→ fill it")
    # pickle is what process pools use; the bytes are our own
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.problem, again.remedy) == ("the pot is empty", "fill it")


def test_a_file_fault_keeps_its_reason_across_a_process_border() -> None:
    fault = pickle.loads(pickle.dumps(errors.FileFault("cut off", "get it again", "truncated file")))
    assert fault.reason == "truncated file"
