# Needs Python 3.11 or newer and make; everything else goes into $(VENV).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-to-run
DEVELOP := $(VENV)/.installed-to-develop
PYTEST := pytest -m "not browser and not long" --numprocesses 2 --dist loadfile --no-loadscope-reorder
PURE := src/mirror_addon/istio/*,src/mirror_addon/routing/*,src/mirror_addon/compare/*,src/mirror_addon/envoy/*,src/mirror_addon/gateway_api/*

.PHONY: help install demo demo-web test test-browser test-long coverage coverage-pure check docs format bench fuzz soak \
	package release clean

help:
	@echo "make demo          the worked example, a line for each request"
	@echo "make demo-web      the same, left open in mitmweb"
	@echo "make test          all tests that need nothing but Python"
	@echo "make coverage      the same, with the coverage of branches, child processes included"
	@echo "make check         format, lint, types, and the design's arrows"
	@echo "make docs          the documentation as a site in build/site; its reference is generated first"
	@echo "make format        put the format right"
	@echo "make package       sdist and wheel, tried in a clean environment"
	@echo "make release VERSION=X.Y.Z   changelog, version, commit, tag, and what make package does"
	@echo "make fuzz          one fuzz target until it is stopped: make fuzz TARGET=rules"
	@echo "make soak          an hour of mixed faults, the books checked ten times a second"
	@echo "make bench         throughput, latency and memory, with the mirror and without"
	@echo "make clean         remove $(VENV) and caches"

install: $(RUN)

$(RUN): pyproject.toml src/mirror_addon/_version.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mirror_addon needs Python 3.11 or newer; say which: make PYTHON=python3.13")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(DEVELOP): $(RUN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,check,browser,docs]'
	touch $@

demo: $(RUN)
	$(BIN)/mirror-addon demo

demo-web: $(RUN)
	$(BIN)/mirror-addon demo --web

test: $(DEVELOP)
	$(BIN)/python -m $(PYTEST) $(ARGS)

test-browser: $(DEVELOP)
	$(BIN)/python -m pytest -m browser $(ARGS)

test-long: $(DEVELOP)
	$(BIN)/python -m pytest -m long $(ARGS)

# A process that is killed while it writes leaves a file that `combine` warns of and skips.
coverage: $(DEVELOP)
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m $(PYTEST) $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under 95
	$(BIN)/python -m coverage report --fail-under 100 --include '$(PURE)'

# The pure rooms alone, by their own tests: a minute.
coverage-pure: $(DEVELOP)
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m $(PYTEST) tests/istio tests/gateway_api tests/routing tests/envoy tests/compare $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered --fail-under 100 --include '$(PURE)'

check: $(DEVELOP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports

# Strict: a link or an anchor that leads nowhere, or a page without a place, fails.
docs: $(DEVELOP)
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict --quiet --clean

format: $(DEVELOP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

TARGET ?= frames
fuzz: $(DEVELOP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m fuzz $(TARGET) $(ARGS)

SOAK_SECONDS ?= 3600
soak: $(DEVELOP)
	SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/python -m pytest -m long tests/live/test_soak.py $(ARGS)

bench: $(DEVELOP)
	$(BIN)/python -m bench

package:
	.ci/package $(PYTHON)

release:
	$(PYTHON) .ci/release.py $(VERSION)
	.ci/package $(PYTHON)
	@echo "Next: git push --follow-tags, and twine upload dist/*"

clean:
	rm -rf $(VENV) dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
