# Two commands do all the set-up: `make repro` and `make test`.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
FREEZE := .lock-env/bin/python -m pip freeze --all --exclude self2align --exclude pip | sed 's/+cpu$$//'
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help repro test faults lint format env lock wheel clean

help:  ## Show what can be made
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 10

$(VENV)/.made: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.extras: $(VENV)/.made requirements-extras.lock
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-extras.lock
	touch $@

env: $(VENV)/.made  ## Make the environment, from the lock file

repro: env  ## Run the pipeline: what changed since the last run
	dvc repro

test: env lint $(VENV)/.extras  ## Lint, type-check and test, with the optional packages (BM3D: non-commercial use only)
	pytest -n auto

faults: env  ## Kill every command, fill its disk, refuse its renames: 200 kills and 2 of each other fault (hours)
	python -m tests.faults --seeds 200 --systems 2

lint: env  ## Lint and type-check
	ruff check .
	ruff format --check .
	rm -rf .typing && mkdir -p .typing/self2align && ln -s $(CURDIR)/pipeline/* $(CURDIR)/stages .typing/self2align/
	mypy

format: env  ## Format and mend what can be mended
	ruff check --fix .
	ruff format .

lock:  ## Resolve the environment anew and write requirements.lock and requirements-extras.lock
	rm -rf .lock-env && $(PYTHON) -m venv .lock-env
	.lock-env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 '.[dev]'
	$(FREEZE) > requirements.lock
	.lock-env/bin/pip install --quiet --disable-pip-version-check '.[bm3d,cluster,onnx,xarray]'
	$(FREEZE) | grep -vxFf requirements.lock > requirements-extras.lock
	rm -rf .lock-env

wheel: env  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

clean:  ## Remove unfinished work and caches (results stay: they are in data/ and DVC's cache)
	rm -rf .self2align .mypy_cache .ruff_cache .pytest_cache .typing build dist
