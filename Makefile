# Sticker Desk. `make` alone lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
# Tools that were installed for this project alone.
export PATH := $(TARGET)/tools/bin:$(PATH)

# make fuzz: how long each target runs, and which ones.
SECONDS ?= 60
FUZZ ?=
# make kills: how many.
KILLS ?= 100
# make bench: a part's name, for that part alone.
ONLY ?=
# What ONLY=compare needs, and what it prints and draws.
COMPARE = $(if $(filter compare,$(ONLY)),compare-servers)
COMPARED = $(if $(COMPARE),node bench/compare/table.mjs $(TARGET)/bench/report.json && \
	node bench/compare/table.mjs --svg $(TARGET)/bench/report.json >$(TARGET)/bench/compare.svg,:)

.PHONY: help
help: ## Lists the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Builds all and serves http://127.0.0.1:8080, data in ./data (SHARE=1: for the LAN)
	@exec $(TARGET)/release/sticker-desk serve --data ./data $(if $(filter-out 0,$(SHARE)),--share)

.PHONY: cluster
cluster: build ## Three nodes over three nats-servers on this machine, data in ./data-cluster
	@tools/need nats
	@exec tools/cluster $(TARGET)/release/sticker-desk

.PHONY: cluster-test
cluster-test: ## All tests of several machines: deaths, stops and cuts of real ones, two browsers (outside CI)
	@tools/need nats
	@cargo build --quiet -p sticker-desk
	@CLUSTER_SEEDS=3000 cargo test --quiet -p desk-cluster
	@cargo test --quiet -p desk-nats -- --include-ignored --test-threads 1
	@CLUSTER_KILLS=20 STICKER_DESK_BIN=$(TARGET)/debug/sticker-desk cargo test --quiet \
		-p desk-e2e --test cluster -- --nocapture --test-threads 1
	@tools/need node chromium
	@$(MAKE) --no-print-directory tests/browser/node_modules/.package-lock.json
	@cd tests/browser && STICKER_DESK_BIN=$(TARGET)/debug/sticker-desk \
		npx playwright test specs/cluster.spec.ts

.PHONY: test
test: ## Everything CI checks
	@tools/need cc rust node flatc nats
	@tools/test

.PHONY: bench
bench: build $(if $(filter store,$(or $(ONLY),store)),compare-store) $(COMPARE) ## The benchmark report, in target/bench (ONLY=store: one part)
	@before=$(if $(filter ws,$(or $(ONLY),ws)),$$(tools/before || true)); \
		cargo run --quiet --release -p desk-bench -- $(if $(ONLY),--only $(ONLY)) \
		$${before:+--before $$before}
	@$(COMPARED)

.PHONY: bench-quick
bench-quick: build $(if $(filter store,$(ONLY)),compare-store) $(COMPARE) ## A coarse benchmark in under 5 minutes
	@cargo run --quiet --release -p desk-bench -- --quick $(if $(ONLY),--only $(ONLY))
	@$(COMPARED)

.PHONY: instructions
instructions: ## Instructions of the core for one operation, counted by valgrind
	@tools/instructions

.PHONY: compare-store
compare-store: ## The store comparison's program, with the other stores (see its --help)
	@tools/need cc rust rocksdb
	@ROCKSDB=$$(ls /usr/lib/*/librocksdb.so /usr/lib/librocksdb.so 2>/dev/null | head -n 1); \
		[ -z "$$ROCKSDB" ] || export ROCKSDB_LIB_DIR=$${ROCKSDB%/*}; \
		CARGO_TARGET_DIR=$(TARGET) cargo build --release --features others \
		--manifest-path bench/compare-store/Cargo.toml

.PHONY: compare-servers
compare-servers: bench/compare/node_modules/.package-lock.json ## The servers of others that ONLY=compare measures
	@tools/need nats

.PHONY: build
build: web ## Server and page, release
	@tools/need cc rust
	@cargo build --release -p sticker-desk

.PHONY: web
web: wasm web/node_modules/.package-lock.json ## The page, into web/dist
	@if [ ! -f web/dist/index.html ] || [ -n "$$(find web \( -name node_modules -o -name dist -o -name vectors \) \
		-prune -o -type f -newer web/dist/index.html -print -quit)" ]; then \
		npm --prefix web run --silent build; fi

.PHONY: wasm
wasm: ## The client core for the page, into web/src/wasm
	@tools/need cc rust
	@tools/wasm

%/node_modules/.package-lock.json: %/package-lock.json %/package.json
	@tools/need node
	@PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm --prefix $* ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: sim
sim: ## The simulator for one seed (SEED=42), or for many without one
	@cargo run --quiet --release -p desk-sim -- $(if $(SEED),--seed $(SEED))

.PHONY: sim-store
sim-store: ## The store alone: every misfortune at every access of its disk, several seeds
	@tools/sim-store

.PHONY: kills
kills: ## kill -9: the binary over its store's life (KILLS=100), the store at every access of a real disk
	@cargo build --quiet --release -p sticker-desk
	@KILLS=$(KILLS) STICKER_DESK_BIN=$(TARGET)/release/sticker-desk \
		cargo test --quiet -p desk-e2e --test kills -- --nocapture
	@SWEEP=full cargo test --quiet -p desk-disk --test story -- --nocapture

# Our own store's part: the other stores take minutes to compile, and `make bench` builds them.
.PHONY: test-store
test-store: ## Lints and tests of the store comparison, a workspace of its own (outside CI)
	@tools/need cc rust
	@cargo clippy --quiet --all-targets --manifest-path bench/compare-store/Cargo.toml -- -D warnings
	@cargo test --quiet --manifest-path bench/compare-store/Cargo.toml

.PHONY: soak
soak: ## The simulator on ever new seeds, until it fails or is stopped
	@cargo run --quiet --release -p desk-sim -- --soak

.PHONY: peers
peers: ## What we write, opened by tldraw's, Excalidraw's and others' own code (outside CI)
	@cd tests/peers && npm ci --silent --no-audit --no-fund && npm test --silent

.PHONY: fuzz
fuzz: ## Fuzzes each target (SECONDS=60 each; FUZZ="frame_decode": only these)
	@tools/need cc rust cargo-fuzz
	@tools/fuzz $(SECONDS) $(FUZZ)

.PHONY: fmt
fmt: ## Formats the Rust code
	@cargo fmt --all
	@cargo fmt --manifest-path tools/wasm-build/Cargo.toml
	@cargo fmt --manifest-path fuzz/Cargo.toml
	@cargo fmt --manifest-path bench/compare-store/Cargo.toml

.PHONY: lint
lint: ## Clippy on everything, warnings as errors
	@cargo clippy --quiet --workspace --all-targets -- -D warnings
