# What a person types. Everything else is in the scripts that these call.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

folder := $(or $(GAMEWARDEN_CLUSTER_DIR),$(CURDIR)/.cluster)

# The test cluster of this checkout; or, with CLUSTER=existing, that of the current kubectl context, which
# is asked once, so that all of a run goes to the same one.
ifeq ($(CLUSTER),existing)
export CLUSTER
export GAMEWARDEN_CONTEXT := $(or $(GAMEWARDEN_CONTEXT),$(shell kubectl config current-context))
up = tests/existing-cluster
down = tests/uninstall
else
up = tests/cluster/up
down = tests/cluster/down
endif

# Tools: tests/tools prints the folder that it installed them in.
nextest = tools=$$(tests/tools nextest) && PATH="$$tools:$$PATH" cargo nextest run
# The end-to-end tests. Of the whole workspace: cargo builds the dependencies of one package alone with other features, once
# more.
e2e = $(nextest) --workspace -E 'package(gamewarden-tests)$(if $(1), & test(/^$(1)::/))' $(if $(1),--run-ignored only --no-capture)

# Where rustup puts cargo, when tests/toolchain has just installed it.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: cluster
cluster: ## Bring up a real Kubernetes with Gamewarden in it (root; Debian)
	@$(up)
	@tests/toolchain
	@tests/images/build --import
	@tests/install

.PHONY: cluster-down
cluster-down: ## Take the cluster away, and all that it left on the machine
	@$(down)

.PHONY: demo
demo: ## Watch the manual's two walkthroughs happen
	@$(up)
	@tests/toolchain
	@tests/images/build --import
	@tests/demo/run

.PHONY: demo-down
demo-down: cluster-down ## Remove all that the demo made, the cluster included

.PHONY: test
test: ## All checks and all tests; brings the cluster up and leaves it up
	@tests/toolchain
	@$(MAKE) --no-print-directory fmt-check lint deny
	@$(up)
	@tests/toolchain
	@tests/images/build --import
	@tests/chart/check
	@tests/chart/lifecycle
	@tests/install
	@tests/chart/webhook-down
	@tests/chart/external
	@$(nextest) --workspace

.PHONY: unit
unit: ## Unit and property tests, without a cluster
	@$(nextest) --workspace --exclude gamewarden-tests

.PHONY: model
model: ## Explore more of what can happen to servers that go than make unit does (docs/results/model.md)
	@$(nextest) --release -p gamewarden-api --run-ignored only --no-capture removal::model::

.PHONY: e2e
e2e: cluster ## End-to-end tests on the cluster
	@$(call e2e)

.PHONY: failover
failover: cluster ## Kill, stop and restart leaders at random moments, GAMEWARDEN_ROUNDS times (5)
	@$(call e2e,chaos)

.PHONY: race
race: cluster ## Players against scale-downs, leaders and API servers that end: no wrong removal (10 minutes; GAMEWARDEN_RACE_SECONDS)
	@$(call e2e,race)
	@echo "the table: $(folder)/race.md, for docs/results/race.md; the log: $(folder)/race.log"

.PHONY: trials
trials: cluster ## A player joins, 0 to 9 s later the set shrinks: a hundred times, nobody's server is taken (GAMEWARDEN_TRIALS of each delay)
	@$(call e2e,trials)
	@echo "the table: $(folder)/trials.md, for docs/results/trials.md"

.PHONY: mutants
mutants: cluster ## Break the removal of servers on purpose, step by step: a test with pause points has to notice each
	@tests/mutants

.PHONY: hundred
hundred: cluster ## A set of a hundred servers: times, costs, a killed and a restarted controller
	@tests/bench/hundred

.PHONY: bench
bench: bench-admission bench-probing ## Both benches (40 minutes; nothing else should run)

.PHONY: bench-admission
bench-admission: ## What admission costs, beside a server that only answers "allowed" (10 minutes; nothing else should run)
	@tests/toolchain
	@cargo bench --quiet --config .cargo/static.toml --target x86_64-unknown-linux-gnu -p webhook --bench admission -- \
	    --million --json $(folder)/admission.json

.PHONY: bench-probing
bench-probing: cluster ## What a probe costs, each way, beside runc and a shell; how soon it is known (25 minutes; nothing else should run)
	@tests/bench/probing --json $(folder)/probing.json --svg $(folder)/probing.svg
	@echo "the figures: $(folder)/probing.json, the plot: $(folder)/probing.svg, for docs/results/probing.md"

.PHONY: schedule
schedule: cluster ## 250 servers on one node, probed at rising rates: do probes start when they are due? (15 minutes)
	@tests/bench/schedule --json $(folder)/schedule.json --svg $(folder)/schedule.svg
	@echo "the figures: $(folder)/schedule.json, the plot: $(folder)/schedule.svg, for docs/results/probing.md"

.PHONY: fuzz
fuzz: ## Fuzz targets, or the one that FUZZ names, GAMEWARDEN_FUZZ_SECONDS each (900); make test runs the corpus
	@tests/toolchain
	@tests/fuzz $(FUZZ)

.PHONY: test-matrix
test-matrix: ## The cluster tests on the oldest and the newest Kubernetes (builds both the first time)
	@tests/toolchain
	@tests/matrix

.PHONY: test-runtimes
test-runtimes: ## The tests of node probers on other container runtimes (builds them the first time; CRI-O if it is installed)
	@tests/toolchain
	@tests/matrix --runtimes

.PHONY: generate
generate: ## Write the generated files: the chart's CRDs, the runtime's bindings, the table of values in docs/install.md
	GAMEWARDEN_GENERATE=1 cargo test --quiet -p gamewarden-api --test crds
	GAMEWARDEN_GENERATE=1 cargo test --quiet -p reconciler --test cri_bindings
	GAMEWARDEN_GENERATE=1 cargo test --quiet -p gamewarden-tests --test documentation the_table_of_values

.PHONY: fmt
fmt: ## Format the Rust sources
	cargo fmt --all

.PHONY: fmt-check
fmt-check:
	cargo fmt --all --check

.PHONY: lint
lint: ## Lints of all Rust code, as errors
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: deny
deny: ## Check dependencies: licenses, sources, banned ones
	@tools=$$(tests/tools deny) && PATH="$$tools:$$PATH" cargo deny --log-level error check bans licenses sources

.PHONY: images
images: ## Make the container images as OCI archives, in .cluster/images
	@tests/images/build

.PHONY: clean
clean: ## Remove what was built here (the cluster has cluster-down)
	cargo clean
	rm -rf $(folder)/images
