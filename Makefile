# The house's front door. Every target does the set-up it needs: Python 3.11+ and make are enough.
#   make run PYTHON=python3.12    picks the interpreter that makes .venv

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

PYTHON ?= python3
JOBS ?= auto
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Where .ci/run puts programs that no Python package brings, such as grpcurl.
export PATH := $(CURDIR)/.tools/bin:$(PATH)

PINS := .venv/.pins
READY := .venv/.ready
# protoc of the last protobuf major, apart: it cannot live beside the runtime that the server needs.
STUBS := .venv/.stubs
# Google's .proto files; which ones are needed, the contract says.
INCLUDE := $(CURDIR)/protos/include/README
# Tools that read images and charts, apart: what they depend on is no matter of ours.
DEPLOYING := .venv/.deploying
HELM := .tools/bin/helm
HELM_VERSION := v3.22.0
GHZ := .tools/bin/ghz
# What people write gateways of by hand with, apart: none of it is ours to depend on.
COMPARED := .venv/.compared
# What makes the pages a site, apart for the same reason.
SITE := .venv/.docs
# Where each distribution of ours has its pyproject.toml.
DISTRIBUTIONS := clients/python adapters .
PROJECTS := $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))

##@ Use
.PHONY: help
help: ## Show this list
	@if [ -t 1 ]; then name='\033[36m' head='\033[1m' off='\033[0m'; else name='' head='' off=''; fi; \
	awk -v name="$$name" -v head="$$head" -v off="$$off" 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s%s%s\n", head, substr($$0, 5), off } \
	  /^[a-z-]+:.*## / { printf "  %s%-11s%s %s\n", name, $$1, off, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: $(READY) ## Make .venv with the pinned versions and our distributions

.PHONY: run
run: $(READY) ## Start a gateway with simulated providers on 127.0.0.1:50051
	$(BIN)/giftcard-gateway serve --sandbox

.PHONY: envoy
envoy: $(READY) ## Put into build/envoy what Envoy needs to stand in front of a gateway
	$(BIN)/python -m deploy.envoy build/envoy

.PHONY: compose
compose: $(READY) ## Put into build/compose what deploy/compose.yaml needs: fresh keys, and Envoy's files
	$(BIN)/python -m deploy.compose build/compose

.PHONY: demo
demo: $(READY) ## Tell a gift card's life on a running gateway, step by step
	$(BIN)/giftcard-gateway demo

##@ Work
.PHONY: test
test: $(READY) ## Run the tests; JOBS=n sets how many at once, ARGS= goes to pytest
	$(BIN)/pytest -n $(JOBS) $(ARGS)

.PHONY: check
check: $(READY) ## Check format, lint, types, imports, contract, its last release and pins
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python protos/contract.py lint
	$(BIN)/python protos/contract.py breaking
	$(BIN)/python protos/contract.py check
	$(BIN)/pytest -q --no-header tests/e2e/test_released.py
	$(BIN)/python -m tests.bench.calls
	$(BIN)/python -m pip --disable-pip-version-check check

.PHONY: format
format: $(READY) ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: protos
protos: $(READY) ## Make the Python stubs anew from protos/
	$(BIN)/python protos/contract.py generate

.PHONY: openapi
openapi: $(READY) ## Make the OpenAPI document anew from protos/; needs Go
	$(BIN)/python -m protos.openapi

.PHONY: include
include: $(INCLUDE) ## Put Google's .proto files into protos/include, for buf, protoc and other languages

.PHONY: tables
tables: $(READY) ## Write the tables of README and docs that are read off the adapters
	$(BIN)/python -m tests.house.tables

.PHONY: docs
docs: $(SITE) ## Make the pages a site in build/site, and fail where a link leads nowhere
	.venv/docs/bin/python deploy/site/build.py

.PHONY: docs-serve
docs-serve: docs ## Make the site and serve it on 127.0.0.1; PORT=n instead of 8000
	.venv/docs/bin/python -m http.server --bind 127.0.0.1 --directory build/site $(or $(PORT),8000)

.PHONY: lock
lock: $(PINS) ## Pin the versions anew; UPGRADE=1 takes the newest
	@$(BIN)/uv pip compile --group pyproject.toml:stubs --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command 'make lock' --quiet $${UPGRADE:+--upgrade} -o deploy/requirements/stubs.txt
	@$(BIN)/uv pip compile --group pyproject.toml:docs --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command 'make lock' --quiet $${UPGRADE:+--upgrade} -o deploy/requirements/docs.txt
	@for set in runtime dev; do \
	  $(BIN)/uv pip compile $(PROJECTS) --all-extras --universal --python-version 3.11 --generate-hashes \
	    $(foreach one,client gateway sandbox,--no-emit-package giftcard-$(one)) \
	    --custom-compile-command 'make lock' --quiet \
	    $${UPGRADE:+--upgrade} $$([ $$set = dev ] && echo --group dev) -o deploy/requirements/$$set.txt; \
	  done
	@for set in build deploy; do \
	  $(BIN)/uv pip compile --group pyproject.toml:$$set --universal --python-version 3.11 --generate-hashes \
	    --constraint deploy/requirements/dev.txt --custom-compile-command 'make lock' --quiet \
	    -o deploy/requirements/$$set.txt; \
	done
	@$(BIN)/uv pip compile $(PROJECTS) --all-extras --group bench --universal --python-version 3.11 --generate-hashes \
	  $(foreach one,client gateway sandbox,--no-emit-package giftcard-$(one)) --constraint deploy/requirements/runtime.txt \
	  --custom-compile-command 'make lock' --quiet $${UPGRADE:+--upgrade} -o deploy/requirements/bench.txt

.PHONY: hooks
hooks: $(READY) ## Check every commit and its message before git makes it
	$(BIN)/pre-commit install --install-hooks

.PHONY: clean
clean: ## Remove all that these targets made: .venv, .tools, caches
	rm -rf .venv .tools build dist protos/include .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Prove
.PHONY: crash
crash: $(READY) ## Prove the promises by stopping and killing gateways, and by fuzzing every door (long)
	$(BIN)/python -m tests.fuzz
	$(BIN)/pytest tests/crash $(ARGS)
	$(BIN)/python -m tests.crash
	$(BIN)/python -m tests.crash.failover
	GRPC_ENABLE_FORK_SUPPORT=0 $(BIN)/python -m tests.crash.processes
	$(BIN)/python -m tests.crash.frozen --rounds 10 --only electrum

.PHONY: drills
drills: $(READY) ## Play every entry of the runbook with real processes; ARGS= names some, ARGS=--record writes what they show
	GRPC_VERBOSITY=NONE $(BIN)/python -m tests.drills $(ARGS)

.PHONY: collector
collector: ## Build the OpenTelemetry collector for the tests that send it telemetry (minutes; they skip without it)
	cd tests/e2e/collector && go build -o $(CURDIR)/.tools/bin/collector .

.PHONY: stress
stress: $(READY) ## Run the tests beside busy loops, with processes stopped at random (long)
	$(BIN)/python -m tests.stress -n $(JOBS) $(ARGS)

# Images and charts, what stands in front, and change without stopping.
DEPLOYED := tests/deploy $(wildcard tests/e2e/test_envoy*.py) tests/e2e/test_two_gateways.py tests/e2e/test_stop.py \
	tests/e2e/test_reload.py tests/e2e/test_migrate.py tests/crash/processes/test_releases.py

.PHONY: deploy-check
deploy-check: $(READY) $(DEPLOYING) | $(GHZ) ## Check image, chart, Envoy, reloads and releases with real tools, and run the image (minutes; root, Go)
	$(BIN)/pytest -q --no-header -n $(JOBS) $(DEPLOYED) $(ARGS)
	$(BIN)/python -m tests.deploy.replay

.PHONY: bench
bench: $(COMPARED) ## Measure the gateway beside servers written by hand; ARGS="--quick" takes two minutes
	$(BIN)/python -m tests.bench.compare $(ARGS)

.PHONY: capacity
capacity: $(COMPARED) ## Measure what one PostgreSQL carries; ARGS=--quick takes four minutes
	$(BIN)/python -m tests.bench.capacity $(ARGS)

.PHONY: bench-guard
bench-guard: $(COMPARED) ## Fail when a Redeem's CPU time beside the strong server's grew by 15 %
	$(BIN)/python -m tests.bench.compare.guard $(ARGS)

.PHONY: coverage
coverage: $(READY) ## Run the tests and show how much of each room they reach
	@mkdir -p build
	$(BIN)/pytest -n $(JOBS) --cov --cov-report= $(ARGS)
	$(BIN)/coverage json --quiet -o build/coverage.json
	@$(BIN)/python deploy/rooms_covered.py build/coverage.json | tee build/coverage.md

.PHONY: clients
clients: $(READY) ## Build and test every language's client against one gateway; ARGS="go rust" for some
	$(BIN)/python -m clients $(ARGS)

.PHONY: floors
floors: $(READY) ## Test the Python client in fresh environments with its oldest and its newest libraries
	for way in lowest-direct highest; do \
	  at=build/floors/$$way; \
	  $(BIN)/uv venv --quiet --clear --python $(BIN)/python $$at; \
	  $(BIN)/uv pip install --quiet --python $$at/bin/python --resolution $$way ./clients/python; \
	  $(BIN)/uv pip freeze --quiet --python $$at/bin/python --exclude giftcard-client > $$at/pins.txt; \
	  cat $$at/pins.txt; \
	  $(BIN)/uv pip install --quiet --python $$at/bin/python --constraint $$at/pins.txt \
	    anyio grpcio-testing hypothesis iso4217 pytest pytest-asyncio pytest-xdist; \
	  $$at/bin/python -m pytest --confcutdir tests/clients -n $(JOBS) tests/clients $(ARGS); \
	done

.PHONY: audit
audit: $(READY) ## Ask of every pin: advisories, license; and lint for security, and list the parts into dist/
	$(BIN)/ruff check --quiet --select S .
	$(BIN)/python -m deploy.audit
	$(BIN)/python -m deploy.audit.parts dist/giftcard-gateway.cdx.json

.PHONY: advisories
advisories: $(READY) ## Write the vendored advisories anew, from OSV; FROM=all.zip reads a file
	$(BIN)/python -m deploy.audit.refresh $(FROM)

##@ Ship
# The time that stands in what is built is the commit's, so that the same commit gives the same bytes.
audit dist: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
.PHONY: dist
dist: $(READY) ## Build sdists, wheels, the contract's archive, the list of parts and checksums into dist/
	rm -rf dist
	for source in $(DISTRIBUTIONS); do \
	  $(BIN)/uv build --quiet --no-build-isolation --no-create-gitignore --python $(BIN)/python --out-dir dist $$source; \
	done
	$(BIN)/python protos/contract.py archive dist
	$(BIN)/python -m deploy.audit.parts dist/giftcard-gateway.cdx.json
	cd dist && sha256sum -- * > SHA256SUMS

.PHONY: release-check
release-check: $(READY) ## Prove that the last commit can be released; ARGS="--tag v1.2.3 --python PROGRAM"
	$(BIN)/python -m deploy.release_check $(ARGS)

# ---- set-up: done again only when what it depends on is newer ----

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed; name one with PYTHON=, as in: make $(or $(MAKECMDGOALS),install) PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo 'Python could not make a virtual environment; on Debian, apt-get install python3-venv' >&2; exit 1; }

$(PINS): deploy/requirements/dev.txt | $(BIN)/python
	@echo 'Installing the pinned versions into .venv (about a minute the first time).' >&2
	@$(PIP) install --require-hashes -r deploy/requirements/dev.txt
	@touch $@

$(STUBS): deploy/requirements/stubs.txt | $(BIN)/python
	@$(BIN)/python -m venv .venv/stubs
	@.venv/stubs/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r deploy/requirements/stubs.txt
	@touch $@

$(SITE): deploy/requirements/docs.txt | $(BIN)/python
	@$(BIN)/python -m venv .venv/docs
	@.venv/docs/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

$(INCLUDE): $(PINS) $(STUBS) $(wildcard protos/giftcard/v1/*.proto) protos/contract.py
	@$(BIN)/python protos/contract.py include

$(COMPARED): deploy/requirements/bench.txt | $(READY)
	@echo 'Installing the servers to compare with into .venv/bench (about a minute the first time).' >&2
	@$(BIN)/python -m venv .venv/bench
	@.venv/bench/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@.venv/bench/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation $(addprefix -e ,$(DISTRIBUTIONS))
	@touch $@

$(DEPLOYING): deploy/requirements/deploy.txt | $(BIN)/python $(HELM)
	@$(BIN)/python -m venv .venv/deploy
	@.venv/deploy/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $<
	@touch $@

$(HELM):
	@echo 'Building helm with Go (minutes the first time).' >&2
	@GOBIN=$(CURDIR)/.tools/bin go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)

# Its version is pinned in .ci/run.
$(GHZ):
	@echo 'Building ghz with Go (minutes the first time).' >&2
	@GOBIN=$(CURDIR)/.tools/bin go install $$(awk '$$1 == "ghz" { print $$2 "@" $$3 }' .ci/run)

$(READY): $(PINS) $(STUBS) $(PROJECTS) | $(INCLUDE)
	@$(PIP) install --no-deps --no-build-isolation $(addprefix -e ,$(DISTRIBUTIONS))
	@touch $@
