# Plain `make` lists the verbs. Every recipe is one line: `python -m churnlib` does the work.

STUDY ?= streamflow

PYTHON_HERE := .venv/bin/python
CHURN := $(PYTHON_HERE) -m churnlib
FORCED = $(if $(filter-out 0 no false,$(FORCE)),--force)
RUN = $(CHURN) run --study '$(STUDY)' $(FORCED) $(addprefix --cell-timeout ,$(TIMEOUT))
LOCK := $(PYTHON_HERE) -m uv pip compile --quiet --universal --generate-hashes --no-header \
	--no-emit-index-url --group dev pyproject.toml

# uv takes the Python that was found, and trusts the certificates that this machine trusts, as pip does.
UV_SYSTEM_CERTS ?= true
export UV_SYSTEM_CERTS
export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help run data search finalize registry lineage lab ui report diff test check format bench lock env clean

##@ The pipeline (STUDY=streamflow picks the study, FORCE=1 runs all, TIMEOUT=600 ends a longer cell)

run: env  ## All five phases, as far as they are not up to date
	@$(RUN)

data: env  ## Make, check, split and fingerprint the table
	@$(RUN) --phase data

search: env  ## Train and record every candidate, after data
	@$(RUN) --phase search

finalize: env  ## Retrain the winner, choose its threshold, judge it on the test split, after search
	@$(RUN) --phase finalize

registry: env  ## Register the candidate, point the alias, compare predictions, after finalize
	@$(RUN) --phase registry

lineage: env  ## Walk from the champion back to its data and recompute every link, after registry
	@$(RUN) --phase lineage

##@ Looking

lab: env  ## JupyterLab on this machine, with the notebooks
	@$(CHURN) lab

ui: env  ## MLflow's pages on the recorded runs
	@$(CHURN) ui

report: env  ## One page that links every executed notebook
	@$(CHURN) report

diff: env  ## What differs between two executed notebooks: make diff A=one.ipynb B=other.ipynb
	$(if $(and $(A),$(B)),,$(error make diff needs two executed notebooks: make diff A=one.ipynb B=other.ipynb))
	@$(CHURN) diff '$(A)' '$(B)'

##@ Working on the code

test: env  ## All tests
	@$(PYTHON_HERE) -m pytest --numprocesses 2 --dist loadfile --quiet --durations 10

check: env  ## Lint, types, stripped notebooks, and the lock in step with pyproject.toml
	@$(PYTHON_HERE) -m ruff check --quiet .
	@$(PYTHON_HERE) -m ruff format --check --quiet .
	@$(PYTHON_HERE) -m mypy --no-error-summary
	@$(PYTHON_HERE) -m nbstripout --keep-id --verify notebooks/*.ipynb
	@cp requirements.lock .venv/requirements.lock && $(LOCK) -o .venv/requirements.lock
	@diff requirements.lock .venv/requirements.lock || { echo 'requirements.lock is stale: run make lock' >&2; exit 1; }

format: env  ## Format the code, mend what ruff can mend, strip the notebooks
	@$(PYTHON_HERE) -m ruff format --quiet .
	@$(PYTHON_HERE) -m ruff check --quiet --fix .
	@$(PYTHON_HERE) -m nbstripout --keep-id notebooks/*.ipynb

bench: env  ## Time what the project promises to be fast
	@$(PYTHON_HERE) -m bench

##@ The environment

env: ## Fill .venv from requirements.lock (every verb does it when needed)
	@$(PYTHON_HERE) tools/set_up.py --is-current 2>/dev/null || { python=$$(sh tools/find_python.sh) && "$$python" tools/set_up.py; }

lock: env  ## Follow pyproject.toml in requirements.lock (UPGRADE=pandas takes its newest version)
	@$(LOCK) $(addprefix --upgrade-package ,$(UPGRADE)) -o requirements.lock

clean:  ## Remove build/ and caches; the recorded runs and .venv stay
	@rm -rf build .mypy_cache .ruff_cache .pytest_cache && find . -path ./.venv -prune -o -name __pycache__ -prune -exec rm -rf {} +

help:  ## This list
	@awk 'BEGIN { FS = ":.*## *" } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile
