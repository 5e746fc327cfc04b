# The two commands a newcomer needs. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is never imported need not be compiled: a minute of the time of the installation.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile
PYTEST := --numprocesses auto --dist loadfile

.PHONY: demo test coverage style types docs mutate clean

demo: $(VENV)/.installed
	rm -rf demo-out
	$(BIN)/phq build examples/photos demo-out --size 256
	$(BIN)/phq report demo-out
	@echo "review   $(BIN)/phq review demo-out    opens the page to keep and reject"

test: $(VENV)/.installed-dev
	$(MAKE) --jobs 2 style types docs
	$(BIN)/python -m pytest $(PYTEST)

# Counting lines costs 1.7 times the processor time of the tests (Python 3.11): on its own, before a release.
coverage: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(PYTEST) --cov --cov-report=term:skip-covered

style: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/.installed-dev
	$(BIN)/mypy

# The documentation as a site, in site/; a broken link is an error.
docs: $(VENV)/.installed-dev
	DISABLE_MKDOCS_2_WARNING=true NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# Not part of the tests: plants small faults and reports which of them the tests see.
mutate: $(VENV)/.installed-dev
	$(BIN)/python tools/mutate.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(VENV)/bin/python
	@echo "installing phq and what it needs into $(VENV): some 400 MB, minutes"
	$(INSTALL) -e '.[report,review]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing the tools of the tests, torch among them, into $(VENV)"
	$(INSTALL) -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo-out build site *.egg-info
