# make run    start labelapp here        make test   install the tests' needs and run everything
# make setup  only install               make check  style, types, layers, templates, migrations
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RUN := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check lock clean

help:
	@sed -n '1,2s/^# //p' Makefile

setup:
	@$(PYTHON) deploy/bootstrap.py runtime

setup-dev:
	@$(PYTHON) deploy/bootstrap.py dev

run: setup
	@$(RUN) manage.py up $(ARGS)

test: setup-dev
	@$(RUN) -m tests.run $(ARGS)

# Every step runs, also after one has failed; its output shows only then.
CHECKS := style format types layers templates django migrations
.PHONY: $(CHECKS:%=check-%)
check: setup-dev
	@LABELAPP_DATA=$$(mktemp -d) && export LABELAPP_DATA && trap 'rm -rf "$$LABELAPP_DATA"' EXIT && \
		$(MAKE) --no-print-directory --keep-going --silent $(CHECKS:%=check-%)

step = printf '%-12s' $(@:check-%=%); if out=$$($(1) 2>&1); then echo ok; else echo FAILED; echo "$$out"; exit 1; fi
check-style:
	@$(call step,$(RUN) -m ruff check --quiet .)
check-format:
	@$(call step,$(RUN) -m ruff format --check --quiet .)
check-types:
	@$(call step,$(RUN) -m mypy)
check-layers:
	@$(call step,.venv/bin/lint-imports)
check-templates:
	@$(call step,$(RUN) -m tests.compile_templates && $(RUN) -m djlint --quiet --lint templates)
check-django:
	@$(call step,$(RUN) manage.py check --fail-level WARNING)
check-migrations:
	@$(call step,$(RUN) manage.py makemigrations --check --dry-run)

# Resolve requirements/*.in again. Versions that still fit are kept; UPGRADE=--upgrade takes new ones.
lock: setup-dev
	@for name in installer runtime dev; do \
		$(RUN) -m uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
			--no-header --no-emit-index-url $(UPGRADE) \
			requirements/$$name.in --output-file requirements/$$name.lock || exit 1; \
	done
	@grep -nE '://|--(extra-)?index-url|--find-links' requirements/*.lock && exit 1 || true

clean:
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
