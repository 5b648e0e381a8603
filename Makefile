# jangada: build, check, test, try. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.DEFAULT_GOAL := help

BIN := node_modules/.bin
RESULTS := build/results
NATIVE := native/supervisor native/unpack native/addon
# Compiled tests of sources that exist: a leftover of a removed test must not run.
UNIT_TESTS = $(patsubst %.ts,build/%.js,$(shell find src -name '*.test.ts' | sort))

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-14s %s\n", $$1, $$2 }'

.PHONY: deps
deps: ## Install what is missing: Debian packages (as root) and node modules
	@deploy/install-packages.sh
	@cmp -s package-lock.json node_modules/.jangada-lock || { npm ci --ignore-scripts --no-audit --no-fund && cp package-lock.json node_modules/.jangada-lock; }

src/gen/api.ts: proto/cri/v1/api.proto
	@rm -rf src/gen
	@$(BIN)/proto-loader-gen-types --longs=String --enums=String --defaults --oneofs --grpcLib=@grpc/grpc-js \
	  --importFileExtension=.js --targetFileExtension=.ts --outDir=src/gen -I proto -- cri/v1/api.proto >/dev/null
	@touch $@

src/gen/descriptor.ts: src/gen/api.ts proto/describe.mjs
	@node proto/describe.mjs $@ proto/cri/v1/api.proto

src/gen/containerd.ts: src/gen/api.ts proto/describe.mjs $(wildcard proto/containerd/*.proto)
	@node proto/describe.mjs $@ $(wildcard proto/containerd/*.proto)

src/gen/nri.ts: src/gen/api.ts proto/describe.mjs $(wildcard proto/nri/*.proto)
	@$(BIN)/proto-loader-gen-types --longs=String --enums=String --defaults --oneofs --grpcLib=@grpc/grpc-js \
	  --importFileExtension=.js --targetFileExtension=.ts --outDir=src/gen/nri -I proto -- nri/nri.proto nri/ttrpc.proto >/dev/null
	@rm src/gen/nri/ttrpc.ts # declares what a file without services does not use
	@node proto/describe.mjs $@ proto/nri/nri.proto proto/nri/ttrpc.proto

src/gen/messages.ts: src/gen/api.ts $(wildcard proto/*.json proto/*.mjs)
	@node proto/generate.mjs typescript src/gen

.PHONY: gen
gen: src/gen/api.ts src/gen/descriptor.ts src/gen/containerd.ts src/gen/nri.ts src/gen/messages.ts ## Generate the TypeScript of the CRI and of the supervisor protocol

.PHONY: native
native: ## Build the native programs and the addon into build/native
	@for part in $(NATIVE); do $(MAKE) -C $$part; done

.PHONY: typescript
typescript: gen
	@$(BIN)/tsc --project tsconfig.json

# The program in one file: reading hundreds of modules would be most of the daemon's start. Without comments, because V8 keeps the source in
# memory, and with two bytes a character if a single one is not Latin-1.
.PHONY: bundle
bundle: typescript
	@$(BIN)/esbuild build/src/main.js --bundle --platform=node --format=esm --target=node20 \
	  --minify-whitespace --line-limit=160 --legal-comments=none --log-level=error --outfile=build/bin/jangada.js \
	  --banner:js="import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);"
	@chmod +x build/bin/jangada.js

.PHONY: build
build: deps native bundle ## Build everything into build/

.PHONY: format
format: ## Rewrite sources in the project's format
	@$(BIN)/biome format --write .
	@node proto/generate.mjs document proto/supervisor.md
	@clang-format-19 -i $$(find native e2e -name '*.[ch]' -o -name '*.cc' -o -name '*.cpp' -o -name '*.hpp')

.PHONY: lint
lint: gen ## Check format, lint rules, types, layers, dead code
	@.ci/lint

.PHONY: test-unit
test-unit: typescript ## Run the tests that need no root
	@node build/e2e/harness/run-tests.js unit $(UNIT_TESTS)

.PHONY: test-native
test-native: ## Run the native tests under ASan and UBSan, and the fuzzers for a bounded time
	@mkdir -p $(RESULTS)
	@for part in native/supervisor native/unpack; do $(MAKE) -C $$part test fuzz; done 2>&1 | tee $(RESULTS)/test-native.log | awk "!/^ok /"

.PHONY: e2e
e2e: build ## Run the real daemon, as root, in namespaces of its own (FILES=… for some files only)
	@e2e/run.sh $(FILES)

.PHONY: storm
storm: build ## Break everything around the daemon for a while and look what is left, as root (SECONDS=600, SEED=…)
	@STORM_SECONDS=$(or $(SECONDS),600) $(if $(SEED),STORM_SEED=$(SEED)) e2e/run.sh build/e2e/storm.test.js; cat $(RESULTS)/storm.json

.PHONY: e2e-vm
e2e-vm: build ## The same and more in a virtual machine with systemd, cgroup v2 and AppArmor (FILES=…, KERNEL=sid, COMMAND=…)
	@COMMAND="$${COMMAND:-}" KERNEL=$(KERNEL) e2e/vm/run.sh $(FILES)

.PHONY: test
test: ## Install, build and run all checks and tests
	@.ci/test

.PHONY: run
run: build ## Start the daemon, run a sample pod and show it
	@node build/e2e/sample/run.js

.PHONY: stop
stop: ## Stop what `make run` started and remove what it left
	@if [ -e build/e2e/sample/stop.js ]; then node build/e2e/sample/stop.js; fi

.PHONY: bench
bench: build ## Measure against containerd with runc and crun (BENCH_QUICK=1, BENCH_JSON=FILE, ARGS=--markdown)
	@node build/e2e/bench/main.js $(ARGS)

.PHONY: deb tarball sysext
deb: ## Package for Debian 12 and 13, with a Node.js of its own, into build/package
tarball: ## The same for any distribution with glibc 2.36
sysext: ## The same as a system extension (systemd-sysext)
deb tarball sysext: build
	@deploy/install-packages.sh deploy/package/apt-packages.txt
	@deploy/package/build.sh $@

.PHONY: clean
clean: ## Remove what was built
	@for part in $(NATIVE); do if [ -e $$part/Makefile ]; then $(MAKE) -C $$part clean; fi; done
	@rm -rf build src/gen

.PHONY: distclean
distclean: clean ## Remove what was built, installed and cached
	@rm -rf node_modules deploy/package/node_modules .cache .tap
