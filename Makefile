# Two commands do everything: `make demo` and `make test`. Both set up what they need and are safe to repeat.

.PHONY: help demo test check format bench fuzz lock clean
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
C_FILES = $(shell git ls-files '*.c' '*.cc' '*.h')

help: ## Show the targets.
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 10

demo: ## Quantise, build, run and classify 200 handwritten digits on the host board.
	@scripts/setup.sh
	@.venv/bin/edgekit demo

test: ## Run every test. EDGEKIT_DATA=DIR adds the public models and data sets.
	@scripts/setup.sh torch
	@scripts/tools.sh
	@$(PYTHON) -m pytest -n 2 --dist loadfile $(PYTEST)

check: ## Formatters, linters and types.
	@scripts/setup.sh torch
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/clang-format --dry-run -Werror $(C_FILES)

format: ## Rewrite the sources as the formatters want them.
	@scripts/setup.sh torch
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .
	@.venv/bin/clang-format -i $(C_FILES)

bench: ## Measure every figure that the documents quote.
	@scripts/setup.sh torch
	@scripts/tools.sh
	@$(PYTHON) benchmarks/run.py $(BENCH)

fuzz: ## Fuzz every reader of untrusted bytes: MINUTES=10 each, TARGET="name ...", SEED=n, JOBS=1.
	@scripts/setup.sh torch
	@scripts/tools.sh fuzz
	@cd tests && ../$(PYTHON) -m fuzz $(if $(MINUTES),--minutes $(MINUTES)) $(if $(TARGET),--target $(TARGET)) \
		$(if $(SEED),--seed $(SEED)) $(if $(JOBS),--jobs $(JOBS))

lock: ## Resolve requirements.lock anew.
	@scripts/setup.sh
	@scripts/lock.sh --upgrade

clean: ## Remove what the targets made, the environment too.
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
