# One entry for people and for CI. `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := setup

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
HOST ?= 127.0.0.1
PORT ?= 8000

INSTALLED := $(VENV)/.installed
ASSETS := config/static/vendor/packages.json
SETUP := $(INSTALLED) $(ASSETS) translations

LOCK := $(VENV)/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links
# What a laptop can run: no PostgreSQL, Redis, worker processes, browser or graphics card.
PLAIN := not postgres and not redis and not worker and not e2e and not gpu and not slow

.PHONY: help setup translations demo run worker worker-gpu scheduler test prove bench lint format \
	types lock messages clean assets

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# --- set-up -----------------------------------------------------------------------------------
setup: $(SETUP) ## build .venv, install front-end packages, compile translations (the default)

$(INSTALLED): requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 13) else \
		"Granary needs Python 3.11 or 3.12; choose one with: make PYTHON=/path/to/python3.11")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

assets: ## install the front-end packages again
	rm -f $(ASSETS)
	$(MAKE) --no-print-directory $(ASSETS)

$(ASSETS): package.json package-lock.json config/assets.toml config/assets.py | $(INSTALLED)
	$(PY) -m config.assets

translations: | $(INSTALLED)
	@$(PY) -m config.translations compile

# --- running ----------------------------------------------------------------------------------
demo: $(SETUP) ## demo company with trained models on http://HOST:PORT; Ctrl-C stops it
	exec $(PY) manage.py demo --host $(HOST) --port $(PORT)

run: $(SETUP) ## web server on http://HOST:PORT
	$(PY) manage.py migrate --verbosity 0
	$(PY) manage.py collectstatic --noinput --verbosity 0
	exec $(PY) -m gunicorn --config deploy/gunicorn.conf.py --bind $(HOST):$(PORT) config.wsgi

worker: $(SETUP) ## workers for the queues default and training, and the scheduler
	exec $(PY) manage.py worker

worker-gpu: $(SETUP) ## worker for the queue gpu
	exec $(PY) manage.py worker --queues gpu

scheduler: $(SETUP) ## the scheduler alone (make worker already runs one)
	exec $(PY) manage.py scheduler

# --- checks -----------------------------------------------------------------------------------
test: $(SETUP) ## core and ml with small fixed training steps; needs nothing but this folder
	$(PY) -m pytest -n 2 --dist worksteal -m "$(PLAIN)" $(ARGS)

prove: $(SETUP) ## the long versions of property and crash tests
	HYPOTHESIS_PROFILE=prove $(PY) -m pytest -m "(slow or hypothesis) and not e2e and not gpu" $(ARGS)

bench: $(INSTALLED) .venv-bench/.installed ## the benchmarks; peers run in .venv-bench
	@echo "Environments are ready. Each benchmark is one command, described in benchmarks/README.md:"
	@ls benchmarks/*.py | sed -E 's#benchmarks/(.*)\.py#  $(PY) -m benchmarks.\1 --help#' | grep -v __init__

.venv-bench/.installed: requirements/bench.txt
	test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements/bench.txt
	touch $@

lint: $(INSTALLED) types ## style, templates, walls between the rooms, types, missing migrations
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	find templates -name '*.html' -exec $(VENV)/bin/djade --target-version 5.2 --check {} +
	$(VENV)/bin/lint-imports
	$(PY) manage.py check
	$(PY) manage.py makemigrations --check --dry-run

types: $(INSTALLED) ## mypy, strict on services, selectors and engines
	$(VENV)/bin/mypy

format: $(INSTALLED) ## write what `make lint` asks for
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	find templates -name '*.html' -exec $(VENV)/bin/djade --target-version 5.2 {} + || true

# --- upkeep -----------------------------------------------------------------------------------
lock: $(INSTALLED) ## compile requirements/*.txt from pyproject.toml
	$(LOCK) pyproject.toml -o requirements/core.txt
	$(LOCK) pyproject.toml --extra ml -c requirements/core.txt -o requirements/ml.txt
	$(LOCK) pyproject.toml --extra ml --group dev -c requirements/ml.txt -o requirements/dev.txt
	$(LOCK) --group pyproject.toml:bench -o requirements/bench.txt

messages: $(INSTALLED) ## merge new texts into the translation catalogues
	$(PY) -m config.translations extract

clean: ## remove what can be built again; var/ (data and models) and .venv stay
	rm -rf node_modules config/static/vendor staticfiles htmlcov .coverage
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
	find locale -name '*.mo' -delete
