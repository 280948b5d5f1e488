# The table of contents of the work. Needs Python 3.11 or later and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
DISTRIBUTIONS := layers/cordyna_core cli console functions/cerebro client functions/task_server_a functions/task_server_b
PROJECTS := $(DISTRIBUTIONS:%=%/pyproject.toml)
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: site tutorial-pictures references examples worker-e2e soak seeds interleavings help run setup test check bench sim campaign mutants scale format dist lock clean assets wheels synth cloud cloud-stop latency e2e preflight smoke api vendor console-check console-e2e console-memory console-pictures

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.run ## set up the runtime packages, and invoke task-3 across two servers
	$(BIN)/dyna do task-3
	@echo "  its page: $(BIN)/dyna open"

setup: .venv/.dev ## set up the packages for checks and tests, too

test: check ## all checks, then all tests
	$(BIN)/pytest -n auto

check: .venv/.dev ## format, lint, types, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

KILLS ?= 200
worker-e2e: .venv/.run ## 200 kills of engine, host, templates and bodies, in real time; KILLS=25
	@PYTHONPATH=tests $(BIN)/python -m world.kill_loop --kills $(KILLS)

bench: .venv/.bench ## time per task of the embedded engine, beside Luigi
	$(BIN)/python bench/embedded.py

MINUTES ?= 10
soak: .venv/.run ## `dyna dev` of three servers for 10 minutes after a warm-up: memory and file size stay flat; MINUTES=2
	@$(BIN)/python bench/soak.py --minutes $(MINUTES)

SEEDS ?= 100000
sim: .venv/.dev ## simulate cerebro under faults: seeds, crash points, interleavings; SEED=n shows one
ifdef SEED
	@$(BIN)/python -m cerebro.simulator --seed $(SEED)
else
	$(MAKE) seeds
	SIM=full $(BIN)/pytest -n 2 tests/simulation
	$(MAKE) interleavings
endif

AT_LEAST ?= 1000
seeds: .venv/.dev ## only the seeds of `make sim`; it fails unless each kind of fault occurred AT_LEAST times
	$(BIN)/python -m cerebro.simulator --seeds $(SEEDS) --jobs 2 --at-least $(AT_LEAST)

HOURS ?= 8
campaign: .venv/.dev ## seeds for hours, continued where the last one stopped: figures in campaign/; HOURS=8
	$(BIN)/python -m cerebro.simulator --hours $(HOURS) --jobs 2 --into campaign

FAULTS ?= 1
interleavings: .venv/.dev ## all interleavings of the handlers of small runs, with a fault; FAULTS=2 INTO=file: continued
	@PYTHONPATH=tests $(BIN)/python -m simulation.all_interleavings --faults $(FAULTS) $(if $(INTO),--into $(INTO))

mutants: .venv/.dev ## plant protocol bugs in copies of cerebro; each must be caught
	$(BIN)/python bench/mutants.py

scale: .venv/.run ## one run of 1,000, 10,000 and 100,000 tasks side by side
	$(BIN)/python bench/scale.py

format: .venv/.dev ## format the code, and apply the fixes of ruff
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

dist: .venv/.run ## build the wheels into dist/
	rm -rf dist
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist $(DISTRIBUTIONS:%=./%) ./infra/cordyna_cdk
	@ls dist

lock: .venv/.dev ## compile requirements/*.in to *.txt, with hashes, without index addresses
	$(PIP) install uv
	$(LOCK) requirements/dev.in -o requirements/dev.txt
	$(LOCK) requirements/run.in -c requirements/dev.txt -o requirements/run.txt
	$(LOCK) requirements/bench.in -c requirements/dev.txt -o requirements/bench.txt
	$(LOCK) requirements/infra.in -c requirements/dev.txt -o requirements/infra.txt
	$(LOCK) requirements/layer.in -c requirements/dev.txt -o requirements/layer.txt
	$(LOCK) requirements/cerebro.in -c requirements/dev.txt -o requirements/cerebro.txt
	$(LOCK) requirements/console.in -c requirements/dev.txt -o requirements/console.txt
	$(LOCK) requirements/cloud.in -o requirements/cloud.txt
	$(LOCK) requirements/docs.in -o requirements/docs.txt
	$(LOCK) requirements/examples.in -c requirements/dev.txt -o requirements/examples.txt

clean: ## delete everything that was built here, except .venv
	rm -rf dist .cordyna .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.venv/.run: requirements/run.txt $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cordyna needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "setting up .venv: runtime packages ..."
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation $(DISTRIBUTIONS:%=-e ./%)
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	@echo "setting up .venv: packages for checks and tests ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

.venv/.bench: .venv/.run requirements/bench.txt
	@echo "setting up .venv: packages for benchmarks ..."
	@$(PIP) install --require-hashes -r requirements/bench.txt
	@touch $@

# Infrastructure: Node for the CDK beside Python; no Docker, no account.
export CDK_DISABLE_CLI_TELEMETRY := 1
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 1

ARCHITECTURE ?= arm64
RUNTIME ?= python3.14
assets: .venv/.infra ## build the folders that are deployed to Lambda; ARCHITECTURE=x86_64 RUNTIME=python3.13
	@$(BIN)/python infra/build_assets.py --architecture $(ARCHITECTURE) --runtime $(RUNTIME)

wheels: .venv/.run ## build the library's wheel into the build folder of the image of task-server-c
	@rm -rf functions/task_server_c/wheels
	@$(PIP) wheel --no-deps --no-build-isolation --wheel-dir functions/task_server_c/wheels ./layers/cordyna_core

synth: assets node_modules/.package-lock.json ## synthesize to cdk.out/, and check it: cdk-nag, cfn-lint, policies, tests
	$(BIN)/mypy --config-file infra/mypy.ini
	PYTHONPATH=infra $(BIN)/lint-imports infra/importlinter.ini --no-cache
	node_modules/.bin/cdk synth --quiet --no-notices --strict
	$(BIN)/cfn-lint --config-file infra/cfnlintrc.yaml
	node infra/lint_workflows.mjs
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/pytest tests/infra

# The page needs no build and no Node; what checks and tests it does.
api: .venv/.run ## write docs/api/openapi.json from the routes and the models
	@mkdir -p docs/api
	$(BIN)/python -m cordyna_console.openapi > docs/api/openapi.json.new && mv docs/api/openapi.json.new docs/api/openapi.json

vendor: node_modules/.package-lock.json ## copy the libraries of the page from node_modules
	node console/vendor.mjs

console-check: .venv/.dev node_modules/.package-lock.json ## types, lint and model of the page; 1,000 simulated worlds
	node console/vendor.mjs --check
	cd console && ../node_modules/.bin/tsc -p tsconfig.json && ../node_modules/.bin/eslint .
	node --test tests/console/page/*.test.mjs
	PYTHONPATH=tests $(BIN)/python -m console.worlds --seeds 1000 | node tests/console/page/worlds.mjs

console-e2e: .venv/.dev node_modules/.package-lock.json ## the page in a real Chromium: flows, accessibility, budgets
	@command -v $${CHROMIUM:-chromium} >/dev/null || { echo "chromium is missing: apt-get install chromium, or set CHROMIUM"; exit 1; }
	node --test --test-concurrency=1 tests/console/e2e/*.test.mjs

console-memory: .venv/.dev node_modules/.package-lock.json ## memory of the page while runs come and go for 10 minutes; MINUTES=2
	MEMORY_MINUTES=$(MINUTES) node --test --test-name-pattern=memory tests/console/e2e/budgets.test.mjs

preflight: .venv/.infra ## check this machine and the AWS account before a first deployment
	@PYTHONPATH=infra $(BIN)/python infra/preflight.py

PROFILE ?= local
smoke: .venv/.infra ## test a deployed cordyna, also in a real account; PROFILE=name of dyna's profile
	@$(BIN)/python infra/smoke.py $(PROFILE)

console-pictures: .venv/.dev node_modules/.package-lock.json ## take the pictures of docs/images/console again
	node tests/console/e2e/pictures.mjs

tutorial-pictures: .venv/.dev ## take the pictures of the tutorial again; needs Chromium
	PYTHONPATH=tests $(BIN)/python site/pictures.py

cloud: .venv/.infra .cloud/.installed node_modules/.package-lock.json ## deploy to an emulator on this machine, which stays up; the first time installs packages
	@$(BIN)/python infra/local_cloud/cloud.py start

cloud-stop: ## stop the emulator
	@$(BIN)/python infra/local_cloud/cloud.py stop

latency: .venv/.run ## latency of a hop on the running local cloud, beside a bare put_events -> Lambda
	@$(BIN)/python bench/latency.py

e2e: .venv/.infra .cloud/.installed node_modules/.package-lock.json ## deploy to a separate emulator, and test everything in real time
	CORDYNA_E2E=1 $(BIN)/pytest tests/e2e

.venv/.infra: .venv/.dev requirements/infra.txt infra/cordyna_cdk/pyproject.toml
	@echo "setting up .venv: packages for synthesis (once; minutes) ..."
	@$(PIP) install --require-hashes -r requirements/infra.txt
	@$(PIP) install --no-deps --no-build-isolation -e ./infra/cordyna_cdk
	@touch $@

.cloud/.installed: requirements/cloud.txt
	@test -x .cloud/venv/bin/python || $(PYTHON) -m venv .cloud/venv
	@echo "setting up .cloud: the emulator and the AWS CLI (once; minutes) ..."
	@.cloud/venv/bin/python -m pip --disable-pip-version-check --quiet --quiet install --require-hashes -r requirements/cloud.txt
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json
	@echo "setting up node_modules: the CDK, and what checks the page (once; minutes) ..."
	@npm ci --no-audit --no-fund --silent
	@touch $@

examples: .venv/.examples node_modules/.package-lock.json ## run every command that the READMEs of examples/ show
	CORDYNA_EXAMPLES=1 $(BIN)/pytest tests/docs/test_examples.py

.venv/.examples: .venv/.dev requirements/examples.txt
	@echo "setting up .venv: packages for the examples ..."
	@$(PIP) install --require-hashes -r requirements/examples.txt
	@touch $@

references: .venv/.run ## write the generated pages of docs/reference
	$(BIN)/python site/references.py

site: .venv/.docs node_modules/.package-lock.json ## build the documentation site into build/site/site; it works offline
	@$(BIN)/python site/build.py

.venv/.docs: .venv/.dev requirements/docs.txt
	@echo "setting up .venv: what builds the documentation site ..."
	@$(PIP) install --require-hashes -r requirements/docs.txt
	@touch $@
