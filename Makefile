# `make help` lists the targets. One OpenMP thread a process: two chapters run side by side instead.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export OMP_NUM_THREADS := 1
export ABPLIB_STATIC := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

JOBS ?= 2
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 || continue; \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
PYTEST := $(PY) -m pytest
NBVAL := $(PYTEST) -p tests.book.tolerance --nbval -n $(JOBS) --dist loadscope \
	--nbval-sanitize-with tests/book/sanitize.cfg --nbval-cell-timeout 300 -W ignore -q
CHAPTERS = $(shell $(PY) book/_tools/notebooks.py)
HTML := _build/html/index.html

.PHONY: help setup book html test test-fast unit nbval browser lint bench colab stamp clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(READY)  ## make .venv with the pinned toolchain

$(READY): requirements.txt pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or later is needed and was not found." \
		"Install it, or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual" \
		"environments: install its venv package (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) -V)"
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install -q -r requirements.txt
	@PYTHONWARNINGS=ignore $(PY) -m pip install -q --no-deps -e .
	@touch $@

book: setup  ## execute every chapter (preset book), then build the pages
	$(PY) book/_tools/run.py --jobs $(JOBS)
	@$(MAKE) --no-print-directory html

html: setup  ## build the pages from the committed outputs, warnings as errors
	@rm -rf _build/html
	@$(VENV)/bin/jupyter-book build . -W -n --keep-going -q >_build.log 2>&1 \
		|| { grep -v '^$$' _build.log; exit 1; }
	@rm -f _build.log
	@echo "open file://$(CURDIR)/$(HTML)"

test: setup  ## everything: units, every chapter again, lint, pages, browser
	@$(MAKE) --no-print-directory unit lint
	@$(MAKE) --no-print-directory nbval
	@$(MAKE) --no-print-directory html
	@$(MAKE) --no-print-directory browser

test-fast: setup  ## under two minutes: the quick units and the lint
	$(PYTEST) -q -m "not slow" -n $(JOBS) tests/unit tests/book --doctest-modules abplib
	@$(MAKE) --no-print-directory lint

unit: setup  ## unit tests, the doctests of abplib, the tests of the book's form
	$(PYTEST) -q -n $(JOBS) tests/unit tests/book --doctest-modules abplib

nbval: setup  ## execute every chapter again and compare with what is committed
	$(NBVAL) $(CHAPTERS)

browser: setup  ## the built pages in Chromium, both colour schemes, desktop and phone
	$(PYTEST) -q -rs -n $(JOBS) tests/browser

lint: setup  ## ruff, mypy, the form of the chapters, the stamped address
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check -q .
	@$(PY) -m mypy
	@$(PY) book/_tools/lint.py
	@$(PY) book/_tools/stamp.py --check

bench: setup  ## time a Langevin step and an iteration
	$(PY) benchmarks/langevin.py

colab: setup  ## every chapter in a stand-in for Google Colab
	$(PY) tests/colab/stand_in.py

stamp: setup  ## write the repository's address and the set-up cell everywhere
	@$(PY) book/_tools/stamp.py

clean:  ## remove what was built; keep .venv
	rm -rf _build _build.log build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .colab
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
