#!/usr/bin/env bash
# Throws generated requests at a real server and holds its answers against its own OpenAPI document: `make check-api`.
#
# The school is the demo school with some lessons taken; the server works on photos itself; the requests come with an
# administrator's token. Needs Python 3.10 or newer; schemathesis is installed into target/schemathesis at the first run.
#
# SECONDS_LONG=N bounds the run (default 900), PROGRAM=FILE is the program to test (default: the release build), further
# arguments go to schemathesis, for example `--include-path-regex faces`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
program=$(realpath "${PROGRAM:-target/release/rollcall}")
tools=target/schemathesis
scratch=$(mktemp -d)
server=
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$scratch"
}
trap clean_up EXIT

if [ ! -x "$tools/bin/schemathesis" ]; then
    "${PYTHON:-python3}" -m venv "$tools"
    "$tools/bin/pip" install --quiet --requirement tests/api/requirements.txt
fi

# A school in which there is one of everything.
rollcall() { "$program" --provider cpu --data-dir "$scratch/school" "$@"; }
quietly() { "$@" >"$scratch/said" 2>&1 || { cat "$scratch/said" >&2; exit 1; }; }
quietly rollcall init
quietly rollcall roster import dataset/demo/roster.csv
quietly rollcall enrol dataset/demo/dataset --consent recorded
quietly rollcall batch dataset/demo/class_photos
# The first numbers belong to tokens and users that may be changed and deleted; the one that asks comes after them.
for n in 1 2 3; do
    echo "correct horse battery" | quietly rollcall admin user add "user$n" --role teacher --password-stdin
    quietly rollcall admin token add "token$n" --scope roster
done
scopes=$(printf -- '--scope %s ' roster enrol attendance record recognise manage)
# shellcheck disable=SC2086 # Each scope is a word of its own.
token=$(rollcall --json admin token add schemathesis $scopes --expires-days 1 | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')

# Neither limits of rate nor the queue are what is looked for.
export ROLLCALL_SERVER__RATE_PER_MINUTE=1000000 ROLLCALL_SERVER__QUEUE_LIMIT=100000
# Not through the function: the process that is ended is to be the program.
"$program" --provider cpu --data-dir "$scratch/school" serve --with-worker --listen 127.0.0.1:0 2>"$scratch/log" >/dev/null &
server=$!
for _ in $(seq 300); do
    url=$(sed -n 's/.* at \(http:[^ ]*\).*/\1/p' "$scratch/log")
    [ -z "$url" ] || break
    kill -0 "$server" 2>/dev/null || { cat "$scratch/log" >&2; exit 1; }
    sleep 0.2
done
echo "the server listens at $url"

status=0
"$tools/bin/schemathesis" --config-file tests/api/schemathesis.toml run deploy/openapi.json --url "$url" \
    --header "Authorization: Bearer $token" --max-time "${SECONDS_LONG:-900}" "$@" || status=$?
kill -0 "$server" 2>/dev/null || { echo "the server has gone" >&2; cat "$scratch/log" >&2; exit 1; }
[ "$status" = 0 ] || { cp "$scratch/log" "$tools/server.log"; echo "the server's log is in $tools/server.log" >&2; }
exit "$status"
