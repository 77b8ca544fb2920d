# Every recipe quotes its paths: the project may lie anywhere, spaces included.
SHELL := /bin/sh
# The first Python that is new enough and has venv; config/environment.py says what is wrong when there is none.
IS_FIT = import sys, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3.11 python3 python3.12 python3.13; do \
	"$$name" -c '$(IS_FIT)' 2>/dev/null && command -v "$$name" && exit; done; echo python3)
PORT ?= 8000
ONLY ?=

ENVIRONMENT = "$(PYTHON)" config/environment.py
RUN = .venv/bin/python
TEMPLATES = find . -name '*.html' -path '*/templates/*' -not -path './.venv/*' -not -path './var/*' -print0 | xargs -0

.DEFAULT_GOAL := help
.PHONY: help demo demo-check run test soak lint format bench seed reset setup setup-dev lock messages shell

help: ## say what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: setup ## run the whole story on real usage, print PASS or FAIL for each step, then serve (PORT=8000, or the next free one)
	@exec $(RUN) -m config.stack demo --port $(PORT)

demo-check: setup ## the same in a throw-away folder, without serving; exit status 1 on any FAIL
	@exec $(RUN) -m config.stack demo-check

run: setup ## web, worker and beat on what is in var/, without the story (PORT=8000)
	@exec $(RUN) -m config.stack run --port $(PORT)

test: setup-dev ## the whole suite, on a throw-away PostgreSQL and Valkey for each core, at most four (ARGS="-k name")
	@exec $(RUN) -m pytest -n logical --maxprocesses 4 --dist worksteal $(ARGS)

soak: setup-dev ## the long tests
	@exec $(RUN) -m pytest -m soak --timeout 3600 $(ARGS)

lint: setup-dev ## style, types, the borders between apps: all are looked at, whatever the others said
	@status=0; \
	$(RUN) -m ruff check . || status=1; \
	$(RUN) -m ruff format --check . || status=1; \
	$(TEMPLATES) .venv/bin/djade --check --target-version 5.2 || status=1; \
	.venv/bin/lint-imports --no-logo || status=1; \
	$(RUN) -m mypy || status=1; \
	exit $$status

format: setup-dev ## let the tools put the code in order
	@$(RUN) -m ruff check --fix-only .
	@$(RUN) -m ruff format .
	-@$(TEMPLATES) .venv/bin/djade --target-version 5.2

bench: setup ## one JSON line for each figure that PERFORMANCE names (ONLY=name for one)
	@exec $(RUN) -m bench $(ONLY)

seed: setup ## plans, meters and people of the demo, without its story
	@exec $(RUN) manage.py seed

reset: setup ## throw away var/: databases, logs, keys; refuses while the stack runs
	@exec $(RUN) -m config.stack reset

setup: ## only make .venv from requirements.txt
	@$(ENVIRONMENT) requirements.txt

setup-dev: ## only make .venv from requirements-dev.txt
	@$(ENVIRONMENT) requirements-dev.txt
	@$(RUN) tests/stripe_cli/install.py

lock: ## write requirements*.txt anew from requirements*.in (UPGRADE=1 for the newest versions)
	@$(ENVIRONMENT) requirements-uv.txt
	@for name in "" -dev -uv; do \
		UV_CUSTOM_COMPILE_COMMAND="make lock" $(RUN) -m uv pip compile --quiet --universal --generate-hashes \
			--python-version 3.11 $(if $(UPGRADE),--upgrade) "requirements$$name.in" -o "requirements$$name.txt" || exit 1; \
	done

messages: setup ## collect the words of the screens for translation and compile them (needs gettext's tools)
	@command -v xgettext >/dev/null || { echo "xgettext is missing. On Debian and Ubuntu: apt-get install gettext" >&2; exit 1; }
	@$(RUN) manage.py makemessages --locale fr --ignore '.venv/*' --ignore 'var/*' --ignore 'tests/*' --add-location file
	@$(RUN) manage.py compilemessages --locale fr --ignore '.venv/*'

shell: setup ## a Python shell with the models at hand
	@exec $(RUN) manage.py shell
