# `make demo` and `make test` are all a newcomer needs; both prepare the machine first and can be repeated.
# CARGO and PYTHON name other programs than the first ones on the PATH; WHEEL=FILE sets up without a network.
CARGO ?= cargo
PYTHON ?= python3
export CARGO PYTHON WHEEL

.DEFAULT_GOAL := help
.PHONY: help setup build demo test screenshots fuzz lint lint-deploy check-api bench peers deny dist

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: ## check the tools, bring ONNX Runtime into runtime/ (once)
	@sh deploy/prerequisites.sh
	@"$(PYTHON)" deploy/setup-runtime.py $(if $(WHEEL),--wheel "$(WHEEL)")

# Reports of `rollcall evaluate` name the commit; without git it is unknown.
build dist: export ROLLCALL_COMMIT = $(shell git rev-parse --short=12 HEAD 2>/dev/null)

build: setup ## the program: target/release/rollcall
	$(CARGO) build --release

demo: build ## attendance of the demo school, from photos to Excel
	./target/release/rollcall demo

# Documentation examples first: the last lines are then those of the test programs.
test: setup ## every test
	@sh deploy/prerequisites.sh tests
	$(CARGO) test --doc
	$(CARGO) test --lib --bins --tests

screenshots: setup ## every screen of the page, on phone and desk, light and dark: screenshots/
	SCREENSHOTS=screenshots $(CARGO) test --test school -- page::every_screen_is_fit_for_everybody

# SECONDS=N for each target, TARGETS="decode csv" to choose, SANITIZER=address to look for memory errors too.
SECONDS ?= 30
fuzz: ## throw mutated files at everything that reads other people's bytes
	@SECONDS_EACH=$(SECONDS) sh fuzz/run.sh

lint: ## format, clippy and documentation, without a single warning
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --lib

lint-deploy: ## check everything in deploy/ with the tools that are here; says what it could not check
	@bash deploy/lint.sh

# SECONDS_LONG=N to choose how long, ARGUMENTS="..." for schemathesis.
check-api: build ## throw generated requests at the server, by its OpenAPI document
	@bash tests/api/run.sh $(ARGUMENTS)

bench: setup ## time the pipeline's operations
	$(CARGO) bench

# Needs other people's weights and photos, and a network at the first run: benches/peers/README.md. ARGUMENTS="--rounds 9" ...
peers: setup ## rollcall beside InsightFace, facenet-pytorch and plain onnxruntime: a table of ratios
	$(CARGO) build --release --example peer
	@"$(PYTHON)" benches/peers/compare.py $(ARGUMENTS)

deny: ## licences, sources, duplicates and advisories of the crates we use
	@$(CARGO) deny --version >/dev/null 2>&1 || \
		{ echo "cargo-deny is missing: $(CARGO) install cargo-deny --locked" >&2; exit 1; }
	$(CARGO) deny check

# libpq and OpenSSL are built into the program, from their sources: that needs perl.
dist: setup ## an archive for machines without a compiler: dist/rollcall-VERSION-TARGET.tar.gz
	@command -v perl >/dev/null || { echo "perl is missing: apt-get install perl" >&2; exit 1; }
	$(CARGO) build --release --locked --features static-libpq --bin rollcall
	@"$(PYTHON)" deploy/make-dist.py
	@sh deploy/check-dist.sh dist/rollcall-*.tar.gz
