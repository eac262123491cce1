# Plain `make` lists the verbs. Every recipe is one line: `python -m churnlib` does the work.

STUDY ?= streamflow

PYTHON_HERE := .venv/bin/python
CHURN := $(PYTHON_HERE) -m churnlib
FORCED = $(if $(filter-out 0 no false,$(FORCE)),--force)
SEARCHED = $(if $(FAMILIES),--families '$(FAMILIES)') $(if $(METHOD),--method '$(METHOD)') $(addprefix --trials ,$(TRIALS))
RUN = $(CHURN) run --study '$(STUDY)' $(FORCED) $(SEARCHED) $(addprefix --cell-timeout ,$(TIMEOUT))
ABOUT = --study '$(STUDY)' --version '$(or $(VERSION),$(error which version? make $@ VERSION=2))'
ABOUT_STUDY = --study '$(STUDY)' $(if $(filter-out 0 no false,$(JSON)),--json)
LOCK := $(PYTHON_HERE) -m uv pip compile --quiet --universal --generate-hashes --no-header \
	--no-emit-index-url --group dev --group server pyproject.toml

# uv takes the Python that was found, and trusts the certificates that this machine trusts, as pip does.
UV_SYSTEM_CERTS ?= true
export UV_SYSTEM_CERTS
export UV_PYTHON_DOWNLOADS := never

# A reason is free text: it goes through the environment, where neither make nor the shell reads it.
unexport REASON WHO
ifdef REASON
export CHURN_REASON := $(value REASON)
endif
ifdef WHO
export CHURN_WHO := $(value WHO)
endif

# Run once more with kernels that import for themselves: what comes out must be the same.
WITH_KERNELS := tests/notebooks/test_execute.py tests/system/test_default_study.py tests/system/test_three_ways.py \
	tests/system/test_verify.py

.DEFAULT_GOAL := help
.PHONY: help run data search finalize registry lineage compare reproduce verify lab ui report warm server user backup restore move diff test test-system check format bench lock env clean
.PHONY: doctor champion history approve validate promote reject rollback archive reconcile audit

##@ The pipeline (STUDY=streamflow picks the study, FORCE=1 runs all, TIMEOUT=600 ends a longer cell)

run: env  ## All five phases, lineage among them, as far as they are not up to date
	@$(RUN)

data: env  ## Make, check, split and fingerprint the table
	@$(RUN) --phase data

search: env  ## Let families compete, after data; FAMILIES=logistic,xgboost METHOD=bayes TRIALS=50 in place of the YAML
	@$(RUN) --phase search

finalize: env  ## Retrain the winner, choose its threshold, judge it on the test split, after search
	@$(RUN) --phase finalize

registry: env  ## Register the candidate, point the alias, compare predictions, after finalize
	@$(RUN) --phase registry

##@ The three questions (each answers with a report, one screen, and JSON=1 for another program)

lineage: env  ## What exactly is in production? Recomputed; VERSION=3 any version, AS_OF=2026-08-22 any past moment
	@$(CHURN) lineage $(ABOUT_STUDY) $(addprefix --version ,$(VERSION)) $(if $(AS_OF),--as-of '$(AS_OF)')

compare: env  ## How does it compare? SINCE=90d, or A=2 B=champion: versions, aliases, days, run ids
	@$(CHURN) compare $(ABOUT_STUDY) $(if $(SINCE),--since '$(SINCE)') $(if $(A),--a '$(A)') $(if $(B),--b '$(B)')

reproduce: env  ## Can we reproduce it? From the record alone; VERSION=3 another version, HERE=1 in this environment
	@$(CHURN) reproduce $(ABOUT_STUDY) $(addprefix --version ,$(VERSION)) $(if $(filter-out 0 no false,$(HERE)),--here)

verify: env  ## Run all five notebooks again in scratch space and compare every declared output
	@$(CHURN) verify $(ABOUT_STUDY)

##@ The champion (REASON="why" goes on the ledger; WHO=you, else CHURN_WHO or the user at this machine)

champion: env  ## Who is champion, and why; AS_OF=2026-08-22 (its end) or 2026-08-22T14:00 (UTC): who was
	@$(CHURN) champion --study '$(STUDY)' $(if $(AS_OF),--as-of '$(AS_OF)')

history: env  ## What happened to the model, event by event; ALL=1 shows void events, too
	@$(CHURN) history --study '$(STUDY)' $(if $(filter-out 0 no false,$(ALL)),--all)

approve: env  ## Let a version through whose validation passed: make approve VERSION=2 REASON="why"
	@$(CHURN) approve $(ABOUT)

validate: env  ## Hold a version against the present champion again: make validate VERSION=2
	@$(CHURN) validate $(ABOUT)

promote: env  ## Make an approved version champion: make promote VERSION=2
	@$(CHURN) promote $(ABOUT)

reject: env  ## Refuse a version: make reject VERSION=2 REASON="why"
	@$(CHURN) reject $(ABOUT)

rollback: env  ## Give the alias back to the champion before: make rollback REASON="why"
	@$(CHURN) rollback --study '$(STUDY)'

archive: env  ## Set a version aside for good: make archive VERSION=2 REASON="why"
	@$(CHURN) archive $(ABOUT)

reconcile: env  ## Put aliases back that were moved by hand: make reconcile REASON="why"
	@$(CHURN) reconcile --study '$(STUDY)'

audit: env  ## Check everything that the ledger refers to; fails if anything was tampered with
	@$(CHURN) audit --study '$(STUDY)'

##@ Looking

doctor: env  ## Look at the set-up and say what to do; FIX=1 closes runs whose process on this host is gone
	@$(CHURN) doctor $(ABOUT_STUDY) $(if $(filter-out 0 no false,$(FIX)),--fix)

lab: env  ## JupyterLab on this machine, with the notebooks
	@$(CHURN) lab

ui: env  ## MLflow's pages on the recorded runs
	@$(CHURN) ui

report: env  ## One page that links every executed notebook
	@$(CHURN) report

warm: env  ## Keep a process that has imported everything, so that commands start at once; END=1 ends it
	@$(CHURN) warm $(if $(filter-out 0 no false,$(END)),--end)

diff: env  ## What differs between two executed notebooks: make diff A=one.ipynb B=other.ipynb
	$(if $(and $(A),$(B)),,$(error make diff needs two executed notebooks: make diff A=one.ipynb B=other.ipynb))
	@$(CHURN) diff '$(A)' '$(B)'

##@ For a team (the servers' data lie in .server/, or where CHURN_SERVER_HOME says)

server: env  ## PostgreSQL, object store and MLflow with sign-in on this machine; STATUS=1 asks them, END=1 ends them
	@$(CHURN) server $(if $(filter-out 0 no false,$(END)),--end) $(if $(filter-out 0 no false,$(STATUS)),--status)

user: env  ## Let somebody in, signed in as an administrator: make user NAME=ann ROLE=scientist (reader, approver)
	@$(CHURN) user --name '$(NAME)' --role '$(ROLE)'

backup: env  ## Copy all that the servers hold while they are in use: make backup TO=folder (a new one)
	@$(CHURN) backup --to '$(or $(TO),$(error where? make backup TO=folder))'

restore: env  ## Make servers of a backup, in an empty CHURN_SERVER_HOME: make restore FROM=folder
	@$(CHURN) restore --from '$(or $(FROM),$(error which? make restore FROM=folder))'

move: env  ## Take a study's record there: make move FROM=sqlite:///mlflow.db TO=http://127.0.0.1:5000, as an administrator
	@$(CHURN) move --from '$(FROM)' --to '$(TO)' --study '$(STUDY)'

##@ Working on the code

test: env  ## All tests but those that start servers
	@$(PYTHON_HERE) -m pytest --numprocesses 2 --dist loadfile --quiet --durations 10 --ignore tests/team
	@CHURN_WARM=0 $(PYTHON_HERE) -m pytest --numprocesses 2 --dist loadfile --quiet $(WITH_KERNELS)

test-system: env  ## The tests on real servers: PostgreSQL, an object store, MLflow with sign-in
	@$(PYTHON_HERE) -m pytest --numprocesses 2 --dist loadfile --quiet --durations 10 tests/team

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
	@awk 'BEGIN { FS = ":.*## *" } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile
