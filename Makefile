# OnAir: every target sets up what it needs.
PYTHON ?= python3
OUT ?= demo
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PYTAG := $(shell $(PYTHON) -c 'import sys; print("py%d%d" % sys.version_info[:2])')
STAMP := $(VENV)/.installed-$(PYTAG)
CLUSTERS := .clusters

.DEFAULT_GOAL := help
.PHONY: help setup protos lint types demo console screenshots test test-all clusters flink bench bench-train audit requirements clean

help:  ## Show this list.
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Create .venv with the pinned requirements of this Python (3.11 or 3.12).

# The environment is made anew for another Python, and after a set-up that broke off.
$(STAMP): requirements/development-$(PYTAG).txt requirements/uv.txt pyproject.toml protos/build_hook.py $(wildcard protos/onair/v1/*.proto)
	$(PYTHON) -m venv $(if $(wildcard $@),,--clear) $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --python $(PY) --no-deps --require-hashes -r requirements/development-$(PYTAG).txt
	$(BIN)/uv pip install --python $(PY) --quiet --no-deps --no-build-isolation -e .
	@touch $@

requirements/development-%.txt:
	@echo "PYTHON=$(PYTHON): expected Python 3.11 or 3.12, received $*" >&2; exit 1

protos: setup  ## Generate the protobuf modules again after a change of a .proto file.
	$(PY) protos/build_hook.py

lint: setup  ## Formatting and lint (ruff).
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup  ## Types (pyright: strict for the online code, basic for training and tests).
	$(BIN)/pyright --pythonpath $(PY)

demo: setup  ## The main job, from an event log to slates of a running stack. DATA=<event log>: on yours (FRACTIONS="0.7 0.1 0.2").
	$(if $(filter demo,$(OUT)),rm -rf demo)
	$(PY) -m training demo --out "$(OUT)" $(if $(DATA),--log "$(DATA)") $(if $(FRACTIONS),--fractions $(FRACTIONS))

console: setup  ## Serve what `make demo` made, with its console at http://127.0.0.1:8080/, until Ctrl-C.
	$(PY) -m training demo --out "$(OUT)" --serve

screenshots: setup  ## Take the pictures of the console's pages anew; needs a Chromium.
	ONAIR_SCREENSHOTS=docs/console $(BIN)/pytest -q tests/feature_service/console/test_console_browser.py -k pictures

test: setup  ## All tests that need this machine alone, about 25 minutes on two cores.
	$(BIN)/pytest

test-all: test clusters  ## Those, and the tests on a real HDFS, Kafka broker and S3-compatible server; needs Maven and Java 17.
	$(BIN)/pytest tests/clusters

clusters: setup  ## Fetch those servers, held to their checksums.
	bash tests/clusters/install.sh $(BIN)/uv $(CLUSTERS)

flink: clusters  ## The Flink job through a real Kafka, beside the embedded worker. EVENTS=1000000, KILL=1: kill a TaskManager.
	$(PY) -m tests.clusters.flink_beside_worker $(if $(EVENTS),--events $(EVENTS)) $(if $(KILL),--kill)

bench: setup  ## Recommend beside bare Predicts, replay rate, start-up, memory; about five minutes. JSON=<file>.
	$(PY) -m tests.benchmarks $(if $(JSON),--json "$(JSON)")

bench-train: setup  ## Training throughput beside DeepCTR, DeepCTR-torch, LibRecommender and plain Keras. TASKS="mmoe", JSON=<file>.
	bash tests/benchmarks/training/peers/install.sh $(BIN)/uv .peers
	$(PY) -m tests.benchmarks.training $(TASKS) $(if $(JSON),--json "$(JSON)")

audit: setup  ## Known vulnerabilities of the pinned requirements (pip-audit); needs the open network.
	$(BIN)/uv tool run pip-audit==2.10.1 --disable-pip --require-hashes \
		$(foreach file,$(wildcard requirements/*-py31[12].txt),-r $(file))

requirements: setup  ## Compile the hash-pinned requirement files again.
	bash requirements/compile.sh

clean:  ## Remove what the targets made.
	rm -rf $(VENV) .peers $(CLUSTERS) demo runs build dist .pytest_cache .ruff_cache
