"""Where the files that travel with the package lie."""

from __future__ import annotations

import pytest

from chunky.errors import PrerequisiteError
from chunky.files import code_files, sql_folder, sql_text


def test_sql_folder_holds_macros() -> None:
    assert (sql_folder() / "macros" / "stats").is_dir()


def test_sql_text_reads_the_model_of_a_table() -> None:
    assert sql_text("corpus.chunks").startswith("-- corpus.chunks:")


def test_code_of_a_package_is_all_its_modules() -> None:
    found = {file.name for file in code_files("chunky.correlations")}
    assert {"__init__.py", "custom.py", "synonyms.py"} <= found


def test_code_of_a_module_is_one_file() -> None:
    assert [file.name for file in code_files("chunky.lens")] == ["lens.py"]


def test_code_of_a_sql_folder_includes_its_subfolders() -> None:
    assert {"chunks.sql"} <= {file.name for file in code_files("sql/corpus")}
    assert [file.name for file in code_files("sql/corpus/chunks")] == ["chunks.sql"]
    assert {"wilson_low.sql"} <= {file.name for file in code_files("sql/macros")}


@pytest.mark.parametrize("unit", ["chunky.nothing", "sql/nothing"])
def test_code_that_is_not_there_is_an_error_not_an_empty_digest(unit: str) -> None:
    with pytest.raises(PrerequisiteError, match="nothing"):
        code_files(unit)
