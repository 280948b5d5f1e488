# The table of contents of the work. Needs Python 3.11 or later and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
DISTRIBUTIONS := layers/cordyna_core functions/cerebro functions/task_server_a functions/task_server_b
PROJECTS := $(DISTRIBUTIONS:%=%/pyproject.toml)
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help run setup test check format dist lock clean

help: ## what there is to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.run ## set up what runs, and invoke task-3 across two servers
	$(BIN)/dyna do task-3

setup: .venv/.dev ## set up what checks and tests need, too

test: check ## all checks, then all tests
	$(BIN)/pytest -n auto

check: .venv/.dev ## format, lint, types, import arrows
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: .venv/.dev ## let ruff format the code and mend what it can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

dist: .venv/.run ## build the wheels into dist/
	rm -rf dist
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist $(DISTRIBUTIONS:%=./%)
	@ls dist

lock: .venv/.dev ## compile requirements/*.in into *.txt, with hashes and without the address of an index
	$(PIP) install uv
	$(LOCK) requirements/dev.in -o requirements/dev.txt
	$(LOCK) requirements/run.in -c requirements/dev.txt -o requirements/run.txt

clean: ## forget everything that was made here, but .venv
	rm -rf dist .cordyna .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.venv/.run: requirements/run.txt $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cordyna needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "setting up .venv: what runs ..."
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation $(DISTRIBUTIONS:%=-e ./%)
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	@echo "setting up .venv: what checks and tests ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
