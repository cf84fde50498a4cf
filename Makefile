# Two commands for a fresh machine with Python 3.11+, make and git:
#   make demo    set up, then: snakemake results/tiny/report.html
#   make test    set up, then every check
# and, while something trains: make heartbeat    how the runs are doing (PLACES="results s3://bucket/mirror")
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test setup lint unit docs heartbeat

demo: setup
	@echo "== running the pipeline on the built-in testbed"
	$(BIN)/snakemake results/tiny/report.html
	@echo "== done: open results/tiny/report.html in a browser"

test: setup lint unit

setup: $(READY)

$(READY): requirements.txt
	@echo "== making a virtual environment in $(VENV) ($$($(PYTHON) --version))"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "wake2vec needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "== installing the pinned packages (a few minutes the first time)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $(READY)

lint: setup
	@echo "== ruff, snakefmt, snakemake --lint"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check --compact-diff Snakefile rules
	$(BIN)/snakemake --lint

unit: setup
	@echo "== tests"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --no-loadscope-reorder --durations=12

# the generated parts of config/: run after changing wake2vec/settings/
docs: setup
	$(BIN)/python -m wake2vec.config_docs

# does not set up: that would change the packages under a run. What it finds to be wrong is no error of make's
heartbeat:
	@test -x $(BIN)/python || { echo "wake2vec is not set up here: run make setup first"; exit 1; }
	@$(BIN)/python -m wake2vec.heartbeat $(PLACES) || test $$? -eq 3
