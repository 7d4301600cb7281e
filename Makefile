# Two commands do all the set-up: `make repro` and `make test`.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help repro test lint format env lock wheel clean

help:  ## Show what can be made
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 10

$(VENV)/.made: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

env: $(VENV)/.made  ## Make the environment, from the lock file

repro: env  ## Run the pipeline: what changed since the last run
	dvc repro

test: env lint  ## Lint, type-check and test
	pytest -n auto

lint: env  ## Lint and type-check
	ruff check .
	ruff format --check .
	mypy

format: env  ## Format and mend what can be mended
	ruff check --fix .
	ruff format .

lock:  ## Resolve the environment anew and write requirements.lock
	rm -rf .lock-env && $(PYTHON) -m venv .lock-env
	.lock-env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 '.[dev]'
	.lock-env/bin/python -m pip freeze --exclude self2align | sed 's/+cpu$$//' > requirements.lock
	rm -rf .lock-env

wheel: env  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

clean:  ## Remove unfinished work and caches (results stay: they are in data/ and DVC's cache)
	rm -rf .self2align .mypy_cache .ruff_cache .pytest_cache dist
