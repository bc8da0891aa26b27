#!/bin/sh
# Unpacks an archive of `make dist` into an empty folder and uses it as a school would: demo, init, doctor; with nothing in the
# environment, and once more in a root that holds the C library, the C++ library and nothing else.
set -eu
archive=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

(cd "$(dirname "$archive")" && sha256sum --check --quiet "$archive.sha256")
mkdir "$scratch/unpacked"
tar -xzf "$archive" -C "$scratch/unpacked"
folder=$(ls "$scratch/unpacked")
there=$scratch/unpacked/$folder
foreign=$(find "$there" ! -type f ! -type d)
[ -z "$foreign" ] || { echo "check: neither files nor folders: $foreign" >&2; exit 1; }

use='./rollcall --version &&
    ./rollcall --provider cpu --json demo >demo.json &&
    ./rollcall --data-dir school init >init.txt &&
    ./rollcall --provider cpu --data-dir school doctor'
echo "check: in an empty environment"
(cd "$there" && env -i /bin/sh -c "$use")

# A root of its own. `ldd` tells where this machine has the libraries; the shell is for the commands above.
root=$scratch/root
mkdir -p "$root/bin" "$root/tmp"
for file in "$there/rollcall" "$there"/runtime/libonnxruntime.so.* /bin/sh; do
    ldd "$file" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p'
done | sort -u | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cp -L /bin/sh "$root/bin/sh"
rm -rf "$there/school" "$there/demo" "$there/exports"
mv "$there" "$root/rollcall"
if [ "$(id -u)" = 0 ]; then enter="chroot"; else enter="unshare --map-root-user chroot"; fi
# Command and flag are two words.
# shellcheck disable=SC2086
if ! env -i PATH="$PATH" $enter "$root" /bin/sh -c true 2>/dev/null; then
    echo "check: skipped: this user may not make a root of its own" >&2
    exit 0
fi
echo "check: in a root with $(find "$root" -name '*.so*' ! -path "$root/rollcall/*" | wc -l) libraries, a shell, and nothing else"
# shellcheck disable=SC2086
env -i PATH="$PATH" $enter "$root" /bin/sh -c "cd /rollcall && $use"
