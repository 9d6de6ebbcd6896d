# What a person types; `make help` lists it. Everything lands in .venv, nothing outside this folder,
# except Debian packages where a target says so.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
UV ?= uv
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11
WEB := $(shell find api/web api/phone -name node_modules -prune -o -name generated -prune -o -type f -print 2>/dev/null)
FAST := not long and not field_data

.PHONY: help demo test test-long bench bench-large check-data lock phone-types examples format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo         the demo district on http://127.0.0.1:8000 (ZOUFANG_PORT, ZOUFANG_DATA move it)"
	@echo "make test         formatting, lint, types, import direction and every test of at most 15 minutes"
	@echo "make test-long    what takes longer, and the stories once more on Debian's PostgreSQL 15"
	@echo "make bench        each figure beside its ceiling, at most 15 minutes; make bench-large: the rest"
	@echo "make check-data DATA=FOLDER   checks against real files"
	@echo "make examples     write the examples of the API's document anew, as the program answers now"
	@echo "make format       put the code into the one form"
	@echo "make lock         write the lock files anew (needs uv); UPGRADE=1 takes newer versions"
	@echo "make phone-types  take over into the phone client what has changed in the paths that it uses"
	@echo "make clean        remove what was built; data stays"

demo: .venv/.program
	@exec $(BIN)/zoufang demo

test: .venv/.development
	.ci/debian-packages chromium fonts-noto-cjk gdal-bin openssl
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "$(FAST) and not alone" --numprocesses=2 --dist=loadfile --durations=25
	$(BIN)/pytest -m "$(FAST) and alone"

test-long: .venv/.development
	.ci/debian-packages chromium fonts-noto-cjk openssl postgresql-15
	$(BIN)/pytest -m "long and not field_data" --timeout=1800
	$(BIN)/python -m tests.debian_postgresql $(BIN)/pytest tests/stories tests/api/test_migrations.py tests/api/test_backups.py -m "not field_data" --timeout=1800

bench: .venv/.development
	.ci/debian-packages wrk
	$(BIN)/python -m tests.bench

bench-large: .venv/.development
	.ci/debian-packages wrk
	$(BIN)/python -m tests.bench --large

check-data: .venv/.development
	@test -d "$(DATA)" || { echo "make check-data DATA=FOLDER: the folder with the files to check against"; exit 2; }
	ZOUFANG_FIELD_DATA="$(abspath $(DATA))" $(BIN)/pytest -m field_data --timeout=1800

examples: .venv/.development
	ZOUFANG_TEST_WRITE_EXAMPLES=1 $(BIN)/pytest tests/api/test_openapi_examples.py

format: .venv/.development
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --output-file requirements.lock
	$(COMPILE) $(if $(UPGRADE),--upgrade) --constraints requirements.lock --group dev pyproject.toml --output-file requirements-dev.lock
	$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(COMPILE) $(if $(UPGRADE),--upgrade) - --output-file requirements-build.lock

phone-types: .venv/.development
	$(BIN)/python api/phone/openapi.py

clean:
	rm -rf .venv api/static api/static_phone api/web/node_modules api/phone/node_modules api/phone/generated .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/.made:
	.ci/venv "$(PYTHON)"
	@touch $@

.venv/.runtime: requirements.lock | .venv/.made
	@echo "Installing what requirements.lock names"
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

# The build's own requirements lie beside the environment, not in it: pinned by hash, and no network at the next build.
.venv/.build: requirements-build.lock | .venv/.made
	@echo "Installing what the build needs, Node among it"
	@rm -rf .venv/build
	@$(PIP) install --require-hashes --target .venv/build -r requirements-build.lock
	@touch $@

.venv/.program: pyproject.toml $(WEB) .venv/.runtime .venv/.build
	@echo "Building the pages and installing the program"
	@PYTHONPATH=.venv/build $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.development: requirements-dev.lock .venv/.program
	@echo "Installing what requirements-dev.lock names"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
