# Every gate of this project is a command here. `make` alone explains them.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
CONFIG   ?= Caddyfile.example
PKG      ?= ./...
COUNT    ?= 1
BENCH    ?= .
FUZZTIME ?= 3m
TIMEOUT  ?= 30m

# Every folder with Go code.
DIRS := caddymodule cmd internal tests

# Tools live in .tools, which git ignores, one file per version.
TOOLS         := $(CURDIR)/.tools
LINTER_VERSION := v2.15.0
LINTER        := $(TOOLS)/golangci-lint-$(LINTER_VERSION)

.PHONY: help build run test race soak lint vuln fuzz bench load pgo fmt clean need-go need-race need-tests

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-7s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

build: need-go ## build bin/gatehouse: Caddy with the plugin, without cgo
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/gatehouse ./cmd/gatehouse

run: need-go ## serve CONFIG (default Caddyfile.example) until interrupted
	$(GO) run ./cmd/gatehouse run --config $(CONFIG)

test: need-go need-race need-tests ## run every test once, under the race detector, nothing cached
	CGO_ENABLED=1 $(GO) test -race -count=1 -timeout $(TIMEOUT) ./...

race: need-go need-race ## hunt a race: make race PKG=./internal/introspect COUNT=20
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -count=$(COUNT) -timeout $(TIMEOUT) $(PKG)

soak: need-go need-race need-tests ## run every test ten times in a row (GATEHOUSE_KNOCKS=full: the knocks in full)
	CGO_ENABLED=1 $(GO) test -race -count=10 -timeout 8h ./...

lint: need-go $(LINTER) ## check form: gofmt, go vet, golangci-lint (import rules and sizes are tests)
	@bad=$$(gofmt -l $(DIRS)); \
	if [[ -n $$bad ]]; then echo "gofmt would change these; run 'make fmt':"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(LINTER) run ./...

vuln: need-go ## look for known vulnerabilities; needs the network, so no other target depends on it
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...

fuzz: need-go ## run every fuzz target for FUZZTIME (default 3m); PKG narrows the search
	@targets=$$($(GO) test -list '^Fuzz' $(PKG) | \
		awk '/^Fuzz/ {name[n++] = $$1} /^ok/ {for (i = 0; i < n; i++) print $$2, name[i]; n = 0}'); \
	if [[ -z $$targets ]]; then echo "no fuzz target in $(PKG)"; exit 1; fi; \
	while read -r pkg name; do \
		echo "== $$pkg $$name for $(FUZZTIME)"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$pkg" </dev/null; \
	done <<<"$$targets"

bench: need-go ## run the benchmarks matching BENCH in PKG, COUNT times, with allocations
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count=$(COUNT) -timeout $(TIMEOUT) $(PKG)

load: need-go ## compare guarded requests with a bare Caddy's (Linux); LOAD='-w W1 -rounds 20'
	$(GO) run ./tests/bench/load $(LOAD)

pgo: need-go ## make cmd/gatehouse/default.pgo anew: a CPU profile of the guarded path (Linux)
	rm -f cmd/gatehouse/default.pgo
	$(GO) run ./tests/bench/load -profile cmd/gatehouse/default.pgo -secs 15

fmt: need-go ## format the Go code and the example Caddyfile
	gofmt -w $(DIRS)
	$(GO) run ./cmd/gatehouse fmt --overwrite Caddyfile.example

clean: ## remove what the other targets made
	rm -rf bin .tools

$(LINTER):
	@echo "installing golangci-lint $(LINTER_VERSION) into .tools (once)"
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINTER_VERSION)
	mv $(TOOLS)/golangci-lint $@

need-go:
	@command -v $(GO) >/dev/null || { \
		echo "missing: Go $$(awk '/^go / {print $$2}' go.mod) or newer, see https://go.dev/dl/"; exit 1; }

need-race:
	@command -v "$$($(GO) env CC | cut -d' ' -f1)" >/dev/null || { \
		echo "missing: a C compiler; the race detector needs one (Debian: apt-get install gcc libc6-dev)"; exit 1; }

need-tests:
	@for need in bash:bash curl:curl sed:sed node:nodejs npm:npm; do \
		tool=$${need%%:*}; package=$${need##*:}; \
		command -v $$tool >/dev/null && continue; \
		if [[ $$(id -u) == 0 ]] && command -v apt-get >/dev/null; then \
			echo "installing $$package, which the tests run"; \
			apt-get install -y --no-install-recommends $$package || true; \
		fi; \
		command -v $$tool >/dev/null || { \
			echo "missing: $$tool, which the tests run (Debian: apt-get install $$package; Node.js must be 20 or newer)"; exit 1; }; \
	done
