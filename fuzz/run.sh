#!/bin/sh
# Runs every fuzz target for SECONDS (default 30), or those named in TARGETS, from the seeds in fuzz/seeds and what earlier runs
# found in fuzz/corpus. Needs no nightly compiler and no cargo-fuzz: the flags are those that cargo-fuzz passes. With
# SANITIZER=address memory errors are findings as well (twice as slow; sets RUSTC_BOOTSTRAP).
# A finding ends the run with 1 and lies in fuzz/artifacts; `fuzz/run.sh replay FILE TARGET` shows it again.
set -eu
cd "$(dirname "$0")"
cargo=${CARGO:-cargo}
seconds=${SECONDS_EACH:-30}
targets=${TARGETS:-decode csv pack_manifest names npy}

skip() {
    echo "SKIPPED: fuzzing: $1" >&2
    exit 0
}
command -v c++ >/dev/null 2>&1 || skip "no C++ compiler for libFuzzer (apt-get install g++)"
host=$(rustc -vV | sed -n 's/^host: //p')
case $host in *-linux-gnu) ;; *) skip "only set up for Linux with glibc, this is $host" ;; esac

flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
 -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=16"
if [ "${SANITIZER:-none}" != none ]; then
    flags="$flags -Zsanitizer=$SANITIZER"
    export RUSTC_BOOTSTRAP=1
fi
# The versions that the program is built from; cargo drops what is not needed here and adds libFuzzer.
cp ../Cargo.lock Cargo.lock
built=../target/fuzz/${SANITIZER:-none}
RUSTFLAGS=$(echo $flags) CARGO_TARGET_DIR=$built "$cargo" build --release --target "$host" --bins

run() { # TARGET, then libFuzzer's own arguments
    target=$1
    shift
    mkdir -p "corpus/$target" "artifacts/$target"
    dictionary=dictionaries/$target.dict
    [ -f "$dictionary" ] && set -- "-dict=$dictionary" "$@"
    "$built/$host/release/$target" -timeout=10 -rss_limit_mb=1024 -max_len=65536 \
        "-artifact_prefix=artifacts/$target/" "$@"
}

if [ "${1:-}" = replay ]; then
    run "$3" "$2"
    exit
fi
for target in $targets; do
    echo "fuzz: $target, $seconds s"
    log=corpus/$target.log
    mkdir -p corpus
    code=0
    run "$target" "-max_total_time=$seconds" -print_final_stats=1 "corpus/$target" "seeds/$target" >"$log" 2>&1 || code=$?
    if [ "$code" != 0 ]; then
        tail -n 40 "$log" >&2
        # libFuzzer's own exit codes.
        case $code in
            70) what="an input takes longer than 10 s" ;;
            71) what="an input takes more than 1 GB" ;;
            72) what="interrupted" ;;
            *) what="a broken promise" ;;
        esac
        echo "fuzz: $target: $what (exit code $code; inputs are kept in fuzz/artifacts/$target)" >&2
        exit 1
    fi
    sed -n 's/^#[0-9]*\tDONE *\(cov.*\)/  \1/p; s/^Done \(.*\)/  \1/p' "$log"
done
