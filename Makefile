# Two commands for the whole platform: `make up` runs it, `make test` tests it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
PY := .venv/bin/python
BIN := .venv/bin
ARGS ?=
# Three test processes, since some tests wait for servers; each process starts its own. Servers given by the environment are not shared: one process.
WORKERS ?= $(if $(DATABASE_URL)$(REDIS_URL),0,3)
# Use the pip of the host if there is one: installing it again takes longer than everything it is needed for.
HOST_PIP := $(PYTHON) -m pip --python $(PY)
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet

.PHONY: help up test check evidence bench format lock

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: .venv/.local ## run the whole platform on this machine: PORT (8000), BNPL_HOME (.bnpl), DATABASE_URL, REDIS_URL
	@exec $(PY) -m bnpl.stack

test: .venv/.dev ## run every test; ARGS="-k word" selects some of them
	@if .ci/browser; then browser=(); else browser=(-m "not browser"); fi; \
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder "$${browser[@]}" $(ARGS)

# The quick ones first, then the longest, so that `make -j2 check` runs two at a time until the end.
CHECK := code types rules tests migrations settings
.PHONY: $(CHECK:%=check-%)
check: $(CHECK:%=check-%) ## formatting, lint, layers, our own rules, types, migrations, API description, production settings
check $(CHECK:%=check-%): export BNPL_POSTURE = test

check-code: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

check-types: .venv/.dev
	$(BIN)/mypy

check-rules: .venv/.dev # our own code rules, which no linter checks
	$(PY) -m pytest -q tests/architecture/test_code_rules.py

check-tests: .venv/.dev # all tests can be imported; the compiled files are kept for `make test`
	@told=$$(PYTHONDONTWRITEBYTECODE= $(PY) -m pytest --collect-only -qq) || { echo "$$told"; exit 1; }

check-migrations: .venv/.dev # and the documents and the API description generated from the code
	$(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(PY) manage.py draw --check
	$(PY) manage.py spectacular --validate --fail-on-warn --format openapi-json | diff -u docs/openapi.json - \
	  || { echo "docs/openapi.json is out of date."; exit 1; }

check-settings: .venv/.dev # production settings
	random() { $(PY) -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())'; }; \
	BNPL_POSTURE=production BASE_URL=https://bnpl.example SECRET_KEY="$$(random)$$(random)" \
	  DATABASE_URL=postgresql://app@db/bnpl REDIS_URL=redis://broker/0 \
	  PII_KEYS="k1:$$(random)" BLIND_INDEX_KEY="$$(random)" PROOF_KEYS="p1:$$(random)" \
	  SMS_BACKEND=check.sends.Nothing \
	  $(PY) manage.py check --deploy --fail-level WARNING

# Each part starts its own servers, so that `make -j2 evidence` runs two at a time.
EVIDENCE := crashes machine races planted kills simulation hostile overload sandbox browser settlement audit backup
.PHONY: $(EVIDENCE:%=evidence-%)
evidence: $(EVIDENCE:%=evidence-%) ## the long tests (hours); one part alone: make evidence-crashes

evidence-crashes: .venv/.dev # killed at every point of every scenario, and twice
	CRASH_STRIDE=1 CRASH_PAIRS=105 $(PY) -m pytest tests/crashes -q -s $(ARGS)

evidence-machine: .venv/.dev # random sequences of operations, compared with a model
	MACHINE_EXAMPLES=420 MACHINE_STEPS=50 $(PY) -m pytest tests/machine -q -s $(ARGS)

evidence-races: .venv/.dev # two concurrent callers, two hundred times each
	RACE_ROUNDS=200 RACE_DUES=200 $(PY) -m pytest tests/races -q -s $(ARGS)

evidence-planted: .venv/.dev # planted bugs are detected
	$(PY) -m tests.planted

evidence-kills: .venv/.dev # real processes of the whole platform are killed
	KILL_ROUNDS=20 KILL_ORDERS=2000 KILL_SPREAD=0 KILL_LONGEST_WAIT=120 KILL_TWIN_ORDERS=2000 ABSENT_SECONDS=60 \
	  KILL_DATABASES=5 KILL_LOAD_SECONDS=5 KILL_STOPS=3 KILL_LEASE=60 KILL_STOPPED_SECONDS=100 \
	  $(PY) -m pytest tests/kills -q -s $(ARGS)

evidence-simulation: .venv/.dev # ninety days of ten thousand orders, a hundred seeds
	SIMULATED_SEEDS=100 SIMULATED_ORDERS=10000 SIMULATED_DAYS=90 $(PY) -m pytest tests/simulation -q -s $(ARGS)

evidence-hostile: .venv/.dev # a hundred thousand invalid requests and twenty-four thousand invalid keys
	LOG_LEVEL=WARNING HOSTILE_SCHEMA=20500 HOSTILE_GENERATED=30500 HOSTILE_MUTATED=50000 HOSTILE_KEYS=12000 \
	  HOSTILE_SPLITS=1000000 $(PY) -m pytest tests/hostile tests/wire -q -s $(ARGS)

evidence-overload: .venv/.dev # a minute at three times the capacity; the machine should be idle otherwise
	OVERLOAD_SECONDS=60 OVERLOAD_MEASURED_SECONDS=10 OVERLOAD_PEOPLE=3000 OVERLOAD_GOODPUT=0.8 OVERLOAD_P99=1 OVERLOAD_SOON=2 OVERLOAD_WAITS=1 \
	  $(PY) -m pytest tests/overload -q -s $(ARGS)

evidence-sandbox: .venv/.dev # a clock advance killed at a hundred points
	CLOCK_KILL_STRIDE=6 CALENDAR_EDGES=3 LAST_STEP=P55D $(PY) -m pytest tests/sandbox -q -s $(ARGS)

evidence-settlement: .venv/.dev # sixty days of three hundred orders and a statement of ten thousand lines, exact to the cent
	SETTLED_ORDERS=300 STATEMENT_LINES=10000 $(PY) -m pytest tests/settlement tests/billing/test_statement_import.py -q -s $(ARGS)

evidence-audit: .venv/.dev # a superuser tampers two hundred times with a hundred thousand lines of eight clients
	LOG_LEVEL=WARNING AUDIT_LINES=100000 AUDIT_TAMPERINGS=200 $(PY) -m pytest -n0 tests/kernel/test_audit.py -q -s $(ARGS)

evidence-backup: .venv/.dev # a bad UPDATE of the ledger, and a restored copy of the moment before that shows what it was
	BACKUP_ORDERS=1000 $(PY) -m pytest -n0 tests/backup/drill.py -q -s $(ARGS)

evidence-browser: .venv/.dev # every browser test in each screen size, language and theme; screenshots are kept in tmp/screenshots
	BROWSER_LOOKS=all $(PY) -m pytest tests/browser -q $(ARGS)

# Only ratios are meaningful: both sides are measured in turn. QUICK=1 for a quick run, ROUNDS and SECONDS_EACH for more.
BENCHES := orders_http deduction_sweep order_lifecycle webhooks postings settlement exports statements growth_queries growth_requests growth_bulk wal
bench: .venv/.bench .venv/.bare bench-recovery ## performance as ratios against a straightforward implementation, and what the retry plan recovers: an hour
	TESTS_DURABLE=1 $(PY) -m pytest -n0 -q -s -W default $(BENCHES:%=benchmarks/%.py) $(ARGS)

.PHONY: bench-recovery
bench-recovery: .venv/.dev # what the retry plan recovers with how many attempts, compared with a daily retry, on synthetic people: some minutes; RECOVERY="--seeds 3"
	$(PY) -m benchmarks.recovery $(if $(QUICK),--seeds 1 --people 500) $(RECOVERY)

.PHONY: bench-flames
bench-flames: .venv/.dev # where the time of the measured operations goes: draws docs/pictures/flames-*.svg, and profiles PostgreSQL
	LOG_LEVEL=WARNING TESTS_DURABLE=1 $(PY) -m pytest -n0 -q -s -W default benchmarks/flame_graphs.py benchmarks/flame_graphs_bulk.py $(ARGS)

.PHONY: bench-sandbox
bench-sandbox: # ninety days of a hundred orders on a running platform (make up)
	$(PY) -m benchmarks.sandbox $(ARGS)

.PHONY: bench-history
bench-history: .venv/.dev # the promise record of a customer with a hundred thousand of a million orders
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

format: .venv/.dev ## format the code and apply automatic fixes
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

# The packages of a deployment, without those of tests and tools.
.venv/.bare: requirements/base.txt .venv/.dev
	$(PYTHON) -m venv --without-pip .venv/bare
	$(BIN)/uv pip install --quiet --python .venv/bare/bin/python --compile-bytecode --no-deps --require-hashes -r requirements/base.txt
	@touch $@
