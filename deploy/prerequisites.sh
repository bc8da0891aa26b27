#!/bin/sh
# Names everything that is missing before rollcall can be built, each with the command that brings it, all at once.
# `make setup` calls this, `make test` with the word "tests". CARGO, PYTHON and WHEEL come from the Makefile.
set -u
cd "$(dirname "$0")/.." || exit 1
cargo=${CARGO:-cargo}
python=${PYTHON:-python3}
missing=

need() { # WHAT HOW
    missing="$missing
  $1
      $2"
}

wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
if ! command -v "$cargo" >/dev/null 2>&1; then
    if [ -x "${HOME:-}/.cargo/bin/cargo" ]; then
        # shellcheck disable=SC2016 # typed by the reader, in their own shell
        need "Rust is installed but not on the PATH of this shell" '. "$HOME/.cargo/env"'
    else
        need "Rust $wanted or newer" "install it with rustup (https://rustup.rs), then open a new shell"
    fi
else
    found=$("$cargo" --version 2>/dev/null | sed -n 's/^cargo \([0-9]*\.[0-9]*\).*/\1/p')
    if [ -z "$found" ]; then
        need "a Rust toolchain ($cargo is there but does not start)" "rustup default stable"
    elif [ "${found%.*}" -lt "${wanted%.*}" ] ||
        { [ "${found%.*}" -eq "${wanted%.*}" ] && [ "${found#*.}" -lt "${wanted#*.}" ]; }; then
        need "Rust $wanted or newer (found $found)" "rustup update stable (where there is no rustup: https://rustup.rs, then open a new shell)"
    fi
fi

if ! command -v cc >/dev/null 2>&1; then
    need "a C compiler" "apt-get install build-essential"
elif ! echo '#include <stdio.h>' | cc -x c -fsyntax-only - >/dev/null 2>&1; then
    need "the C library's headers" "apt-get install build-essential"
elif ! echo 'int main(void) { return 0; }' | cc -x c -o /dev/null - -lpq >/dev/null 2>&1; then
    need "libpq, the client library of Postgres" "apt-get install libpq-dev"
fi

# The tests start a Postgres server of their own.
if [ "${1:-}" = tests ] && ! { command -v initdb || ls "$(pg_config --bindir)/initdb" /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1; then
    need "the Postgres server's programs (the tests start a server of their own)" "apt-get install postgresql"
fi

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 7))' >/dev/null 2>&1; then
    need "Python 3.7 or newer, with pip" "apt-get install python3 python3-pip"
elif [ -z "${WHEEL:-}" ] && ! ls runtime/libonnxruntime.so.* >/dev/null 2>&1 &&
    ! "$python" -m pip --version >/dev/null 2>&1; then
    need "pip for $python (it fetches ONNX Runtime and installs nothing)" "apt-get install python3-pip"
fi

[ -z "$missing" ] && exit 0
cat >&2 <<END
rollcall cannot be built here yet. This is missing:
$missing

The apt-get lines are for Debian and Ubuntu and need root; other systems have packages of similar names.
END
exit 1
