# The one front of the project. Everything works from nothing but Python 3.11+; `make` alone lists what there is.

PYTHON ?= python3
EXTRAS ?=
TESTERS ?= auto
VENV   := .venv
BIN    := $(VENV)/bin
COMMA  := ,
NAME    = $(if $(EXTRAS),$(subst $(COMMA),-,$(EXTRAS)),base)

DEBIAN_PACKAGES := stilts postgresql

.DEFAULT_GOAL := help
.PHONY: help install demo test test-full lint format types docs bench lock system-deps clean

help:
	@echo "make install [EXTRAS=test,docs,dev]  make $(VENV) from requirements.lock"
	@echo "make demo         find the sources of the bundled map; writes ./demo"
	@echo "make test         the tests (minutes); TESTERS=N processes, as many as cores by default"
	@echo "make test-full    the tests that need other programs or more time"
	@echo "make lint types   ruff; mypy"
	@echo "make format       let ruff lay out the code"
	@echo "make docs         the pages, into docs/_build/html"
	@echo "make bench        measure against other finders; writes bench/RESULTS.md"
	@echo "make lock         resolve the newest versions into requirements.lock"
	@echo "make system-deps  Debian packages that test-full uses: $(DEBIAN_PACKAGES)"
	@echo "make clean        remove what all of these made"

# -- the environment: one stamp per set of extras, so that nothing is installed twice

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "skysift needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version 2>&1`. Try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "No virtual environment could be made; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/stamp-%: pyproject.toml requirements.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock \
		-e '.$(if $(filter-out base,$*),[$(subst -,$(COMMA),$*)])'
	@touch $@

install: $(VENV)/stamp-$(NAME)

# -- use and tests

demo: $(VENV)/stamp-base
	$(BIN)/skysift find src/skysift/data/fornax_a.fits.fz --out demo --overwrite
	@echo "Open demo/report.html"

# pytest ends with 5 when no test was chosen; that is no failure
test: $(VENV)/stamp-test
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile -m "not full" || [ $$? -eq 5 ]

test-full: $(VENV)/stamp-test
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile -m full || [ $$? -eq 5 ]

lint: $(VENV)/stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/stamp-dev
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

types: $(VENV)/stamp-dev
	$(BIN)/mypy

docs: $(VENV)/stamp-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(VENV)/stamp-test
	$(BIN)/python -m bench

# -- upkeep

lock: | $(BIN)/python
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	{ echo "# Exact versions of everything, for all extras; used as constraints (make install). Made by make lock."; \
		$(VENV)-lock/bin/python -m pip freeze --disable-pip-version-check --exclude skysift | LC_ALL=C sort -f; } > requirements.lock
	rm -rf $(VENV)-lock

system-deps:
	@missing=; for package in $(DEBIAN_PACKAGES); do \
		dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then echo "system packages: all there"; \
	elif ! command -v apt-get >/dev/null; then echo "Install by your system's means:$$missing"; exit 1; \
	elif [ "`id -u`" != 0 ]; then echo "Run as root: apt-get install --no-install-recommends$$missing"; exit 1; \
	else apt-get update -q && apt-get install -q -y --no-install-recommends $$missing; fi

clean:
	rm -rf $(VENV) $(VENV)-lock demo docs/_build docs/reference/generated build dist \
		.mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
