# Every recipe sets itself up: git, make and Python ≥ 3.11 are all it takes.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all check docs ui clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("chunky needs Python 3.11 or later; set PYTHON=…") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: .venv/installed  ## plant a small mix, build its lake, print what it teaches by accident
	$(BIN)/chunky demo

check: .venv/installed  ## lint, types, import contracts, SQL style, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 2 -q sql

test: check  ## the suite without what is slow
	$(BIN)/pytest -n 2 --dist loadfile -m 'not slow and not real_mix'

test-all: check  ## everything: kill harnesses, many planted worlds, the real mix where CHUNKY_REAL_MIX names it
	$(BIN)/pytest -n 2 --dist loadfile

docs: .venv/installed  ## the pages that are generated from code
	$(BIN)/python -m chunky.tables_page
	$(BIN)/python -m chunky.sql_files
	$(BIN)/python -m chunky.cli.docs

ui: .venv/installed
	$(BIN)/chunky ui

clean:
	rm -rf .venv build dist
