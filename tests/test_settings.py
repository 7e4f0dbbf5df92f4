"""Settings: who wins, where a value came from, and what is said about a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from chunky.errors import SettingsError
from chunky.settings import Settings, load, names


def put(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chunky.toml").write_text(text, encoding="utf-8")
    return folder


def source_of(loaded: object, name: str) -> tuple[object, str]:
    return next((origin.value, origin.source) for origin in loaded.origins if origin.name == name)  # type: ignore[attr-defined]


def test_each_source_beats_the_one_before(tmp_path: Path) -> None:
    here = put(
        tmp_path / "here", "[keywords]\nmin_rows = 6\nmax_tokens = 4\n[correlations]\nsynonym_similarity = 0.5\n"
    )
    lake = put(tmp_path / "lake", "[keywords]\nmin_rows = 7\nmax_tokens = 3\n")
    name, variable = "keywords.min_rows", "CHUNKY_KEYWORDS_MIN_ROWS"
    assert source_of(load(folder=tmp_path), name) == (5, "default")
    assert source_of(load(folder=here), name) == (6, str(here / "chunky.toml"))
    assert source_of(load(lake, folder=here), name) == (7, str(lake / "chunky.toml"))
    assert source_of(load(lake, {variable: "8"}, folder=here), name) == (8, variable)
    last = load(lake, {variable: "8"}, {name: "9"}, folder=here)
    assert source_of(last, name) == (9, "flag")
    assert last.settings.keywords.max_tokens == 3
    assert last.settings.correlations.synonym_similarity == 0.5


def test_origins_list_every_setting_with_its_meaning(tmp_path: Path) -> None:
    origins = load(folder=tmp_path).origins
    assert [origin.name for origin in origins] == list(names())
    assert all(origin.description for origin in origins)


@pytest.mark.parametrize("name", ["keywords.min_row", "keyword.min_rows"])
def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"did you mean keywords\.min_rows"):
        load(flags={name: "3"}, folder=tmp_path)


def test_a_misspelled_variable_is_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"CHUNKY_KEYWORDS_MIN_ROW\b"):
        load(environ={"CHUNKY_KEYWORDS_MIN_ROW": "3"}, folder=tmp_path)


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    loaded = load(environ={"CHUNKY_LAKE": "x", "CHUNKY_REAL_MIX": "y", "HOME": "/"}, folder=tmp_path)
    assert loaded.settings == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("keywords.min_rows", "many"),
        ("keywords.min_rows", "0"),
        ("keywords.min_rows", "2.5"),
        ("keywords.max_tokens", "6"),
        ("engine.memory_limit", "lots"),
        ("engine.lock_seconds", "inf"),
        ("correlations.synonym_similarity", "nan"),
        ("correlations.synonym_similarity", "0"),
        ("sql.timeout_seconds", ""),
    ],
)
def test_a_bad_value_is_named_with_source_and_remedy(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(flags={name: text}, folder=tmp_path)
    assert name in caught.value.problem
    assert "from flag" in caught.value.problem
    assert "chunky settings" in caught.value.remedy


@pytest.mark.parametrize(
    "text", ["[keywords", "min_rows = 3", "[keywords]\nmin_rows = [3]", "[keywords.min_rows]\nx = 1", "\xff"]
)
def test_a_bad_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "chunky.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"keywords|chunky\.toml"):
        load(folder=tmp_path)


def test_a_digest_knows_its_own_section_only() -> None:
    plain = Settings()
    changed = Settings.model_validate({"keywords": {"min_rows": 9}})
    assert changed.digest("keywords") != plain.digest("keywords")
    for section in set(Settings.model_fields) - {"keywords"}:
        assert changed.digest(section) == plain.digest(section)


def test_a_digest_of_no_section_is_an_error() -> None:
    with pytest.raises(AttributeError):
        Settings().digest("keyword")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().keywords.min_rows = 3
