# Each target does its own set-up: on a fresh clone, `make serve` and `make test` are enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SKIPPED := $(VENV)/skipped-tests
# Here servers are timed: these tests run one after the other, all others side by side.
ALONE := tests/bench tests/faults/canary tests/faults/floods
BINARY_VENV := .venv-binary
BINARY_STAMP := $(BINARY_VENV)/.installed
LOCK := packaging/requirements.lock

.DEFAULT_GOAL := help
.PHONY: help serve test check soak binary lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; say which with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,dev,bench]'
	@touch $@

serve: $(STAMP) ## Set up if needed, then run the backend on http://127.0.0.1:5000
	$(BIN)/sse-monolith serve

test: $(STAMP) ## Set up if needed, then run every test, with branch coverage
	$(BIN)/python -m coverage erase
	@rm -f $(SKIPPED)
	SKIPPED_TESTS_FILE=$(SKIPPED) $(BIN)/python -m coverage run -m pytest \
		--numprocesses auto --dist loadfile --no-loadscope-reorder $(ALONE:%=--ignore %)
	SKIPPED_TESTS_FILE=$(SKIPPED) $(BIN)/python -m coverage run -m pytest $(ALONE)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=95
	@cat $(SKIPPED)

check: $(STAMP) ## Style, types, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) test

soak: $(STAMP) ## Ten minutes, a million events, attackers beside them: nothing may grow
	$(BIN)/python -m tests.faults.soak

# A virtualenv of its own, with what the lock says and nothing else.
$(BINARY_STAMP): $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; say which with make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv --clear $(BINARY_VENV)
	$(BINARY_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --requirement $(LOCK)
	@touch $@

binary: $(BINARY_STAMP) ## Build dist/sse-monolith: one file, and no Python where it runs
	packaging/build.sh $(BINARY_VENV)/bin/python

lock: ## Choose anew what the binary is made of, in packaging/requirements.lock
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile --quiet --upgrade \
		--generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
		--no-emit-find-links --no-emit-trusted-host --output-file $(LOCK) \
		packaging/requirements.in pyproject.toml

clean: ## Remove what was made
	rm -rf $(VENV) $(BINARY_VENV) build dist *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
