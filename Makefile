# Everything runs in a virtual environment of its own, .venv. `make help` lists the targets.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
WERROR ?= OFF
# What pytest is told: make test TESTS="tests/layers -k lstm"
TESTS ?=
# How many files of tests run at a time; WORKERS=0 runs one after the other, as a debugger needs.
WORKERS ?= 2
# What the fuzzer is told: make fuzz FUZZ="--cases 10000 --seed 1"
FUZZ ?= --seconds 60

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt
# A file stays with one worker, as its tests share what is made once. Two workers with two threads
# each would wait for each other on two cores: a test that needs threads asks for them.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) \
	--dist loadfile --no-loadscope-reorder
# The build runs in .venv, not in an environment made for each build: it can then go on from the
# last one, and CMake and Ninja are the same everywhere.
INSTALL_SELF := CMAKE_ARGS="-DCMAKE_COMPILE_WARNING_AS_ERROR=$(WERROR) $(CMAKE_ARGS)" \
	$(INSTALL) --no-build-isolation --editable

LANGUAGE := $(wildcard $(addprefix src/gatewright/,equations/*.py compiler/*.py compiler/printers/*.py))
CELLS := $(sort $(wildcard src/gatewright/cells/*.py))
ENGINE := CMakeLists.txt $(wildcard cmake/*.cmake engine/*.cpp engine/*.h)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo build quick test fuzz lint format types sanitize wheel clean FORCE

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/engine.stamp  ## set everything up, then compare networks on real data
	$(BIN)/gatewright compare sunspots --out runs/demo

build: $(VENV)/engine.stamp  ## set up .venv and compile the engine

quick: $(VENV)/engine.stamp $(VENV)/dev.stamp  ## run the tests but the slow ones, in 90 seconds
	$(PYTEST) -m "not slow" $(TESTS)

test: $(VENV)/engine.stamp $(VENV)/dev.stamp  ## run all tests, in 8 minutes
	$(PYTEST) $(TESTS)

fuzz: $(VENV)/engine.stamp $(VENV)/dev.stamp  ## damage files, flags and runs for a minute
	OMP_NUM_THREADS=1 $(BIN)/python tests/shared/fuzz_files.py $(FUZZ)

lint: $(VENV)/dev.stamp  ## check style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(VENV)/dev.stamp  ## put the source into the project's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/dev.stamp  ## check the types
	$(BIN)/mypy --strict

# The sanitizer's runtime has to be the first library of the process. libstdc++ comes with it, so
# that it finds the functions that throw, which torch calls.
SANITIZED := build/sanitize/libgatewright_engine.so
sanitize: $(VENV)/engine.stamp $(VENV)/dev.stamp  ## run the engine's tests under sanitizers (Linux, gcc)
	$(BIN)/cmake -S . -B build/sanitize -G Ninja -DCMAKE_BUILD_TYPE=Debug \
		-DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja \
		-DPython_EXECUTABLE=$(abspath $(BIN))/python -DGATEWRIGHT_SANITIZE=ON
	$(BIN)/cmake --build build/sanitize
	LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so)" \
	ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0 \
	UBSAN_OPTIONS=print_stacktrace=1 \
	GATEWRIGHT_ENGINE=$(abspath $(SANITIZED)) \
		$(BIN)/python -m pytest --capture=sys $(or $(TESTS),$(wildcard tests/backends/test_engine*.py))

wheel: $(VENV)/engine.stamp  ## build the wheel into dist/
	$(PIP) wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .
	@ls -l dist/*.whl

clean:  ## remove everything built; .venv stays, rm -r it to start afresh
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis $(VENV)/engine.stamp

# torch before anything that depends on it, so that no other build of it is pulled in.
$(VENV)/torch.stamp: constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	@echo "Setting up $(VENV)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) torch
	$(INSTALL) scikit-build-core cmake ninja
	@touch $@

$(VENV)/engine.stamp: $(VENV)/torch.stamp pyproject.toml $(ENGINE) $(LANGUAGE) $(CELLS) build/cells.txt
	@echo "Building the engine (minutes the first time, later only what changed)"
	$(INSTALL_SELF) '.[plot]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(VENV)/engine.stamp
	$(INSTALL_SELF) '.[dev]'
	@touch $@

# The names of the cells, rewritten only when one comes or goes.
build/cells.txt: FORCE
	@mkdir -p build
	@echo '$(CELLS)' | cmp -s - $@ || echo '$(CELLS)' > $@
