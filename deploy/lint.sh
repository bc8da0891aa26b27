#!/usr/bin/env bash
# Lints everything that a deployment is made of, without a container engine: scripts, images, compose, Kubernetes, systemd,
# nginx. `make lint-deploy` calls this. A tool that is missing is a line that begins with "skipped:"; STRICT=1 makes it a
# failure. The tools: deploy/lint-requirements.txt, and from the distribution nginx, systemd and kubectl.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
exec </dev/null
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0 skipped=0

check() { # WHAT COMMAND... : prints the command's output only when it fails
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok:      $what"
    else
        failed=$((failed + 1))
        printf 'FAILED:  %s\n%s\n' "$what" "$output" >&2
    fi
}

skip() { # WHAT HOW
    skipped=$((skipped + 1))
    echo "skipped: $1; to have it, $2" >&2
}

have() {
    command -v "$1" >/dev/null 2>&1
}

scripts=(deploy/*.sh deploy/container/health .ci/run)
from_pip="pip install -r deploy/lint-requirements.txt"

lint_scripts() {
    if have shellcheck; then
        check "scripts (shellcheck)" shellcheck --external-sources "${scripts[@]}"
    else
        skip "scripts (shellcheck)" "apt-get install shellcheck, or $from_pip"
    fi
    for script in "${scripts[@]}"; do
        check "$script can be executed" test -x "$script"
    done
    check "Python scripts compile" "${PYTHON:-python3}" -c \
        'import sys; [compile(open(f).read(), f, "exec") for f in sys.argv[1:]]' deploy/*.py
}

lint_images() {
    if have hadolint; then
        check "Dockerfile, Dockerfile.cuda (hadolint)" hadolint Dockerfile Dockerfile.cuda
    else
        skip "Dockerfile, Dockerfile.cuda (hadolint)" "$from_pip"
    fi
    check "Dockerfile (user, signals, health, no secrets)" image_is_modest Dockerfile
    check "Dockerfile.cuda (user, signals, health, no secrets)" image_is_modest Dockerfile.cuda
    check "the images get what they need (.dockerignore)" context_is_whole
}

# The folder as an image build sees it: nothing but what .dockerignore lets in. Paths that it names are git's, too.
context_is_whole() {
    local patterns file include ok=0
    mapfile -t patterns < <(sed -n 's/^!//p' .dockerignore)
    mkdir "$scratch/context"
    git ls-files -z --cached --others --exclude-standard -- "${patterns[@]}" | xargs -0 cp --parents --target-directory "$scratch/context"
    for file in "${patterns[@]}"; do
        compgen -G "$scratch/context/$file" >/dev/null || { echo ".dockerignore lets in $file, which is not there" && ok=1; }
    done
    # shellcheck disable=SC2013 # words, on purpose
    for file in $(sed -n -e 's/^COPY \([^-.][^ ]*\) .*/\1/p' -e 's/^COPY --from=[a-z]* //p' Dockerfile Dockerfile.cuda); do
        case $file in
            /opt/* | deploy/ | /build/deploy/ | /build/runtime | /build/rollcall) ;; # targets, and what the build makes
            *) [ -e "$scratch/context/${file#/build/}" ] || { echo "COPY wants $file, which .dockerignore keeps out" && ok=1; } ;;
        esac
    done
    # What cargo and the compiler read besides; fuzz/ is for tests alone.
    while IFS=: read -r file include; do
        case $include in
            include*) include=$(realpath --canonicalize-missing --relative-to=. "$(dirname "$file")/$(cut -d'"' -f2 <<<"$include")") ;;
            name*) include=benches/$(cut -d'"' -f2 <<<"$include").rs ;;
            *) include=$(cut -d'"' -f2 <<<"$include") ;;
        esac
        case $include in fuzz/* | tests/*) continue ;; esac
        [ -e "$scratch/context/$include" ] || { echo "$file wants $include, which .dockerignore keeps out" && ok=1; }
    done < <(
        grep -roE '(include_(bytes|str)|embed_migrations)!\("[^"]+"\)' src
        sed -n '/^\[\[bench\]\]/,/^$/s/^name = /Cargo.toml:&/p' Cargo.toml
    )
    return $ok
}

# What every image here promises, and hadolint does not ask for.
image_is_modest() { # DOCKERFILE
    local last ok=0 wanted
    last=$(tac "$1" | sed '/^FROM /q')
    for wanted in 'USER [1-9][0-9]*:[1-9][0-9]*' 'STOPSIGNAL SIGTERM' 'HEALTHCHECK .*' 'ENTRYPOINT \[.*\]' 'VOLUME /var/lib/rollcall'; do
        grep -qxE "$wanted" <<<"$last" || { echo "$1: its last stage has no line $wanted" && ok=1; }
    done
    if grep -nE '^(ADD|ARG .*(SECRET|TOKEN|PASSWORD|KEY))|^ENV .*(SECRET|TOKEN|PASSWORD|_KEY)' "$1"; then
        echo "$1: nothing is fetched without a hash, and no secret goes into an image" && ok=1
    fi
    if grep -nE '^ARG [A-Z_]*IMAGE=' "$1" | grep -vE ':[^:=]*[0-9]+\.[0-9]+'; then
        echo "$1: an image without an exact version" && ok=1
    fi
    return $ok
}

lint_yaml() {
    if ! have yamllint; then
        skip "YAML (yamllint)" "$from_pip"
        return
    fi
    local rules='{extends: default, rules: {line-length: {max: 160}, document-start: disable, comments: {min-spaces-from-content: 1},
        braces: {max-spaces-inside: 1}, comments-indentation: disable, truthy: {check-keys: false}}}'
    check "YAML (yamllint)" yamllint --strict --config-data "$rules" deploy/compose.yaml deploy/kubernetes
}

# Values for everything that .env.example names, so that a variable missing there is found.
filled_in() {
    sed -n 's/^\([A-Z_]*\)=$/\1=.\/value/p' deploy/.env.example
}

compose_config() { # ENV_FILE
    if docker compose version >/dev/null 2>&1; then
        docker compose --env-file "$1" --profile tls --profile gpu --file deploy/compose.yaml config --quiet
    else
        # It wants to see an engine, and uses none for this.
        printf '#!/bin/sh\necho "podman version 5.0.0"\n' >"$scratch/podman"
        chmod +x "$scratch/podman"
        podman-compose --podman-path "$scratch/podman" --env-file "$1" --profile tls --profile gpu \
            --file deploy/compose.yaml config >/dev/null
    fi
}

# Each is left out in its turn, and has to be missed. TLS_DIR is no secret and is used by one profile only.
nothing_has_a_default() {
    local name ok=0
    for name in $(filled_in | cut -d= -f1 | grep -vx TLS_DIR); do
        filled_in | grep -v "^$name=" >"$scratch/one-missing.env"
        if (unset "$name" && compose_config "$scratch/one-missing.env") >/dev/null 2>&1; then
            echo "compose goes on without $name" && ok=1
        fi
    done
    ! grep -nE '^[A-Z_]+=.' deploy/.env.example && return $ok
}

lint_compose() {
    if have check-jsonschema; then
        check "compose.yaml (schema)" check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
    else
        skip "compose.yaml (schema)" "$from_pip"
    fi
    if docker compose version >/dev/null 2>&1 || have podman-compose; then
        filled_in >"$scratch/filled.env"
        check "compose.yaml with .env.example filled in" compose_config "$scratch/filled.env"
        check "no secret has a default" nothing_has_a_default
    else
        skip "compose.yaml with .env.example filled in" "install docker's compose plugin, or $from_pip"
    fi
}

lint_kubernetes() {
    if ! have kubectl; then
        skip "kubernetes/ (kustomize)" "install kubectl 1.30 or newer"
        return
    fi
    local set
    for set in base overlays/gpu overlays/keda overlays/gpu-keda; do
        local rendered=$scratch/${set//\//-}.yaml
        check "kubernetes/$set (kustomize)" rendered "deploy/kubernetes/$set" "$rendered"
        if have kubernetes-validate; then
            check "kubernetes/$set (schemas)" known_kinds_are_valid "$rendered"
        fi
    done
    have kubernetes-validate || skip "kubernetes/ (schemas)" "$from_pip"
    check "kubernetes/base/secret.example.yaml holds no secret" no_secret_in_the_example
    echo "note:    the two kinds of keda.sh have no schema here; \`kubectl apply --dry-run=server\` looks at them where KEDA is"
}

rendered() { # FOLDER FILE
    kubectl kustomize "$1" >"$2"
}

# The schemas are those of Kubernetes alone.
known_kinds_are_valid() {
    "${PYTHON:-python3}" - "$1" <<'END' >"$1.known" && kubernetes-validate --strict --quiet -k 1.31 "$1.known"
import re
import sys

documents = re.split(r"(?m)^---$", open(sys.argv[1]).read())
print("\n---\n".join(d for d in documents if "apiVersion: keda.sh/" not in d))
END
}

no_secret_in_the_example() {
    ! sed -n '/^stringData:/,$p' deploy/kubernetes/base/secret.example.yaml | grep -nE '^  [A-Z_]+: *"[^"]'
}

# The units as they would lie in /etc/systemd/system, with programs that exist here.
lint_systemd() {
    if ! have systemd-analyze; then
        skip "systemd/ (systemd-analyze)" "apt-get install systemd"
        return
    fi
    mkdir "$scratch/units"
    cp -r deploy/systemd/. "$scratch/units"
    sed -i -E 's#^ExecStart=(/usr/local/bin/rollcall|/opt/rollcall/deploy/[a-z]+\.sh)( |$)#ExecStart=/bin/true\2#' "$scratch"/units/*.service
    check "systemd/ (programs are those of install.md)" programs_are_ours
    local unit
    for unit in "$scratch"/units/*.service "$scratch"/units/*.timer; do
        check "systemd/${unit##*/} (verify)" unit_is_sound "$unit"
    done
    # 0 is safest, 10 is anything goes; ours are at 1.7.
    for unit in "$scratch"/units/*.service; do
        check "systemd/${unit##*/} (security)" env SYSTEMD_UNIT_PATH="$scratch/units:" \
            systemd-analyze security --offline=true --threshold=25 --no-pager "$unit"
    done
}

programs_are_ours() {
    ! grep --with-filename '^Exec' "$scratch"/units/*.service | grep -v 'ExecStart=/bin/true'
}

# It prints what is wrong and sometimes ends with 0 all the same.
unit_is_sound() {
    local said
    said=$(SYSTEMD_UNIT_PATH="$scratch/units:" systemd-analyze verify --man=no "$1" 2>&1) && [ -z "$said" ] && return
    echo "$said"
    return 1
}

lint_nginx() {
    local nginx=/usr/sbin/nginx
    have nginx && nginx=nginx
    if ! have "$nginx" || ! have openssl; then
        skip "nginx/rollcall.conf (nginx -t)" "apt-get install nginx-light openssl"
        return
    fi
    mkdir "$scratch/tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=rollcall.school.example -keyout "$scratch/tls/privkey.pem" \
        -out "$scratch/tls/fullchain.pem" 2>/dev/null
    sed -e "s#/etc/rollcall/tls#$scratch/tls#" -e "s#/var/log/nginx#$scratch#" deploy/nginx/rollcall.conf >"$scratch/site.conf"
    printf 'pid %s/pid;\nerror_log %s/error.log;\nevents {}\nhttp {\n  client_body_temp_path %s/body;\n  include %s/site.conf;\n}\n' \
        "$scratch" "$scratch" "$scratch" "$scratch" >"$scratch/nginx.conf"
    check "nginx/rollcall.conf (nginx -t)" "$nginx" -t -c "$scratch/nginx.conf"
}

lint_scripts
lint_images
lint_yaml
lint_compose
lint_kubernetes
lint_systemd
lint_nginx
echo "lint-deploy: $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && { [ "$skipped" -eq 0 ] || [ "${STRICT:-0}" != 1 ]; }
