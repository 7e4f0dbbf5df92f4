"""Slugs: distinct, safe in paths, globs and partition keys, and readable back."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.slugs import slug, unslug

SAFE = set(string.ascii_letters + string.digits + "._-%~")
# texts that are likely to collide or to hurt: dots, escapes, separators, controls, surrogates, other scripts
TEXTS = st.one_of(
    st.text(alphabet=st.sampled_from([*".%~/\\|[],*? \n\0é漢😀aA0-2E", "\ud800"]), max_size=12),
    st.text(alphabet=st.characters(exclude_categories=())),
    st.text(alphabet="ab.", min_size=100, max_size=200),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(TEXTS, unique=True, max_size=20))
def test_distinct_texts_give_distinct_slugs(texts: list[str]) -> None:
    assert len({slug(text) for text in texts}) == len(texts)


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_a_slug_is_safe_everywhere(text: str) -> None:
    name = slug(text)
    assert set(name) <= SAFE
    assert 1 <= len(name) <= 120
    assert not name.startswith(".")
    assert ".." not in name  # Dagster forbids "..." in partition keys, file systems give ".." a meaning


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_a_slug_reads_back_unless_it_was_cut(text: str) -> None:
    again = unslug(slug(text))
    assert again == text or (again is None and len(slug(text)) == 120)


def test_dagster_takes_every_slug_as_a_partition_key() -> None:
    dagster = pytest.importorskip("dagster")
    texts = ["a...b", "a|b", "a,b", "[a]", "a\nb", "\0", "", "..", "tülu/3"]
    keys = [slug(text) for text in texts]
    chunks = dagster.StaticPartitionsDefinition(keys)
    both = dagster.MultiPartitionsDefinition({"audit": dagster.StaticPartitionsDefinition(["x"]), "chunk": chunks})
    assert len(both.get_partition_keys()) == len(texts)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("codealpaca", "codealpaca"),
        ("a b", "a%20b"),
        ("", "%"),
        ("%", "%25"),
        (".git", "%2Egit"),
        ("...", "%2E%2E%2E"),
        ("é", "%C3%A9"),
        ("ai2-adapt/x", "ai2-adapt%2Fx"),
    ],
)
def test_examples(text: str, name: str) -> None:
    assert slug(text) == name


def test_a_long_name_keeps_its_beginning() -> None:
    name = slug("x" * 500)
    assert name.startswith("x" * 100)
    assert len(name) == 120
    assert unslug(name) is None
    assert name != slug("x" * 501)
