#!/usr/bin/env python3
"""Brings the pinned ONNX Runtime library into runtime/.

The library is taken out of the onnxruntime wheel, whose sha256 must be the one written here; nothing is installed into
Python, and the machine's own Python version does not matter. A second run finds the library and changes nothing.
`make setup` calls this; without a network, carry the wheel over and call `make setup WHEEL=FILE`.
"""

import argparse
import hashlib
import importlib.util
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

VERSION = "1.31.1"
LIBRARY = "libonnxruntime.so." + VERSION
MEGABYTES = 24

# sha256 of the wheel and of the library in it, for each machine type that there is a wheel for.
PINNED = {
    "x86_64": (
        "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
        "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    ),
    "aarch64": (
        "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3",
        "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
    ),
}

# What is taken from the wheel. The library comes last: where it lies, the licences lie beside it.
WANTED = [
    ("onnxruntime/LICENSE", "LICENSE"),
    ("onnxruntime/ThirdPartyNotices.txt", "ThirdPartyNotices.txt"),
    ("onnxruntime/capi/" + LIBRARY, LIBRARY),
]


class Refusal(Exception):
    """Something that the person at the keyboard can mend; the text says how."""


def main():
    parser = argparse.ArgumentParser(description="Brings ONNX Runtime %s into runtime/." % VERSION)
    parser.add_argument("--wheel", type=pathlib.Path, metavar="FILE", help="take this wheel instead of downloading it")
    default = pathlib.Path(__file__).resolve().parent.parent / "runtime"
    parser.add_argument("--into", type=pathlib.Path, metavar="DIR", default=default, help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        set_up(arguments.into, arguments.wheel)
    except Refusal as refusal:
        sys.exit("setup: %s" % refusal)
    except OSError as error:
        sys.exit("setup: %s" % error)


def set_up(folder, wheel):
    """Leaves `folder` with the pinned library and its licences, or as it was."""
    machine = supported_machine()
    wheel_sha256, library_sha256 = PINNED[machine]
    library = folder / LIBRARY
    if library.is_file() and sha256(library) == library_sha256:
        print("ONNX Runtime %s is in %s" % (VERSION, folder))
        return
    folder.mkdir(parents=True, exist_ok=True)
    # Inside the target, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=str(folder)) as scratch:
        scratch = pathlib.Path(scratch)
        if wheel is None:
            wheel = download(machine, scratch)
        elif not wheel.is_file():
            raise Refusal("there is no file %s" % wheel)
        found = sha256(wheel)
        if found != wheel_sha256:
            raise Refusal(
                "%s is not the wheel that rollcall is pinned to:\n  expected sha256 %s\n  found           %s\n%s"
                % (wheel, wheel_sha256, found, how_to_carry(machine))
            )
        unpack(wheel, scratch)
        if sha256(scratch / LIBRARY) != library_sha256:
            raise Refusal("the library in %s was damaged while it was unpacked; is the disk full or failing?" % wheel)
        for _, name in WANTED:
            os.replace(str(scratch / name), str(folder / name))
    print("ONNX Runtime %s is now in %s" % (VERSION, folder))


def supported_machine():
    """The machine type, a key of PINNED."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    if platform.system() != "Linux" or machine not in PINNED:
        here = "%s on %s" % (platform.system(), platform.machine())
        raise Refusal("ONNX Runtime is pinned for Linux on %s only, this is %s" % (" and ".join(sorted(PINNED)), here))
    try:
        name, version = os.confstr("CS_GNU_LIBC_VERSION").split()
    except (AttributeError, OSError, ValueError):
        name, version = "no glibc", "0.0"
    if name != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < (2, 28):
        here = "%s %s" % (name, version)
        raise Refusal("ONNX Runtime needs glibc 2.28 or newer (Debian 10, Ubuntu 18.10 or later), this is %s" % here)
    return machine


def pip_arguments(machine):
    """Asks pip for one exact wheel, whatever Python it runs under."""
    return [
        "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--implementation", "cp",
        "--python-version", "3.11", "--abi", "cp311", "--platform", "manylinux_2_28_" + machine,
        "onnxruntime==" + VERSION,
    ]


def download(machine, scratch):
    if importlib.util.find_spec("pip") is None:
        raise Refusal("%s has no pip: apt-get install python3-pip" % sys.executable)
    print("fetching ONNX Runtime %s (about %d MB)" % (VERSION, MEGABYTES), flush=True)
    options = ["--disable-pip-version-check", "--retries", "2", "--timeout", "20", "--dest", str(scratch)]
    ended = subprocess.run([sys.executable] + pip_arguments(machine) + options, stdin=subprocess.DEVNULL)
    wheels = list(scratch.glob("*.whl"))
    if ended.returncode != 0 or len(wheels) != 1:
        raise Refusal("pip could not fetch ONNX Runtime; is this machine online?\n%s" % how_to_carry(machine))
    return wheels[0]


def how_to_carry(machine):
    command = " ".join(["python3"] + pip_arguments(machine))
    steps = "Without a network, run this where there is one:\n  %s\ncarry the file over, then\n  make setup WHEEL=FILE"
    return steps % command


def unpack(wheel, scratch):
    with zipfile.ZipFile(str(wheel)) as archive:
        for member, name in WANTED:
            with archive.open(member) as packed, (scratch / name).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
    (scratch / LIBRARY).chmod(0o755)


def sha256(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    main()
