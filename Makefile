# Every target creates .venv when there is none: uv if present, else venv and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-bench
STORE ?=
SEEDS ?= 1000
MINUTES ?= 10

.PHONY: help demo demo-rollout test test-long simulate fuzz audit lint format docs pictures bench dist clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.installed: pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing $(VENV) && uv pip install --quiet --python $(BIN)/python -e '.[server,starlette,openfeature,otel,yaml,mcp]' --group dev; \
	else \
		$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' && \
		$(BIN)/python -m pip install --quiet -e '.[server,starlette,openfeature,otel,yaml,mcp]' --group dev; \
	fi
	@touch $@

$(VENV)/.browser: $(VENV)/.installed
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python --group browser --group release --group deploy; \
	else \
		$(BIN)/python -m pip install --quiet --group browser --group release --group deploy; \
	fi
	@touch $@

$(VENV)/.docs: $(VENV)/.installed
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python --group docs; \
	else \
		$(BIN)/python -m pip install --quiet --group docs; \
	fi
	@touch $@

$(VENV)/.fuzz: $(VENV)/.installed
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python --group fuzz; \
	else \
		$(BIN)/python -m pip install --quiet --group fuzz; \
	fi
	@touch $@

# An environment of its own: some of the SDKs to compare with want other versions of what wigwag needs.
$(PEERS)/.installed: pyproject.toml bench/peers.txt
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing $(PEERS) && \
		uv pip install --quiet --python $(PEERS)/bin/python -e '.[server]' --group dev --group bench && \
		uv pip install --quiet --python $(PEERS)/bin/python -r bench/peers.txt; \
	else \
		$(PYTHON) -m venv $(PEERS) && $(PEERS)/bin/python -m pip install --quiet --upgrade 'pip>=25.1' && \
		$(PEERS)/bin/python -m pip install --quiet -e '.[server]' --group dev --group bench && \
		$(PEERS)/bin/python -m pip install --quiet -r bench/peers.txt; \
	fi
	@touch $@

demo: $(VENV)/.installed ## server, example app, and a kill that you can watch arrive (STORE=redis://… for Redis)
	@$(BIN)/python -m examples.demo $(if $(STORE),--store '$(STORE)')

demo-rollout: $(VENV)/.installed ## a rollout that meets a bug and turns back: how many requests that hurts
	@$(BIN)/python -m examples.rollout_demo

test: $(VENV)/.installed ## all tests that fit in five minutes, on real Redis and SQLite
	@$(BIN)/python -m pytest -n 4 --dist loadfile -m 'not long'

test-long: $(VENV)/.browser $(VENV)/.docs ## the tests that take longer; needs chromium, and node with npm
	@$(BIN)/python -m pytest -m long

simulate: $(VENV)/.installed ## many seeds of the simulation (SEEDS=10000)
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS)

fuzz: $(VENV)/.fuzz ## fuzz what comes from outside, all at once (MINUTES=10); Linux only
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

audit: $(VENV)/.fuzz ## known vulnerabilities of what is installed; asks a service on the internet
	@$(BIN)/python -m pip freeze --exclude-editable | \
		$(BIN)/python -m pip_audit --requirement /dev/stdin --disable-pip --no-deps --strict

lint: $(VENV)/.installed ## formatting, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/.installed ## format in place, mend what lint can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/.docs ## the documentation site, into build/site
	@$(BIN)/python -m docs.site

pictures: $(VENV)/.browser ## the pictures of the web pages, into build/pictures and docs/images; needs chromium
	@$(BIN)/python -m docs.pictures

bench: $(PEERS)/.installed ## the benchmarks that fit in ten minutes; writes bench/results, and the figures in the pages
	@$(PEERS)/bin/python -m bench.suite

dist: $(VENV)/.browser ## the wheel and the sdist, checked, in dist/
	@rm -rf dist && $(BIN)/python -m build --outdir dist . && $(BIN)/python -m twine check --strict dist/*

clean: ## remove the virtual environment and everything generated
	rm -rf $(VENV) $(PEERS) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
