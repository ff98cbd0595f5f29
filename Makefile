# Two commands for people: `make demo` runs the main job, `make test` runs the tests.
# Needs Python 3.11 or newer, git and make; everything else is installed into folders of this checkout.

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON := $(PYTHON)
WORKERS ?= 2
# What is compiled once serves the next run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: phoenix demo test check soak crewai docs site install dev real format clean

demo: install  ## install dogwatch and run one round over a simulated estate
	@$(BIN)/dogwatch demo

PYTEST := $(BIN)/pytest -q -n $(WORKERS) --dist worksteal
COVERAGE := --cov --cov-report=term:skip-covered --cov-fail-under=85

test: dev  ## the tests; with DOGWATCH_REQUIRE_REAL=1 the slow ones, the real parts and coverage too
ifeq ($(DOGWATCH_REQUIRE_REAL),1)
	@$(MAKE) --no-print-directory real
	$(PYTEST) -m "slow or real"
	$(PYTEST) -m "not slow and not real and not soak" $(COVERAGE)
else
	$(PYTEST) -m "not slow and not real and not soak"
endif

check: dev  ## format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(PYTEST) -m "not slow and not real and not soak" $(COVERAGE)

KILLS ?= 200

soak: dev real  ## kill rounds and workers that deliver at KILLS random points, and tell where they were; watch two quiet months
	DOGWATCH_REQUIRE_REAL=1 $(BIN)/pytest -q -rP -n $(WORKERS) tests/crash/test_killed_rounds.py tests/crash/test_killed_posts.py tests/crash/test_killed_actions.py tests/crash/test_killed_watch.py tests/crash/test_killed_hub.py tests/crash/test_killed_team.py tests/crash/test_stopped_transactions.py --kills $(KILLS)
	$(BIN)/python tests/support/fuzz_logs.py -max_total_time=300 -verbosity=0
	$(BIN)/python bench/watch.py
	$(BIN)/python bench/quiet.py --season spring --seed 20
	$(BIN)/python bench/quiet.py --season autumn --seed 21
	DOGWATCH_REQUIRE_REAL=1 $(PYTEST) -m soak tests/lab

crewai: dev  ## the crew on CrewAI: its own lock and environment in packages/crewai, and its tests
	@env -u UV_PROJECT_ENVIRONMENT $(UV) sync -q --frozen --project packages/crewai
	cd packages/crewai && .venv/bin/pytest -q

format: dev  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

phoenix: dev  ## read a crew's trace back from a real Phoenix (580 MB in .phoenix)
	@test -x .phoenix/bin/phoenix || ($(UV) venv -q .phoenix && $(UV) pip install -q --python .phoenix/bin/python "arize-phoenix==20.26")
	DOGWATCH_REQUIRE_REAL=1 $(BIN)/pytest -q tests/real/test_phoenix.py

docs: dev  ## rewrite the documents that follow from the code
	$(BIN)/python docs/generate.py

site: .venv/.site  ## the documentation as a site, in .site; a doubtful link or a page nobody leads to is an error
	$(BIN)/properdocs build

install: .venv/.installed
dev: .venv/.dev
real: .venv/.real

.uv/bin/uv:
	@echo "installing uv into .uv"
	@$(PYTHON) -m venv .uv
	@.uv/bin/pip install -q --disable-pip-version-check "uv>=0.13,<0.14"

.venv/.installed: uv.lock pyproject.toml | $(filter .uv/bin/uv,$(UV))
	@echo "installing dogwatch into .venv"
	@$(UV) sync -q --locked --no-dev --inexact --compile-bytecode
	@touch $@

.venv/.dev: uv.lock pyproject.toml | $(filter .uv/bin/uv,$(UV))
	@$(UV) sync -q --locked --inexact
	@touch $@

.venv/.real: uv.lock pyproject.toml tests/real/package-lock.json | $(filter .uv/bin/uv,$(UV))
	@$(UV) sync -q --locked --inexact --group real --group docs
	@mkdir -p .node && cp tests/real/package.json tests/real/package-lock.json .node/
	@npm ci --silent --no-audit --no-fund --prefix .node
	@touch $@

.venv/.site: uv.lock pyproject.toml | .venv/.dev
	@$(UV) sync -q --locked --inexact --group docs
	@touch $@

clean:  ## remove what was installed and made here
	rm -rf .venv .uv .node .phoenix .site dogwatch-demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
