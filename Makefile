# Every target does its own set-up. On a fresh clone, `make serve` and `make test` are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The package and its dependencies, which is all that `make serve` needs.
SERVING := $(VENV)/.serving
# The extras test, dev and bench on top, in the same virtual environment.
TESTING := $(VENV)/.testing
SKIPPED := $(VENV)/skipped-tests
# These tests time servers, so they run one after the other. All other tests run side by side.
ALONE := tests/bench tests/faults/canary tests/faults/floods
BINARY_VENV := .venv-binary
BINARY_STAMP := $(BINARY_VENV)/.installed
LOCK := packaging/requirements.lock
# The events and tasks of `make serve` are kept here. Each port has a directory of its own.
STATE := .state
# A shell function: whether a setting has no value, neither in the environment nor in .env.
IS_UNSET := is_unset() { ! { env; cat .env; } 2>/dev/null | grep -Eiq \
	"^[[:space:]]*(export[[:space:]]+)?$$1[[:space:]]*=[[:space:]]*[^[:space:]]"; }
CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "$(PYTHON) is not Python 3.11 or later. Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

# With this variable, each of the hundreds of servers that tests start would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help serve test lint check soak binary lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A changed pyproject.toml makes both stamps out of date, so the next target installs again.
$(SERVING): pyproject.toml
	@$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP_INSTALL) --editable .
	@touch $@

$(TESTING): $(SERVING)
	$(BIN)/python $(PIP_INSTALL) --editable '.[test,dev,bench]'
	@touch $@

# These two defaults make the first steps better: a restart loses nothing, and digest_tree has files.
serve: $(SERVING) ## Install what serving needs, then serve on http://127.0.0.1:5000
	@$(IS_UNSET); \
	if is_unset SSE_STATE_DIR; then \
		mkdir -p -m 700 $(STATE); export SSE_STATE_DIR=$(STATE)/$(or $(PORT),5000); fi; \
	if is_unset FLASK_ENV && is_unset TASK_FILES_ROOT; then export TASK_FILES_ROOT=.; fi; \
	exec $(BIN)/sse-monolith serve

test: $(TESTING) ## Install the test tools, then run every test with branch coverage
	$(BIN)/python -m coverage erase
	@rm -f $(SKIPPED)
	SKIPPED_TESTS_FILE=$(SKIPPED) $(BIN)/python -m coverage run -m pytest \
		--numprocesses auto --dist loadfile --no-loadscope-reorder $(ALONE:%=--ignore %)
	SKIPPED_TESTS_FILE=$(SKIPPED) $(BIN)/python -m coverage run -m pytest $(ALONE)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=95
	@cat $(SKIPPED)

lint: $(TESTING) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint ## Check style and types, then run every test
	$(MAKE) test

soak: $(TESTING) ## Run a million events beside attackers for ten minutes; fail if memory grows
	$(BIN)/python -m tests.faults.soak

# A separate virtual environment that holds exactly the packages of the lock file.
$(BINARY_STAMP): $(LOCK)
	@$(CHECK_PYTHON)
	$(PYTHON) -m venv --clear $(BINARY_VENV)
	$(BINARY_VENV)/bin/python $(PIP_INSTALL) --require-hashes --no-deps --requirement $(LOCK)
	@touch $@

binary: $(BINARY_STAMP) ## Build dist/sse-monolith, one file that needs no Python to run
	packaging/build.sh $(BINARY_VENV)/bin/python

lock: ## Update the binary's dependencies in packaging/requirements.lock
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python $(PIP_INSTALL) pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile --quiet --upgrade \
		--generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --extra redis --output-file $(LOCK) \
		packaging/requirements.in pyproject.toml

clean: ## Remove everything that these commands created
	rm -rf $(VENV) $(BINARY_VENV) $(STATE) build dist *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
