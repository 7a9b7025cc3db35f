# Everything a fresh machine needs beyond git, make and Python 3.11 is installed into .venv, from locked files with hashes.

SHELL = /bin/sh
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN = .venv/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV ?= uv
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-strip-extras --group build
ARGS ?=

.PHONY: help demo test lint format bench agents test-agents openapi workflows check-workflows test-action lock clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo    the whole loop in a temporary repository: no key, no network'
	@echo 'make test    the test suite (ARGS="-k spec" picks; COVERAGE=1 measures)'
	@echo 'make lint    ruff and mypy'
	@echo 'make format  ruff, writing'
	@echo 'make bench   the figures of docs/design.md, as ratios against the named peers'
	@echo 'make agents  two real coding agents for the tests, into .venv/agents (needs npm); make test-agents runs them'
	@echo 'make check-workflows   zizmor, and GitHub'\''s own parser (needs npm), on .github'
	@echo 'make openapi GitHub'\''s published description, for the tests'\'' in-memory GitHub, into .venv/openapi (needs npm)'
	@echo 'make lock    new versions and hashes into requirements/ (needs uv)'
	@echo 'make clean   removes .venv and what was built'

demo: .venv/run
	$(BIN)/split-ci demo $(ARGS)

test: .venv/dev
ifdef COVERAGE
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -q -n auto $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
else
	$(BIN)/python -m pytest -q -n auto $(ARGS)
endif

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev
	@set -e; for each in benchmarks/bench_*.py; do echo "== $$each"; $(BIN)/python $$each $(ARGS); done

agents: .venv/agents/done

test-agents: .venv/dev .venv/agents/done
	PATH="$(CURDIR)/.venv/agents/bin:$(CURDIR)/.venv/agents/node_modules/.bin:$$PATH" \
		SPLIT_CI_REAL_AGENTS=goose,mini-swe-agent $(BIN)/python -m pytest -q tests/implementers/agent_test.py -k real_program $(ARGS)

openapi: .venv/openapi/done

workflows: .venv/workflows/done

check-workflows: .venv/dev .venv/workflows/done
	$(BIN)/zizmor --offline --no-progress --quiet --persona auditor .github
	node tests/workflows/parse.mjs .venv/workflows .github/workflows/*.yml .github/actions/*/action.yml

test-action: .venv/dev
	SPLIT_CI_REAL_INSTALL=1 $(BIN)/python -m pytest -q tests/workflows/action_test.py $(ARGS)

lock:
	$(LOCK) --extra dev pyproject.toml --output-file requirements/dev.lock
	$(LOCK) --constraint requirements/dev.lock pyproject.toml --output-file requirements/run.lock
	$(LOCK) --constraint requirements/dev.lock --extra all pyproject.toml --output-file split_ci/templates/github/requirements.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		requirements/agents.in --output-file requirements/agents.lock
	for each in agents openapi workflows; do \
		(cd requirements/$$each && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund) || exit 1; done

clean:
	rm -rf .venv build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/run: requirements/run.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo 'split-ci needs Python 3.11 or newer with venv (on Debian: apt-get install python3-venv)' >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(PIP) --require-hashes -r requirements/run.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/run requirements/dev.lock
	$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

.venv/agents/done: requirements/agents.lock requirements/agents/package-lock.json | .venv/run
	$(BIN)/python -m venv --clear .venv/agents
	.venv/agents/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/agents.lock
	cp requirements/agents/package.json requirements/agents/package-lock.json .venv/agents/
	npm ci --prefix .venv/agents --ignore-scripts --no-audit --no-fund --silent
	@test -x .venv/agents/node_modules/.bin/goose || { echo 'npm passed over goose: no package of it for this system, or none in reach' >&2; exit 1; }
	@touch $@

.venv/openapi/done: requirements/openapi/package-lock.json | .venv/run
	@mkdir -p .venv/openapi
	cp requirements/openapi/package.json requirements/openapi/package-lock.json .venv/openapi/
	npm ci --prefix .venv/openapi --ignore-scripts --no-audit --no-fund --silent
	cd .venv/openapi/node_modules/@octokit/openapi/generated && find . -type f ! -name api.github.com.json -delete
	@touch $@

.venv/workflows/done: requirements/workflows/package-lock.json | .venv/run
	@mkdir -p .venv/workflows
	cp requirements/workflows/package.json requirements/workflows/package-lock.json .venv/workflows/
	npm ci --prefix .venv/workflows --ignore-scripts --no-audit --no-fund --silent
	@touch $@
