# Two commands are all a newcomer needs: `make demo` and `make test`. Both create the environment first.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin

# LightFM is compiled here: without -march=native and -ffast-math its numbers are the same on every machine.
export LIGHTFM_NO_CFLAGS = 1

.DEFAULT_GOAL := help
.PHONY: help demo test quick torture check format docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

$(VENV)/installed: pyproject.toml constraints/run.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "bakeoff needs Python 3.11 to 3.13")'
	@command -v $${CC:-cc} >/dev/null || { echo "bakeoff needs a C compiler to build LightFM (Debian: apt-get install build-essential)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --constraint constraints/run.txt --editable .
	touch $@

$(VENV)/tested: $(VENV)/installed constraints/test.txt constraints/test-oracles.txt
	$(RUN)/pip install --quiet --requirement constraints/test.txt
	$(RUN)/pip install --quiet --no-deps --requirement constraints/test-oracles.txt
	touch $@

$(VENV)/documented: $(VENV)/installed constraints/docs.txt
	$(RUN)/pip install --quiet --requirement constraints/docs.txt
	touch $@

demo: $(VENV)/installed ## the main job on the embedded simulated data: a table, and the path of the report
	$(RUN)/bakeoff run experiment=demo

test: $(VENV)/tested ## format, lint, types and the tests
	$(RUN)/ruff format --check src tests bench
	$(RUN)/ruff check src tests bench
	$(RUN)/lint-imports
	$(RUN)/mypy
	$(RUN)/python -m pytest --numprocesses auto --dist worksteal

quick: $(VENV)/tested ## the fast tests
	$(RUN)/python -m pytest --numprocesses auto --dist worksteal -m "not slow and not long"

MINUTES ?= 5
torture: $(VENV)/tested ## the long tests, and runs killed, terminated and interrupted at random moments (MINUTES=5)
	$(RUN)/python -m pytest --numprocesses auto --dist worksteal -m long
	$(RUN)/python tests/torture.py $(MINUTES) $(SEED)

check: $(VENV)/tested ## format, lint and types
	$(RUN)/ruff format --check src tests bench
	$(RUN)/ruff check src tests bench
	$(RUN)/lint-imports
	$(RUN)/mypy

format: $(VENV)/tested ## format, and mend what the linter can
	$(RUN)/ruff format src tests bench
	$(RUN)/ruff check --fix src tests bench

docs: $(VENV)/documented ## the documentation site, in docs/_build/html
	$(RUN)/python -m sphinx --quiet --fail-on-warning --keep-going -b html docs docs/_build/html

clean: ## remove the environment and the site
	rm -rf $(VENV) docs/_build docs/reference/options.md
