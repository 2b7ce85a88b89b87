# The two commands to know: make demo, make test. "make help" lists the rest.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --dirty 2>/dev/null || echo devel)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
INFO    := github.com/megawire/megawire/internal/buildinfo
LDFLAGS := -s -w -X $(INFO).version=$(VERSION) -X $(INFO).commit=$(COMMIT)

# FUZZTIME is how long "make fuzz" spends on each target, FUZZTARGETS a pattern for their names.
FUZZTIME    ?= 30s
FUZZTARGETS ?= .

# TESTFLAGS go to every "go test", as in: make test-short TESTFLAGS='-run TestX -count 5'
TESTFLAGS ?=

# LINTER is pinned; one on PATH is taken instead, since building it takes minutes.
LINTER := $(shell command -v golangci-lint || echo go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0)

# Real captures to test with, where they are; the tests make their own otherwise.
ifneq ($(wildcard ../shared/data/*.ndjson),)
export MEGAWIRE_CAPTURES ?= $(abspath ../shared/data)
endif

GOFILES = $(shell find . -name '*.go' -not -path '*/node_modules/*')

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/megawire and bin/loadgen, both static
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/ ./cmd/megawire ./cmd/loadgen

.PHONY: demo
demo: build ## run the server with its built-in feed, and say where to look
	@exec bin/megawire serve --demo

.PHONY: test
test: deps check build test-go test-plain fuzz-short test-interop test-count ## install what the tests need, then run all of them (what CI runs)

.PHONY: test-short
test-short: check ## run the Go tests that need nothing installed
	go test -short $(TESTFLAGS) ./...

.PHONY: deps
deps: ## install the clients and the browser that the tests use (Debian and npm)
	./internal/interop/install.sh

# The whole log stays in bin/test.log. On the screen go the packages, the tests,
# whatever failed, and a count at the end, so that a skip cannot hide.
.PHONY: test-go
test-go: ## run the Go tests under the race detector
	@mkdir -p bin
	go test -race -v -timeout 12m $(TESTFLAGS) ./... 2>&1 | tee bin/test.log \
		| { grep -vE '^(=== | +--- PASS)' || true; }

# What the race detector distorts: allocations, bytes of memory, and the long run of the model.
.PHONY: test-plain
test-plain: ## run the tests of the cores without the race detector
	@mkdir -p bin
	go test -v -timeout 5m $(TESTFLAGS) ./pubsub/... ./codec/... ./poller 2>&1 | tee bin/plain.log \
		| { grep -vE '^(=== | +--- PASS)' || true; }

# -count 1: what these tests start is not seen by the cache of test results.
.PHONY: test-interop
test-interop: ## run the tests with real clients and a real browser
	@mkdir -p bin
	go test -tags interop -v -count 1 -timeout 10m $(TESTFLAGS) ./internal/interop/... 2>&1 | tee bin/interop.log \
		| { grep -vE '^(=== | +--- PASS)' || true; }

.PHONY: test-count
test-count:
	@awk '/^ *--- PASS/ { p++ } /^ *--- SKIP/ { s++; print } \
		END { printf "%d tests passed, %d skipped\n", p, s; exit p == 0 }' bin/test.log bin/plain.log bin/interop.log

.PHONY: check
check: ## gofmt, go vet
	@bad="$$(gofmt -l $(GOFILES))"; if [ -n "$$bad" ]; then echo "not gofmt'ed:"; echo "$$bad"; exit 1; fi
	go vet ./...

# BENCHFLAGS go to every run, as in: make bench BENCHFLAGS='--servers megawire,floor,gws --workloads ticker-100k'
BENCHFLAGS ?=

.PHONY: bench-quick
bench-quick: build ## compare with the floor and Bun, in under three minutes: a first impression
	./bench/install.sh quick
	rm -rf bin/bench-quick
	go run ./bench/cmd/bench run --quick --rounds 2 --servers megawire,floor,bun --out bin/bench-quick $(BENCHFLAGS)

.PHONY: bench-deps
bench-deps: ## install the servers to compare with (Debian, npm, Go modules)
	./bench/install.sh

.PHONY: bench
bench: build bench-deps ## compare with all peers, for hours; results go to bench/results
	go run ./bench/cmd/bench run --workloads compare,growth $(BENCHFLAGS)

.PHONY: bench-report
bench-report: ## write docs/benchmarks.md from RESULTS, a folder in bench/results
	go run ./bench/cmd/bench report $(RESULTS)

# MILLIONFLAGS: see go run ./bench/million/cmd/million --help
MILLIONFLAGS ?=

.PHONY: million
million: build ## prove a million connections to one process, in a user-mode-linux guest where this host's limits are lower
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o bin/million-guest ./bench/million/cmd/guest
	go run ./bench/million/cmd/million $(MILLIONFLAGS)

# The stored result is of the last release and one machine: times compare there alone, allocations everywhere.
BASELINE      := bench/results/go-baseline.txt
BENCHSTAT     := go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
BENCHPACKAGES ?= ./codec/... ./pubsub ./poller
BENCHCOUNT    ?= 6
BENCHTIME     ?= 300ms

.PHONY: bench-go
bench-go: ## run the Go benchmarks of codec, index and delivery, and compare them with the stored result
	@mkdir -p bin
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -count $(BENCHCOUNT) $(TESTFLAGS) $(BENCHPACKAGES) | tee bin/bench-go.txt
	$(BENCHSTAT) $(wildcard $(BASELINE)) bin/bench-go.txt

.PHONY: bench-go-baseline
bench-go-baseline: bench-go ## store what bench-go finds, for later ones to be compared with
	cp bin/bench-go.txt $(BASELINE)

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZTIME (30s)
	./.ci/fuzz each $(FUZZTIME) '$(FUZZTARGETS)'

.PHONY: fuzz-short
fuzz-short: ## fuzz all targets for a minute together
	./.ci/fuzz all 60s

# SOAKTIME is how long "make soak" takes, such as 10m or 2h.
SOAKTIME ?= 10m

# Without the race detector: the clients share the machine with the server. What it prints stays in bin/soak.txt.
.PHONY: soak
soak: ## have 10,000 clients of all kinds come and go for SOAKTIME (10m), and account for every message
	@mkdir -p bin
	MEGAWIRE_SOAK=$(SOAKTIME) go test -v -count 1 -timeout 0 -run '^TestSoak$$' $(TESTFLAGS) ./internal/e2e 2>&1 | tee bin/soak.txt

.PHONY: lint
lint: ## run golangci-lint
	$(LINTER) run ./...

.PHONY: clean
clean: ## remove what was built
	rm -rf bin dist
