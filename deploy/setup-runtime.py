#!/usr/bin/env python3
"""Brings the pinned ONNX Runtime library into runtime/.

The library is taken out of the onnxruntime wheel, whose sha256 must be the one written here; nothing is installed into
Python, and the machine's own Python version does not matter. A second run finds the library and changes nothing.
`make setup` calls this; without a network, carry the wheel over and call `make setup WHEEL=FILE`.

With --gpu it is the library for NVIDIA GPUs, with the parts of CUDA 13 and cuDNN 9 that it uses, each out of a pinned
wheel of its publisher: about 1.6 GB to fetch. Of the machine only the driver is used then.
"""

import argparse
import hashlib
import importlib.util
import os
import pathlib
import platform
import re
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

PIP_OPTIONS = ["--disable-pip-version-check", "--retries", "2", "--timeout", "20"]

# What is taken from the wheel. The library comes last: where it lies, the licences lie beside it.
WANTED = [
    ("onnxruntime/LICENSE", "LICENSE"),
    ("onnxruntime/ThirdPartyNotices.txt", "ThirdPartyNotices.txt"),
    ("onnxruntime/capi/" + LIBRARY, LIBRARY),
]

# The same for GPUs: project, version, its platform and the sha256 of its wheel. These are what the extras [cuda,cudnn] of
# onnxruntime-gpu ask for, as pip resolved them (`pip install --dry-run --report`); NVIDIA has them for x86_64.
GPU_MEGABYTES = 1600
GPU_WHEELS = [
    ("onnxruntime-gpu", VERSION, "manylinux_2_28", "e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6"),
    ("nvidia-cublas", "13.10.0.20", "manylinux1", "dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84"),
    ("nvidia-cuda-nvrtc", "13.5.37", "manylinux2010", "86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc"),
    ("nvidia-cuda-runtime", "13.5.37", "manylinux2014", "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d"),
    ("nvidia-cudnn-cu13", "9.28.0.42", "manylinux_2_27", "7358353c75bb121a58e5f7712fe6d588883dc1df8ba00f428237e44e97543c4d"),
    ("nvidia-cufft", "12.5.0.14", "manylinux2014", "b8be26837a5abad2b5b74f3e92dd29f622a42934b355be0961a48712cbba23ad"),
    ("nvidia-curand", "10.4.5.25", "manylinux_2_27", "22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529"),
    ("nvidia-nvjitlink", "13.5.37", "manylinux2010", "280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb"),
]
# Libraries of those wheels, and the licences they come under.
GPU_LIBRARY = re.compile(r"(onnxruntime/capi|nvidia/([^/]+/)*lib)/(?P<name>libonnxruntime[^/]*|lib[^/]+\.so(\.[0-9]+)*)$")
GPU_LICENCE = re.compile(r"(onnxruntime|[^/]+\.dist-info(/licenses)?)/(?P<name>LICENSE(\.txt)?|License\.txt|ThirdPartyNotices\.txt)$")
# Beside the libraries: the sha256 of each, written last, and the wheels they are from.
GPU_LIST = "gpu.sha256"


class Refusal(Exception):
    """Something that the person at the keyboard can mend; the text says how."""


def main():
    parser = argparse.ArgumentParser(description="Brings ONNX Runtime %s into runtime/." % VERSION)
    parser.add_argument("--wheel", type=pathlib.Path, metavar="FILE", 
                        help="take this wheel instead of downloading it; with --gpu a folder of all of them")
    parser.add_argument("--gpu", action="store_true", help="for NVIDIA GPUs, with CUDA and cuDNN (%d MB)" % GPU_MEGABYTES)
    default = pathlib.Path(__file__).resolve().parent.parent / "runtime"
    parser.add_argument("--into", type=pathlib.Path, metavar="DIR", default=default, help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        if arguments.gpu:
            set_up_gpu(arguments.into, arguments.wheel)
        else:
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
    if gpu_is_complete(folder):
        print("ONNX Runtime %s for GPUs is in %s; it runs on the CPU as well" % (VERSION, folder))
        return
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


def set_up_gpu(folder, wheels):
    """Leaves `folder` with all libraries that a GPU needs, or without a list of them."""
    machine = supported_machine()
    if machine != "x86_64":
        raise Refusal("the libraries for GPUs are pinned for x86_64 only, this is %s" % machine)
    if gpu_is_complete(folder):
        print("ONNX Runtime %s for GPUs is in %s" % (VERSION, folder))
        return
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / GPU_LIST
    if listed.exists():
        listed.unlink()
    lines = []
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=str(folder)) as scratch:
        scratch = pathlib.Path(scratch)
        for project, version, tag, digest in GPU_WHEELS:
            wheel = gpu_wheel(project, version, tag, digest, wheels, scratch)
            found = unpack_gpu(wheel, project, scratch)
            for name in found:
                lines.append("%s  %s\n" % (sha256(scratch / name), name))
                os.replace(str(scratch / name), str(folder / name))
            print("  %s %s" % (project, version), flush=True)
            if wheels is None:
                wheel.unlink()
    lines += ["# %s %s sha256:%s\n" % (project, version, digest) for project, version, _, digest in GPU_WHEELS]
    listed.write_text("".join(lines))
    print("ONNX Runtime %s for GPUs is now in %s" % (VERSION, folder))


def gpu_is_complete(folder):
    """Whether the list is that of these very wheels and every file is as it says."""
    try:
        lines = (folder / GPU_LIST).read_text().splitlines()
    except FileNotFoundError:
        return False
    pinned = {"# %s %s sha256:%s" % (project, version, digest) for project, version, _, digest in GPU_WHEELS}
    files = [line.split("  ", 1) for line in lines if not line.startswith("#")]
    intact = all((folder / name).is_file() and sha256(folder / name) == digest for digest, name in files)
    return pinned == {line for line in lines if line.startswith("#")} and intact


def gpu_wheel(project, version, tag, digest, wheels, scratch):
    """The wheel, from the folder `wheels` or the network, with the pinned sha256."""
    if wheels is None:
        ended = subprocess.run([sys.executable] + pip_for_gpu([(project, version, tag, digest)]) + PIP_OPTIONS + ["--dest", str(scratch)],
                               stdin=subprocess.DEVNULL)
        if ended.returncode != 0:
            raise Refusal("pip could not fetch %s %s; is this machine online?\n%s" % (project, version, how_to_carry_gpu()))
    beginning = "%s-%s-" % (project.replace("-", "_"), version)
    found = sorted((wheels or scratch).glob(beginning + "*.whl"))
    if len(found) != 1:
        raise Refusal("there is not one wheel of %s %s in %s\n%s" % (project, version, wheels or scratch, how_to_carry_gpu()))
    if sha256(found[0]) != digest:
        raise Refusal("%s is not the wheel that rollcall is pinned to: expected sha256 %s" % (found[0], digest))
    return found[0]


def pip_for_gpu(wanted):
    tags = sorted({tag for _, _, tag, _ in wanted})
    platforms = [word for tag in tags for word in ("--platform", tag + "_x86_64")]
    interpreter = ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311", "--abi", "none"]
    names = ["%s==%s" % (project, version) for project, version, _, _ in wanted]
    return ["-m", "pip", "download", "--no-deps"] + interpreter + platforms + names


def how_to_carry_gpu():
    command = " ".join(["python3"] + pip_for_gpu(GPU_WHEELS) + ["--dest", "wheels"])
    return "Without a network, run this where there is one:\n  %s\ncarry the folder over, then add --wheel wheels" % command


def unpack_gpu(wheel, project, scratch):
    """Unpacks libraries and licences, all into one folder; returns their names."""
    names = []
    with zipfile.ZipFile(str(wheel)) as archive:
        for member in archive.namelist():
            library, licence = GPU_LIBRARY.match(member), GPU_LICENCE.match(member)
            if library:
                name = library.group("name")
            elif licence:
                name = "%s-%s" % (project, licence.group("name"))
            else:
                continue
            with archive.open(member) as packed, (scratch / name).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
            (scratch / name).chmod(0o755 if library else 0o644)
            names.append(name)
    if not any(name.startswith("lib") for name in names):
        raise Refusal("there are no libraries in %s; its layout has changed" % wheel)
    return names


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
    options = PIP_OPTIONS + ["--dest", str(scratch)]
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
