# Everything a developer needs; only python3 (3.11 or later), pip, git and make are taken for granted.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test lint format docs bench soak clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    install into $(VENV) and take the tour, the published table and two designs of examples/"
	@echo "make test    run all tests"
	@echo "make lint    ruff, ruff format, mypy --strict, import-linter"
	@echo "make format  let ruff format and sort"
	@echo "make docs    write docs/cli.md and docs/wire.md anew from commands and field tables"
	@echo "make bench   measure speed (UET_HTSIM_BIN=path compares with uet-htsim)"
	@echo "make soak    long random runs of the transport engine"
	@echo "make clean   remove $(VENV), caches and runs"

# rebuilt only when the list of dependencies changes: the project itself is installed editable
$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/uet tour examples/hammingmesh-small.yaml --out runs/demo --force --verbose
	$(BIN)/uet tradeoff examples/hammingmesh-table.yaml --out runs/table --force --verbose
	$(BIN)/uet design examples/design-gpt3.yaml --time-limit 45 --out runs/design-gpt3 --force --verbose
	$(BIN)/uet design examples/design-moe.yaml --time-limit 45 --out runs/design-moe --force --verbose

test: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	$(BIN)/python -m uet.cli.reference > docs/cli.md
	$(BIN)/python -m uet.transport.wire.reference > docs/wire.md

clean:
	rm -rf $(VENV) runs dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

bench: $(STAMP)
	for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

soak: $(STAMP)
	$(BIN)/python -m pytest -m soak
