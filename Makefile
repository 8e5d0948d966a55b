# make demo    compile the example network and run it on emulated boards
# make test    everything that is checked: style, types, tests
# Both set up what they need: a virtual environment in .venv, to which `make test` adds what only tests use, and the Arm
# compiler and emulator (scripts/get_tools.sh).

CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
IS_RECENT := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON := $(shell for p in $(CANDIDATES); do $$p -c "$(IS_RECENT)" 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: demo test check lint types tests tools clean
.DELETE_ON_ERROR:

demo: .venv/demo tools
	$(BIN)/python examples/demo.py

test: tools check tests

check: lint types

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/test
	$(BIN)/mypy --strict

tests: .venv/test tools
	$(BIN)/pytest -n 2 --dist worksteal

tools: .venv/demo
	@scripts/get_tools.sh

.venv/demo: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: apt install python3 python3-venv" >&2; exit 3; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/test: .venv/demo
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	@touch $@

clean:
	rm -rf .venv .tools build dist
