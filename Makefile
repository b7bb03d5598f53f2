# The two commands of the README are `make demo` and `make test`. Both do all the set-up themselves.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# Hundreds of tests start the command: without bytecode each compiles it anew.
unexport PYTHONDONTWRITEBYTECODE
# Host tests mostly wait: two processors are enough for three workers. Each worker has its own host, of about 1 GB.
WORKERS ?= 3
APT := python3-venv mmdebstrap systemd-container pebble nftables iproute2 openssh-client e2fsprogs util-linux curl \
  postgresql redis-server pgbouncer wrk age jq unzip

.PHONY: help install demo test unit fuzz long check bench clean setup

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

install: .venv/.done ## The healthv1 command alone, into .venv

demo: setup ## From nothing to a verified deployment on a disposable host
	@$(BIN)/python -m healthv1.cli.demo

test: unit ## Every test: ours, the API's own, and those on real hosts
	@$(BIN)/python -m pytest -n $(WORKERS) --dist load --maxschedchunk 1 --durations 30 healthv1_api/tests tests/hosts

unit: setup ## Our tests that need no host and no root
	@$(MAKE) --no-print-directory -j 3 --output-sync=target .unit-hosts .unit-operator .unit-operator-more

SEED ?= $(shell date +%s)
fuzz: setup ## Random drifts, kills and values, for an hour or two; SEED=… repeats a run
	@echo "make fuzz SEED=$(SEED)"
	@HEALTHV1_SEED=$(SEED) $(BIN)/python -m pytest --hypothesis-seed=$(SEED) $$(grep -rl hypothesis tests/unit --include 'test_*.py')
	@HEALTHV1_SEED=$(SEED) $(BIN)/python -m pytest -n $(WORKERS) --dist load --maxschedchunk 1 tests/fuzz

long: setup ## Restores, swaps, backups and drills cut short at each step, on both systems, for an hour
	@HEALTHV1_LONG=1 $(BIN)/python -m pytest -n $(WORKERS) --dist load --maxschedchunk 1 $$(grep -rl HEALTHV1_LONG tests/hosts --include 'test_*.py')

# Separate processes, not pytest-xdist's workers: the engine needs gevent, and gevent makes the workers hang.
MORE := $(wildcard tests/unit/healthv1/test_[p-z]*.py)
.PHONY: .unit-hosts .unit-operator .unit-operator-more
.unit-hosts:
	@$(BIN)/python -m pytest tests/unit/deploys tests/unit/healthv1/backends
.unit-operator:
	@$(BIN)/python -m pytest tests/unit/healthv1 --ignore tests/unit/healthv1/backends $(addprefix --ignore ,$(MORE))
.unit-operator-more:
	@$(BIN)/python -m pytest $(MORE)

check: .venv/.done ## Formatting, lint, types and layering
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@bash -n .ci/run
	@$(BIN)/actionlint -shellcheck $(BIN)/shellcheck docs/ci/github.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows docs/ci/github.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.gitlab-ci docs/ci/gitlab.yml

bench: setup ## Measure; figures are ratios within one run
	@$(BIN)/python -m benchmarks

clean: ## Take down every sandbox and remove all built files
	@test ! -x $(BIN)/healthv1 || $(BIN)/healthv1 sandbox down
	@rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache

setup: .apt .venv/.done

# apt installs only missing packages. Without root the sandbox names its missing packages, and the rest works.
.PHONY: .apt
.apt:
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  missing=$$(for p in $(APT); do dpkg-query -W -f '$${db:Status-Abbrev}' $$p 2>/dev/null | grep -q ^ii || echo $$p; done); \
	  if [ -n "$$missing" ]; then echo "Installing:" $$missing; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends $$missing; } \
	      >/tmp/healthv1-apt.log 2>&1 || { tail -n 20 /tmp/healthv1-apt.log; exit 1; }; fi; fi

.venv/.done: requirements.lock pyproject.toml
	@echo "Installing the pinned Python packages into .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
