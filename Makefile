# Every target installs what it needs into .venv the first time, and again when setup.cfg changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
# Each worker of the tests needs about 1.5 GB of memory.
WORKERS ?= logical

PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.PHONY: install demo test coverage lint docs clean

install: $(VENV)/.installed

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@

demo: install
	$(BIN)/mass_nnunet demo $(DEMO)

# Bytecode is kept, whatever the environment says: tests start processes, each of which would compile all modules.
test coverage: export PYTHONDONTWRITEBYTECODE =

test: install lint
	$(PYTEST)

# The same tests; they take a quarter more of the processor's time.
coverage: install lint
	$(PYTEST) --cov --cov-report term-missing:skip-covered

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	.ci/types

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache
