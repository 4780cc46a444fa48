# make demo | package | test | vm-test | bench | check. Each sets up what it needs first; all of it is idempotent.
SHELL := /bin/bash
PYTHON := .venv/bin/python
.PHONY: demo test bench check setup lock format package vm-test vm-matrix

setup:
	@tools/setup

demo: setup
	@$(PYTHON) tools/demo.py

test: check
	@tools/setup package
	@tools/test

package: setup
	@tools/setup package
	@$(PYTHON) -m tools.package

# real machines under QEMU: minutes with KVM, an hour where the processor is emulated; so no part of `test`
vm-test: package
	@tools/setup vm
	@$(PYTHON) -m pytest tests/vm

vm-matrix: package
	@tools/setup vm
	@$(PYTHON) -m tests.vm.matrix

bench: setup
	@tools/setup bench
	@$(PYTHON) tests/bench/run.py

check: setup
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache
	@.venv/bin/hostagent policy schema | diff policies/policy.schema.json -
	@.venv/bin/hostagent policy schema --cases | diff policies/cases.schema.json -

format:
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

lock:
	@.venv/bin/uv pip compile --universal --generate-hashes --python-version 3.11 --extra dev \
	  --no-emit-index-url --no-header -q pyproject.toml -o requirements.lock
