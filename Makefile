# Everything a person or a machine does with this repository. `make` builds; `make test` proves.
#
#   make                build/ci-image-builder and build/launcher
#   make deps           the Debian packages of packages.txt (DEPS="build run test bench" chooses groups)
#   make quickstart     build, then a first image from an example
#   make test           unit tests (ctest), then conformance and integration tests (pytest, as root)
#   make test-sanitize  unit tests and goldens with address and undefined, then unit tests with thread
#   make bench          benchmarks
#   make clean          removes build/
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: all deps deps-build quickstart test test-sanitize bench clean

DEPS   ?= build run test
JOBS   ?= $(shell nproc)
# Root is needed for mounts and for other people's ids; sudo keeps the environment so that CIB_BUILD arrives.
SUDO   := $(if $(filter 0,$(shell id -u)),,sudo -E)
# Debian's own python: the one that python3-pytest belongs to, whatever is first in PATH.
PYTEST := env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest

# The programs alone: tests need packages of their own, and time.
all: deps-build build/build.ninja
	@ninja -C build -j $(JOBS) $(if $(wildcard build/ci-image-builder),--quiet) ci-image-builder launcher

build/build.ninja:
	@echo "== configuring build/"
	@cmake -S . -B build -G Ninja -DCIB_TESTS=OFF >/dev/null

deps:
	@.ci/deps $(DEPS)

deps-build:
	@.ci/deps build

quickstart: all
	@.ci/deps run
	@./quickstart.sh

# Both suites run even when the first one fails, so that one run shows everything that is broken.
test:
	@.ci/deps build test
	@echo "== building the programs and their tests in build/"
	@cmake -S . -B build -G Ninja -DCIB_TESTS=ON >/dev/null
	@ninja -C build -j $(JOBS) $(if $(wildcard build/test_base),--quiet)
	@failed=0; \
	echo "== ctest (unit tests)"; \
	ctest --test-dir build --output-on-failure --no-tests=error -j $(JOBS) || failed=1; \
	echo "== pytest (conformance and integration, as root)"; \
	$(SUDO) env CIB_BUILD=$(CURDIR)/build $(PYTEST) test || failed=1; \
	exit $$failed

# setarch -R: GCC 12's thread sanitizer cannot place its shadow when the kernel uses more than 28 random bits.
test-sanitize:
	@.ci/deps build test sanitize
	@cmake -S . -B build/asan -G Ninja -DCIB_SANITIZE=address >/dev/null
	@cmake -S . -B build/tsan -G Ninja -DCIB_SANITIZE=thread >/dev/null
	@ninja -C build/asan -j $(JOBS)
	@ninja -C build/tsan -j $(JOBS)
	@failed=0; \
	echo "== ctest with address and undefined"; \
	ctest --test-dir build/asan --output-on-failure --no-tests=error -j $(JOBS) || failed=1; \
	echo "== ctest with thread"; \
	setarch $$(uname -m) -R ctest --test-dir build/tsan --output-on-failure --no-tests=error -j $(JOBS) || failed=1; \
	echo "== goldens with address and undefined"; \
	$(SUDO) env CIB_BUILD=$(CURDIR)/build/asan $(PYTEST) test/conformance || failed=1; \
	exit $$failed

bench:
	@.ci/deps build bench
	@cmake -S . -B build/bench -G Ninja -DCIB_BENCH=ON -DCIB_TESTS=OFF >/dev/null
	@ninja -C build/bench -j $(JOBS)
	@set -e; for program in $$(find build/bench -type f -name 'bench_*' -executable | sort); do \
	  echo "== $$program"; $$program; done

clean:
	rm -rf build
