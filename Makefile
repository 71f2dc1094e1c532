# Everything a user or CI calls. `make run` and `make test` need only Python 3.11+, make and git.
.PHONY: run test test-real check format setup setup-dev help
SHELL := /bin/sh
BIN := .venv/bin

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

run: setup ## the quick-start experiment against the simulator: leaderboard, report, queries to try
	@$(BIN)/bakeoff run quick-start

test: setup-dev ## the tests, under 5 minutes on 2 cores
	$(BIN)/python -m pytest -m "not real" -n 2 --dist loadfile -q

check: setup-dev ## format, lint, types, import contracts, SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 1 warehouse

test-real: setup-dev ## the pipeline against a real server, and the full matrix of kills
	scripts/real_env.sh
	BAKEOFF_REAL=1 $(BIN)/python -m pytest -m real -n 2 --dist loadfile -q

format: setup-dev ## put code and SQL into the house's form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/sqlfluff fix --processes 1 warehouse

setup: ## .venv with what the product needs
	@scripts/setup.sh --no-dev

setup-dev: ## .venv with what development needs besides
	@scripts/setup.sh --dev
