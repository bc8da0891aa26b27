#!/usr/bin/env python3
"""Packs rollcall for machines without a compiler: dist/rollcall-VERSION-TARGET.tar.gz and its sha256.

`make dist` builds the program with libpq and OpenSSL inside and then calls this. The same inputs give the same archive,
byte for byte: names are sorted, and times and owners are fixed. What lies in the working folder but not in git (a
school's own data, other packs) is never packed.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FEATURES = "static-libpq"
# From the repository, as git knows it.
TRACKED = ["models/README.md", "models/starter", "dataset/README.md", "dataset/demo", "LICENSE-MIT", "LICENSE-APACHE", "README.md",
           "deploy/README.md", "deploy/sizing.md", "deploy/backup.sh", "deploy/restore.sh", "deploy/postgres-address.sh",
           "deploy/setup-runtime.py", "deploy/systemd", "deploy/nginx"]
RUNTIME = ["LICENSE", "ThirdPartyNotices.txt"]
# Parts of the C library and of the compiler's run-time support, which every Linux with glibc has.
ALLOWED = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libgcc_s.so.1"}
LOADER = re.compile(r"ld-linux.*\.so\.\d+$")
LICENCE_FILE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
# C sources that crates bring along, and where their licence lies: in the crate, or here where it has none.
VENDORED = {"openssl-src": "openssl/LICENSE.txt", "pq-src": ROOT / "deploy/licences/pq-src.txt"}


class Refusal(Exception):
    """Why there is no archive, and what to do."""


def main():
    parser = argparse.ArgumentParser(description="Packs rollcall for machines without a compiler.")
    parser.add_argument("--binary", type=pathlib.Path, metavar="FILE", default=ROOT / "target/release/rollcall")
    parser.add_argument("--into", type=pathlib.Path, metavar="DIR", default=ROOT / "dist")
    arguments = parser.parse_args()
    try:
        archive = pack(arguments.binary, arguments.into)
    except (Refusal, OSError) as error:
        sys.exit("dist: %s" % error)
    print("%s\n%s MB" % (archive, round(archive.stat().st_size / 1e6, 1)))


def pack(binary, into):
    metadata = json.loads(run("cargo", "metadata", "--format-version=1", "--locked", "--features", FEATURES))
    version = next(p["version"] for p in metadata["packages"] if p["name"] == "rollcall")
    target = re.search(r"^host: (\S+)$", run("rustc", "-vV"), re.MULTILINE).group(1)
    library = one_runtime()
    binary_glibc, needed = dependencies(binary)
    foreign = sorted(name for name in needed if name not in ALLOWED and not LOADER.match(name))
    if foreign:
        raise Refusal("%s needs %s, which schools do not have; was it built with --features %s?"
                      % (binary, ", ".join(foreign), FEATURES))
    library_glibc, library_needs = dependencies(library)
    glibc = max(binary_glibc, library_glibc)
    name = "rollcall-%s-%s" % (version, target)

    files = {"rollcall": binary.read_bytes(), "install.md": (ROOT / "deploy/install.md").read_bytes()}
    for tracked in run("git", "ls-files", "-z", "--", *TRACKED).split("\0"):
        if tracked:
            files[tracked] = (ROOT / tracked).read_bytes()
    for part in RUNTIME + [library.name]:
        files["runtime/" + part] = (library.parent / part).read_bytes()
    files["THIRD-PARTY-LICENCES.txt"] = licences(metadata, target).encode()
    files["BUILD.txt"] = about(version, target, glibc, needed | library_needs, library).encode()

    into.mkdir(parents=True, exist_ok=True)
    archive = into / (name + ".tar.gz")
    archive.write_bytes(gzip.compress(tar(name, files), compresslevel=9, mtime=0))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    (into / (archive.name + ".sha256")).write_text("%s  %s\n" % (digest, archive.name))
    return archive


def one_runtime():
    found = sorted((ROOT / "runtime").glob("libonnxruntime.so.*"))
    if len(found) != 1:
        raise Refusal("runtime/ must hold one libonnxruntime.so.*, it holds %d; `make setup` brings it" % len(found))
    missing = [part for part in RUNTIME if not (found[0].parent / part).is_file()]
    if missing:
        raise Refusal("runtime/ lacks %s: remove the folder, `make setup` brings them all" % " and ".join(missing))
    return found[0]


def dependencies(elf):
    """The newest glibc that a file asks for, and the libraries it needs."""
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "--dynamic", "--wide", str(elf))))
    asked = re.findall(r"GLIBC_(\d+)\.(\d+)", run("readelf", "--version-info", "--wide", str(elf)))
    return max((int(major), int(minor)) for major, minor in asked), needed


def about(version, target, glibc, needed, library):
    dirty = "" if run("git", "status", "--porcelain", "--untracked-files=no").strip() == "" else ", changed"
    lines = [
        "rollcall %s for %s" % (version, target),
        "source: %s%s" % (run("git", "rev-parse", "HEAD").strip(), dirty),
        "needs: glibc %d.%d or newer" % glibc,
        "libraries of the system: %s" % " ".join(sorted(needed)),
        "ONNX Runtime: %s, sha256 %s" % (library.name, hashlib.sha256(library.read_bytes()).hexdigest()),
    ]
    return "\n".join(lines) + "\n"


def licences(metadata, target):
    """Every crate in the program with its licence and the texts that it brings; equal texts are printed once."""
    tree = run("cargo", "tree", "--locked", "--features", FEATURES, "--target", target, "-e", "normal,build",
               "--prefix", "none", "-f", "{p}")
    linked = set(re.findall(r"^(\S+) v(\S+)", tree, re.MULTILINE))
    crates, texts = [], {}
    for package in sorted(metadata["packages"], key=lambda p: (p["name"], p["version"])):
        if package["name"] == "rollcall" or (package["name"], package["version"]) not in linked:
            continue
        label = "%s %s" % (package["name"], package["version"])
        crates.append("%-40s %-45s %s" % (label, package["license"] or "see its text", package["repository"] or ""))
        folder = pathlib.Path(package["manifest_path"]).parent
        found = sorted(p for p in folder.iterdir() if p.is_file() and LICENCE_FILE.match(p.name))
        vendored = VENDORED.get(package["name"])
        if vendored and not (folder / vendored).is_file():
            raise Refusal("the licence of the sources in %s is not at %s any more" % (label, vendored))
        for path in found + ([folder / vendored] if vendored else []):
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            texts.setdefault(text, []).append("%s (%s)" % (label, path.name))
    if len(crates) < 100:
        raise Refusal("only %d crates were found; is `cargo tree` answering as before?" % len(crates))
    parts = ["Code of others in this program. Where a crate offers several licences, the permissive one is used.\n"]
    parts += crates
    for text, users in sorted(texts.items(), key=lambda item: item[1]):
        parts += ["", "=" * 100, "\n".join(users), "=" * 100, text]
    return "\n".join(line.rstrip() for line in parts) + "\n"


def tar(name, files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        folders = {str(folder) for path in files for folder in pathlib.PurePosixPath(path).parents}
        for path in sorted(folders | set(files)):
            entry = tarfile.TarInfo(name if path == "." else "%s/%s" % (name, path))
            is_program = path == "rollcall" or path.endswith(".sh") or ".so." in path
            entry.mode = 0o755 if path in folders or is_program else 0o644
            entry.mtime = 0
            if path in folders:
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            else:
                entry.size = len(files[path])
                archive.addfile(entry, io.BytesIO(files[path]))
    return packed.getvalue()


def run(*command):
    cargo = os.environ.get("CARGO", "cargo")
    command = (cargo,) + command[1:] if command[0] == "cargo" else command
    try:
        done = subprocess.run(command, cwd=str(ROOT), stdout=subprocess.PIPE, check=True)
    except FileNotFoundError:
        raise Refusal("%s is missing%s" % (command[0], " (apt-get install binutils)" if command[0] == "readelf" else ""))
    except subprocess.CalledProcessError as error:
        raise Refusal("%s: exit code %d" % (" ".join(command), error.returncode))
    return done.stdout.decode("utf-8")


if __name__ == "__main__":
    main()
