# `make` prints what there is. Everything is incremental: what is up to date is not made again.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

HOPYARD_DATA ?= ./data
HOPYARD_LISTEN ?= 127.0.0.1:8890
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hopyard

# One pinned linter for everybody; it also formats.
LINT_VERSION := v2.15.0
LINT := $(CACHE)/tools/golangci-lint-$(LINT_VERSION)

GO_SOURCES := $(shell find . -name '*.go' -not -name '*_test.go' -not -path './*/node_modules/*') go.mod go.sum
EMBEDDED := $(shell find envs ui/lab gateway kernels projects -type f -not -name '*.go' -not -path '*/testdata/*' 2>/dev/null)
UI_SOURCES := $(shell find ui/src ui/public ui/index.html ui/vite.config.ts ui/tsconfig.json -type f 2>/dev/null)

# NO_UI=1 builds without Node: everything but the console's pages.
ifdef NO_UI
TAGS := -tags no_ui
else
UI := ui/dist/index.html
endif

.PHONY: help
help: ## Print this
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: bin/hopyard ## Build the console and bin/hopyard (NO_UI=1: without Node)

bin/hopyard: $(GO_SOURCES) $(EMBEDDED) $(UI)
	@echo "building bin/hopyard" >&2
	@version=$$(git describe --tags --always --dirty 2>/dev/null || echo dev); \
	commit=$$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown); \
	CGO_ENABLED=0 go build -trimpath -buildvcs=false $(TAGS) -ldflags "-s -w -X main.version=$$version -X main.commit=$$commit" -o $@ ./cmd/hopyard

ui/dist/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	@echo "building the console" >&2
	@cd ui && npm run --silent build >&2

# npm writes this file last, so that it is as new as what it lists.
%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node 20 or newer, or build without the console: make build NO_UI=1" >&2; exit 1; }
	@echo "installing the packages of $*" >&2
	@cd $* && npm ci --no-audit --no-fund >&2
	@touch $@

.PHONY: run
run: bin/hopyard ## Build, prepare and start on 127.0.0.1:8890 (HOPYARD_DATA, HOPYARD_LISTEN)
	@exec bin/hopyard serve --data $(HOPYARD_DATA) --listen $(HOPYARD_LISTEN) --demo

.PHONY: test
test: test-tools vet lint unit ui-test e2e ## Everything that CI runs

.PHONY: test-tools
test-tools:
	@scripts/test-tools

.PHONY: vet
vet:
	go vet ./...

# What tests share of what serve prepares: tools, a first environment and Lab's pages, made once.
export HOPYARD_TEST_PREPARED := $(CACHE)/prepared

.PHONY: prepared
prepared: bin/hopyard
	@bin/hopyard prepare --data $(HOPYARD_TEST_PREPARED) >/dev/null

.PHONY: unit
unit: prepared ## Unit, conformance and race tests, and the fuzz seeds
	@made=$$(bin/hopyard prepare --data $(HOPYARD_TEST_PREPARED)); \
	export HOPYARD_TEST_PYTHON=$$(sed -n 's/^python //p' <<<"$$made") HOPYARD_TEST_TOOLS=$$(sed -n 's/^tools //p' <<<"$$made"); \
	echo go test -race -timeout 20m ./...; go test -race -timeout 20m ./...

.PHONY: ui-test
ui-test: ui/node_modules/.package-lock.json
	cd ui && npm --silent test

.PHONY: e2e
e2e: prepared e2e/node_modules/.package-lock.json ## A real browser and real clients against the binary
	cd e2e && HOPYARD=$(CURDIR)/bin/hopyard npm --silent test

.PHONY: bench
bench: prepared ## Measure, beside the peers
	go run ./bench

.PHONY: lint
lint: $(LINT) ## Run the linters
	$(LINT) run ./...

$(LINT):
	@echo "building golangci-lint $(LINT_VERSION); once, some minutes" >&2
	@mkdir -p $(@D).new && GOBIN=$$(cd $(@D).new && pwd) GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mkdir -p $(@D) && mv $(@D).new/golangci-lint $@ && rmdir $(@D).new

.PHONY: fmt
fmt: $(LINT) ## Format the Go code
	$(LINT) fmt

.PHONY: lock
lock: ## Pin the newest wheels of our tools and of the first environment
	python3 scripts/lock_wheels.py

.PHONY: verify
verify: $(LINT) ## Prove that formatting, module files and downloads are as committed
	$(LINT) fmt --diff
	go mod tidy -diff
	go mod verify

.PHONY: clean
clean: ## Remove what was built; data and caches stay
	rm -rf bin ui/dist/assets ui/dist/index.html ui/dist/*.gz ui/node_modules e2e/node_modules e2e/out bench/out
