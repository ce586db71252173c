# `make` alone lists what there is to do.
.DEFAULT_GOAL := help

# Modules of their own: examples, as the programs of others are, and engines that
# need more than the gateway does.
MODULES := $(patsubst %/go.mod,%,$(wildcard examples/*/go.mod plugins/*/go.mod))

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ENGINES  := $(notdir $(filter-out $(MODULES),$(patsubst %/main.go,%,$(wildcard plugins/*/main.go))))
PROTO    := plugins/sdk/proto
FUZZTIME ?= 30s
SOAK     ?= 10m

# Tools are modules of their own, so that nothing of theirs is in go.mod.
LINT := go tool -modfile=tools/lint/go.mod golangci-lint
BUF  := go tool -modfile=$(CURDIR)/tools/buf/go.mod buf
VULN := go tool -modfile=$(CURDIR)/tools/vuln/go.mod govulncheck

# What is given out, for each of PLATFORMS.
PLATFORMS ?= linux/amd64 linux/arm64
PROGRAMS := ./cmd/gateway $(ENGINES:%=./plugins/%)

# Binaries need no libc; the race detector, which tests use, does.
GO_BUILD := CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)'

# What a gateway under load did: the compiler inlines and lays out accordingly,
# which is worth some percent. `make profile` makes it anew.
PROFILE := cmd/gateway/gateway.pgo

.PHONY: help build run test simulate check licenses vuln dist dist-check format vet lint generated generate generate-python fmt fuzz \
	torture torture-quick torture-engines bench soak profile clean \
	plugins/grapheteria plugins/temporal test-grapheteria test-temporal

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z\/-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/gateway and bin/plugins/<engine>
	$(GO_BUILD) -pgo=$(PROFILE) -o bin/gateway ./cmd/gateway
	@for engine in $(ENGINES); do \
		echo "build bin/plugins/$$engine"; \
		$(GO_BUILD) -o bin/plugins/$$engine ./plugins/$$engine || exit 1; \
	done

plugins/temporal: ## build bin/plugins/temporal, which build leaves out
	cd $@ && $(GO_BUILD) -o $(CURDIR)/bin/$@ .

run: build ## build, then run the gateway on ./gateway.yaml
	@exec ./bin/gateway run --config gateway.yaml

plugins/grapheteria: ## install the Grapheteria engine to bin/plugins; needs Python (PYTHON) and PyPI
	@plugins/grapheteria/install.sh bin/plugins

test: ## run all tests but test-grapheteria and test-temporal
	go test -timeout 20m $(TESTFLAGS) ./...
	@for module in $(MODULES); do \
		echo "cd $$module && go test $(TESTFLAGS) ./..."; \
		(cd $$module && go test $(TESTFLAGS) ./...) || exit 1; \
	done

simulate: ## play thousands of histories of the gateway in simulated time; without -race, which is slow
	go test -timeout 20m ./test/simulation

# Its Python tests, then the installed program under the suite for all engines
# and under a gateway.
test-grapheteria: plugins/grapheteria ## test the Grapheteria engine, on the package from PyPI
	cd plugins/grapheteria && PYTHONDONTWRITEBYTECODE=1 \
		$(CURDIR)/bin/plugins/grapheteria.d/venv/bin/python -m unittest discover -b -t . -s tests
	go test $(TESTFLAGS) -tags grapheteria ./plugins/grapheteria

# The server takes minutes to compile, and twice that for the race detector,
# which is in the engine that is tested and not in the server.
test-temporal: ## test the engine temporal against Temporal's own server
	cd plugins/temporal/servertest && go test -timeout 5m ./...

check: TESTFLAGS = -race ## everything CI wants: format, vet, lint, generated files, all tests with -race, simulation, torture-quick, soak
check: format vet lint generated licenses vuln test simulate torture-quick soak test-grapheteria test-temporal

format: ## fail on files that are not gofmt'ed
	@files=$$(gofmt -l .); \
		test -z "$$files" || { echo "not gofmt'ed (make fmt does it):"; echo "$$files"; exit 1; }

vet: ## go vet
	go vet -tags grapheteria ./...
	cd plugins/temporal && go vet ./...

lint: ## the pinned golangci-lint; its first build takes minutes
	$(LINT) run --allow-parallel-runners ./...
	cd plugins/temporal && go tool -modfile=$(CURDIR)/tools/lint/go.mod golangci-lint run --allow-parallel-runners ./...

generated: ## fail when generated files are not what the protocol says
	cd $(PROTO) && $(BUF) lint && $(BUF) generate -o $(CURDIR)/bin/.generated
	@cd bin/.generated && find . -name '*.go' | while read -r file; do \
		diff -u $(CURDIR)/$(PROTO)/$$file $$file || { echo "out of date: make generate"; exit 1; }; \
	done

generate: ## generate Go from the engine protocol
	cd $(PROTO) && $(BUF) generate

generate-python: ## generate Python from the engine protocol; needs PyPI
	@plugins/grapheteria/generate.sh bin/.generate-python

fmt: ## format all Go files
	$(LINT) fmt ./...

# See docs/reliability.md. Faults at system calls need Linux on amd64, the full disk root.
TORTURE := go run ./test/torture

torture: ## measure the promises under faults at the figures of a release; takes hours
	@mkdir -p bin
	$(TORTURE) -profile long -report bin/torture.json $(TORTURE_ARGS)

torture-quick: ## the same in minutes, for every change
	@mkdir -p bin
	$(TORTURE) -profile quick -report bin/torture-quick.json $(TORTURE_ARGS)

torture-engines: ## the trials that are about engines alone
	$(TORTURE) -profile quick -only T11,T12,T13,T14 $(TORTURE_ARGS)

fuzz: ## run every fuzz target for FUZZTIME (30s)
	@go test -list '^Fuzz' ./... | \
		awk '/^Fuzz/ {names[n++] = $$1} /^ok/ {for (i = 0; i < n; i++) print $$2, names[i]; n = 0}' | \
		while read -r package name; do \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done

bench: build ## measure a running gateway, events per second to the disk and back
	go run ./bench --gateway bin/gateway $(BENCH_ARGS)

soak: build ## SOAK (10m) at seven tenths of what the machine can run: nothing may grow, p99 under 50 ms
	go run ./bench --gateway bin/gateway --scenarios soak --rounds 1 --soak $(SOAK) $(BENCH_ARGS)

profile: build ## measure what the compiler should optimise for
	go run ./bench --gateway bin/gateway --rounds 2 --duration 8s --scenarios bare,accepted,run --profile bin/profile
	go tool pprof -proto bin/profile/*.gateway.pprof > $(PROFILE)

licenses: ## list the licences of all that is in the programs; fail on one that is not allowed
	@PROGRAMS='$(PROGRAMS)' tools/licenses/licenses.sh

vuln: ## look for known vulnerabilities that the programs can run into; says so where their database cannot be reached
	@for dir in . plugins/temporal; do \
		(cd $$dir && $(VULN) ./...) >bin/.vuln.log 2>&1 && continue; \
		case $$(cat bin/.vuln.log) in \
		*'fetching vulnerabilities'*|*'no such host'*|*'dial tcp'*) echo "NOT CHECKED for vulnerabilities: $$(tail -1 bin/.vuln.log)"; exit 0;; \
		*) cat bin/.vuln.log; exit 1;; \
		esac; \
	done

dist: ## build what is given out: dist/ has an archive for each of PLATFORMS, with bills of materials, and SHA256SUMS
	@VERSION='$(VERSION)' PLATFORMS='$(PLATFORMS)' ENGINES='$(ENGINES)' PROGRAMS='$(PROGRAMS)' PROFILE='$(PROFILE)' tools/dist/dist.sh dist

# Elsewhere, from a clone, and with nothing of what was compiled before.
dist-check: PLATFORMS = linux/amd64
dist-check: dist ## fail unless another build makes the same bytes
	@other=$$(mktemp -d) && trap 'chmod -R u+w "$$other"; rm -rf "$$other"' EXIT && \
		git clone -q . "$$other/another-folder" && cd "$$other/another-folder" && \
		GOCACHE=$$other/cache $(MAKE) --no-print-directory dist VERSION='$(VERSION)' PLATFORMS='$(PLATFORMS)' >/dev/null && \
		diff dist/SHA256SUMS '$(CURDIR)/dist/SHA256SUMS' && echo "the same bytes, twice"

clean: ## remove what was built; ./data stays
	rm -rf bin dist
