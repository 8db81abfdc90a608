# The whole platform by two commands: `make up` runs it, `make test` tests it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PY := .venv/bin/python
BIN := .venv/bin
ARGS ?=
# Three test processes, for some of the tests wait for others to answer; each with servers of its own; servers that were given are not shared by two.
WORKERS ?= $(if $(DATABASE_URL)$(REDIS_URL),0,3)
# A pip that is here already need not be installed once more: that takes longer than everything it is needed for.
HOST_PIP := $(PYTHON) -m pip --python $(PY)
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet

.PHONY: help up test check evidence bench format lock

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: .venv/.local ## run the whole platform here: PORT (8000), BNPL_HOME (.bnpl), DATABASE_URL, REDIS_URL
	@exec $(PY) -m bnpl.stack

test: .venv/.dev ## run every test; ARGS="-k word" for some of them
	@if .ci/browser; then browser=(); else browser=(-m "not browser"); fi; \
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder "$${browser[@]}" $(ARGS)

# What is quick first, then the longest, so that `make -j2 check` has two at work to the end.
CHECK := code types house tests migrations settings
.PHONY: $(CHECK:%=check-%)
check: $(CHECK:%=check-%) ## formatting, lint, layers, house rules, types, migrations, API description, production settings
check $(CHECK:%=check-%): export BNPL_POSTURE = test

check-code: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

check-types: .venv/.dev
	$(BIN)/mypy

check-house: .venv/.dev # the rules that no tool knows
	$(PY) -m pytest -q tests/architecture/test_house_rules.py

check-tests: .venv/.dev # they can all be read; what is compiled for it is kept for every process of `make test`
	@told=$$(PYTHONDONTWRITEBYTECODE= $(PY) -m pytest --collect-only -qq) || { echo "$$told"; exit 1; }

check-migrations: .venv/.dev # and what is drawn and described from the code
	$(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(PY) manage.py draw --check
	$(PY) manage.py spectacular --validate --fail-on-warn --format openapi-json | diff -u docs/openapi.json - \
	  || { echo "docs/openapi.json is not what the code says."; exit 1; }

check-settings: .venv/.dev # those of production
	random() { $(PY) -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())'; }; \
	BNPL_POSTURE=production BASE_URL=https://bnpl.example SECRET_KEY="$$(random)$$(random)" \
	  DATABASE_URL=postgresql://app@db/bnpl REDIS_URL=redis://broker/0 \
	  PII_KEYS="k1:$$(random)" BLIND_INDEX_KEY="$$(random)" PROOF_KEYS="p1:$$(random)" \
	  SMS_BACKEND=check.sends.Nothing \
	  $(PY) manage.py check --deploy --fail-level WARNING

# Each piece starts servers of its own, so that `make -j2 evidence` runs two at a time.
EVIDENCE := crashes machine races planted kills simulation hostile overload sandbox browser settlement audit backup
.PHONY: $(EVIDENCE:%=evidence-%)
evidence: $(EVIDENCE:%=evidence-%) ## the long proof, hours of it; a piece alone: make evidence-crashes

evidence-crashes: .venv/.dev # killed at every point of every story, and twice
	CRASH_STRIDE=1 CRASH_PAIRS=105 $(PY) -m pytest tests/crashes -q -s $(ARGS)

evidence-machine: .venv/.dev # any life in any order, against a model
	MACHINE_EXAMPLES=420 MACHINE_STEPS=50 $(PY) -m pytest tests/machine -q -s $(ARGS)

evidence-races: .venv/.dev # two hands at once, two hundred times each
	RACE_ROUNDS=200 RACE_DUES=200 $(PY) -m pytest tests/races -q -s $(ARGS)

evidence-planted: .venv/.dev # known mistakes are noticed
	$(PY) -m tests.planted

evidence-kills: .venv/.dev # processes of the whole platform killed in earnest
	KILL_ROUNDS=20 KILL_ORDERS=2000 KILL_SPREAD=0 KILL_LONGEST_WAIT=120 KILL_TWIN_ORDERS=2000 ABSENT_SECONDS=60 \
	  KILL_DATABASES=5 KILL_LOAD_SECONDS=5 KILL_STOPS=3 KILL_LEASE=60 KILL_STOPPED_SECONDS=100 \
	  $(PY) -m pytest tests/kills -q -s $(ARGS)

evidence-simulation: .venv/.dev # ninety days of ten thousand orders, a hundred seeds
	SIMULATED_SEEDS=100 SIMULATED_ORDERS=10000 SIMULATED_DAYS=90 $(PY) -m pytest tests/simulation -q -s $(ARGS)

evidence-hostile: .venv/.dev # a hundred thousand requests and twenty-four thousand keys that are not right
	LOG_LEVEL=WARNING HOSTILE_SCHEMA=20500 HOSTILE_GENERATED=30500 HOSTILE_MUTATED=50000 HOSTILE_KEYS=12000 \
	  HOSTILE_SPLITS=1000000 $(PY) -m pytest tests/hostile tests/wire -q -s $(ARGS)

evidence-overload: .venv/.dev # a minute of three times too much; the machine should have little else to do
	OVERLOAD_SECONDS=60 OVERLOAD_MEASURED_SECONDS=10 OVERLOAD_PEOPLE=3000 OVERLOAD_GOODPUT=0.8 OVERLOAD_P99=1 OVERLOAD_SOON=2 OVERLOAD_WAITS=1 \
	  $(PY) -m pytest tests/overload -q -s $(ARGS)

evidence-sandbox: .venv/.dev # a clock's mover killed at a hundred points of its way
	CLOCK_KILL_STRIDE=6 CALENDAR_EDGES=3 LAST_STEP=P55D $(PY) -m pytest tests/sandbox -q -s $(ARGS)

evidence-settlement: .venv/.dev # sixty days of three hundred orders and ten thousand lines of a statement, to the cent
	SETTLED_ORDERS=300 STATEMENT_LINES=10000 $(PY) -m pytest tests/settlement tests/billing/test_reconcile.py -q -s $(ARGS)

evidence-audit: .venv/.dev # two hundred things done by a superuser to a hundred thousand lines of eight clients
	LOG_LEVEL=WARNING AUDIT_LINES=100000 AUDIT_TAMPERINGS=200 $(PY) -m pytest -n0 tests/kernel/test_audit.py -q -s $(ARGS)
evidence-backup: .venv/.dev # a bad UPDATE of the book, and a copy of the moment before that says what it was
	BACKUP_ORDERS=1000 $(PY) -m pytest -n0 tests/backup/drill.py -q -s $(ARGS)

evidence-browser: .venv/.dev # every page in every look; the pictures are kept in tmp/screenshots
	BROWSER_LOOKS=all $(PY) -m pytest tests/browser -q $(ARGS)

# Only ratios say anything: both sides are measured in turn. QUICK=1 for a look, ROUNDS and SECONDS_EACH for more.
BENCHES := orders_http sweeping lives webhooks postings settling exports statements growth growing growing_sets wal
bench: .venv/.bench .venv/.bare bench-recovery ## speed as ratios against what one writes first, goal by goal; and what the plan recovers: an hour
	TESTS_DURABLE=1 $(PY) -m pytest -n0 -q -s -W default $(BENCHES:%=benchmarks/%.py) $(ARGS)

.PHONY: bench-recovery
bench-recovery: .venv/.dev # what the plan recovers and how often it asks, beside a retry a day, on made-up people: some minutes; RECOVERY="--seeds 3"
	$(PY) -m benchmarks.recovery $(if $(QUICK),--seeds 1 --people 500) $(RECOVERY)

.PHONY: bench-flames
bench-flames: .venv/.dev # where the time goes of what has a goal: draws docs/pictures/flames-*.svg, and asks PostgreSQL of its part
	LOG_LEVEL=WARNING TESTS_DURABLE=1 $(PY) -m pytest -n0 -q -s -W default benchmarks/flames.py benchmarks/flames_sets.py $(ARGS)

.PHONY: bench-sandbox
bench-sandbox: # ninety days of a hundred orders on a platform that is running (make up)
	$(PY) -m benchmarks.sandbox $(ARGS)

.PHONY: bench-history
bench-history: .venv/.dev # the promise record of somebody with a hundred thousand orders of a million
	$(PY) -m pytest -n0 -q -s benchmarks/history.py $(ARGS)

.PHONY: bench-lists
bench-lists: .venv/.dev # the console's lists at a million orders; LISTED_ORDERS and ROUNDS for fewer
	$(PY) -m pytest -n0 -q -s benchmarks/lists.py $(ARGS)

.PHONY: bench-worklist
bench-worklist: .venv/.dev # the collections worklist and the queues at a million orders, fifty thousand of them overdue
	$(PY) -m pytest -n0 -q -s benchmarks/worklist.py $(ARGS)

.PHONY: bench-statements
bench-statements: .venv/.dev # a channel's statement of a million lines: seconds and memory; STATEMENT_LINES for fewer
	$(PY) -m pytest benchmarks/statements.py -q -s $(ARGS)

format: .venv/.dev ## format the code and mend what can be mended by machine
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/.uv ## pin and hash requirements/*.in; ARGS=--upgrade takes newer versions
	for name in base local dev bench; do $(BIN)/$(LOCK) $(ARGS) requirements/$$name.in -o requirements/$$name.txt; done
	$(BIN)/$(LOCK) $(ARGS) --no-deps requirements/fonts.in -o requirements/fonts.txt
	echo uv | $(BIN)/$(LOCK) $(ARGS) - -o requirements/uv.txt

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; say which one: make up PYTHON=python3.12"; exit 1; }
	@if $(PYTHON) -m pip --python "$$(command -v $(PYTHON))" --version >/dev/null 2>&1; then \
	  $(PYTHON) -m venv --without-pip .venv; \
	elif $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	  $(PYTHON) -m venv .venv; \
	else \
	  echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; \
	fi

.venv/.uv: requirements/uv.txt | .venv/bin/python
	@if [ -x .venv/bin/pip ]; then pip=($(PY) -m pip); else pip=($(HOST_PIP)); fi; \
	"$${pip[@]}" install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.venv/.local: requirements/local.txt requirements/fonts.txt .venv/.uv
	$(BIN)/uv pip install --quiet --python $(PY) --compile-bytecode --no-deps --require-hashes -r requirements/local.txt -r requirements/fonts.txt
	@touch $@

.venv/.dev: requirements/dev.txt requirements/fonts.txt .venv/.uv
	$(BIN)/uv pip install --quiet --python $(PY) --compile-bytecode --no-deps --require-hashes -r requirements/dev.txt -r requirements/fonts.txt
	@touch $@ .venv/.local

.venv/.bench: requirements/bench.txt .venv/.dev
	$(BIN)/uv pip install --quiet --python $(PY) --compile-bytecode --no-deps --require-hashes -r requirements/bench.txt
	@touch $@

# What a deployment has, and nothing of tests and tools.
.venv/.bare: requirements/base.txt .venv/.dev
	$(PYTHON) -m venv --without-pip .venv/bare
	$(BIN)/uv pip install --quiet --python .venv/bare/bin/python --compile-bytecode --no-deps --require-hashes -r requirements/base.txt
	@touch $@
