#!/usr/bin/env python3
"""Brings the pinned ONNX Runtime library into runtime/.

The library is taken out of the onnxruntime wheel, whose sha256 must be the one written here; nothing is installed into
Python, and the machine's own Python version does not matter. A second run finds the library and changes nothing.
`make setup` calls this; without a network, carry the wheel over and call `make setup WHEEL=FILE`.

With --gpu it is the library for NVIDIA GPUs, and the CUDA and cuDNN libraries that it needs go into runtime/cuda/. Of the
machine only the driver is used. ONNX Runtime leaves finding them to the system's loader, which has to be told of the folder.
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
GPU_MEGABYTES = 1560

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

# The same for GPUs; there is no such wheel for other machine types.
GPU_MACHINE = "x86_64"
GPU_LIBRARY_SHA256 = "5104254339ecadae808da771bd0b63b240f0dbd466514234905e54372435c303"
GPU_WHEELS = {
    ("onnxruntime-gpu", VERSION): "e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6",
    ("nvidia-cuda-runtime", "13.5.37"): "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d",
    ("nvidia-cuda-nvrtc", "13.5.37"): "86b4d68058807988b7d9af5b44917a0601e9c337f35ccd657bfb3c759ff8d8bc",
    ("nvidia-nvjitlink", "13.5.37"): "280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb",
    ("nvidia-cublas", "13.10.0.20"): "dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84",
    ("nvidia-cudnn-cu13", "9.28.0.42"): "7358353c75bb121a58e5f7712fe6d588883dc1df8ba00f428237e44e97543c4d",
    ("nvidia-cufft", "12.5.0.14"): "b8be26837a5abad2b5b74f3e92dd29f622a42934b355be0961a48712cbba23ad",
    ("nvidia-curand", "10.4.5.25"): "22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529",
}
# Wrappers that nothing here uses.
GPU_UNUSED = ("libcufftw.so", "libnvblas.so")

# What is taken from the wheel. The library comes last: where it lies, everything else lies beside it.
LICENCES = [
    ("onnxruntime/LICENSE", "LICENSE"),
    ("onnxruntime/ThirdPartyNotices.txt", "ThirdPartyNotices.txt"),
]
PROVIDERS = ["libonnxruntime_providers_%s.so" % name for name in ("shared", "cuda", "tensorrt")]
WANTED = LICENCES + [("onnxruntime/capi/" + LIBRARY, LIBRARY)]
GPU_WANTED = LICENCES + [("onnxruntime/capi/" + name, name) for name in PROVIDERS + [LIBRARY]]


class Refusal(Exception):
    """Something that the person at the keyboard can mend; the text says how."""


def main():
    parser = argparse.ArgumentParser(description="Brings ONNX Runtime %s into runtime/." % VERSION)
    parser.add_argument("--wheel", type=pathlib.Path, metavar="FILE", help="take this wheel instead of downloading it")
    parser.add_argument("--gpu", action="store_true", help="for NVIDIA GPUs, with CUDA and cuDNN (%d MB)" % GPU_MEGABYTES)
    parser.add_argument("--wheels", type=pathlib.Path, metavar="DIR", help="with --gpu: take the wheels from this folder")
    default = pathlib.Path(__file__).resolve().parent.parent / "runtime"
    parser.add_argument("--into", type=pathlib.Path, metavar="DIR", default=default, help="default: %(default)s")
    arguments = parser.parse_args()
    if arguments.gpu and arguments.wheel or arguments.wheels and not arguments.gpu:
        parser.error("--wheel is for the CPU, --wheels for --gpu")
    try:
        if arguments.gpu:
            set_up_gpu(arguments.into, arguments.wheels)
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
    if is_there(folder, library_sha256):
        return
    with scratch_in(folder) as scratch:
        scratch = pathlib.Path(scratch)
        if wheel is None:
            wheel = download(machine, scratch)
        elif not wheel.is_file():
            raise Refusal("there is no file %s" % wheel)
        found = sha256(wheel)
        if found != wheel_sha256:
            raise Refusal(not_pinned(wheel, wheel_sha256, found) + "\n" + how_to_carry(machine))
        unpack(wheel, WANTED, scratch)
        settle(scratch, WANTED, library_sha256, folder)
    print("ONNX Runtime %s is now in %s" % (VERSION, folder))


def set_up_gpu(folder, wheels):
    """Leaves `folder` with the pinned libraries for GPUs and `folder`/cuda with those they need, or without the first."""
    if supported_machine() != GPU_MACHINE:
        raise Refusal("ONNX Runtime for GPUs is pinned for %s only" % GPU_MACHINE)
    if is_there(folder, GPU_LIBRARY_SHA256):
        return
    with scratch_in(folder) as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "cuda").mkdir()
        for (name, version), expected in GPU_WHEELS.items():
            # One after the other, each removed once it is unpacked: together they take 4 GB.
            wheel = one_wheel(wheels, name, version) if wheels else download_gpu(name, version, scratch)
            found = sha256(wheel)
            if found != expected:
                raise Refusal(not_pinned(wheel, expected, found) + "\n" + how_to_carry_gpu())
            if name == "onnxruntime-gpu":
                unpack(wheel, GPU_WANTED, scratch)
            else:
                unpack(wheel, shared_libraries(wheel, name), scratch / "cuda")
            if not wheels:
                wheel.unlink()
        shutil.rmtree(str(folder / "cuda"), ignore_errors=True)
        os.replace(str(scratch / "cuda"), str(folder / "cuda"))
        settle(scratch, GPU_WANTED, GPU_LIBRARY_SHA256, folder)
    print("ONNX Runtime %s for GPUs is now in %s\n%s" % (VERSION, folder, how_to_find(folder / "cuda")))


def is_there(folder, library_sha256):
    library = folder / LIBRARY
    there = library.is_file() and sha256(library) == library_sha256
    if there:
        print("ONNX Runtime %s is in %s" % (VERSION, folder))
    return there


def scratch_in(folder):
    """A folder inside the target, so that the last step is a rename within one file system."""
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".unpacking-", dir=str(folder))


def settle(scratch, wanted, library_sha256, folder):
    """Moves what was unpacked into `folder`, the library last."""
    if sha256(scratch / LIBRARY) != library_sha256:
        raise Refusal("%s was damaged while it was unpacked; is the disk full or failing?" % LIBRARY)
    for _, name in wanted:
        os.replace(str(scratch / name), str(folder / name))


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


def pip_arguments(machine, wheels=("onnxruntime==" + VERSION,)):
    """Asks pip for exact wheels, whatever Python it runs under."""
    platforms = ["manylinux_2_28_" + machine]
    if len(wheels) > 1 or not wheels[0].startswith("onnxruntime=="):
        # NVIDIA's wheels are made for older systems too.
        platforms += [name + machine for name in ("manylinux_2_27_", "manylinux2014_", "manylinux2010_", "manylinux1_")]
    return [
        "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--implementation", "cp",
        "--python-version", "3.11", "--abi", "cp311",
        *(part for name in platforms for part in ("--platform", name)), *wheels,
    ]


def download(machine, scratch):
    print("fetching ONNX Runtime %s (about %d MB)" % (VERSION, MEGABYTES), flush=True)
    wheel = fetched(pip_arguments(machine), scratch)
    if wheel is None:
        raise Refusal("pip could not fetch ONNX Runtime; is this machine online?\n%s" % how_to_carry(machine))
    return wheel


def download_gpu(name, version, scratch):
    print("fetching %s %s (%d MB for all %d)" % (name, version, GPU_MEGABYTES, len(GPU_WHEELS)), flush=True)
    wheel = fetched(pip_arguments(GPU_MACHINE, ["%s==%s" % (name, version)]), scratch)
    if wheel is None:
        raise Refusal("pip could not fetch %s; is this machine online?\n%s" % (name, how_to_carry_gpu()))
    return wheel


def fetched(arguments, scratch):
    """The one wheel that pip brought, or None."""
    if importlib.util.find_spec("pip") is None:
        raise Refusal("%s has no pip: apt-get install python3-pip" % sys.executable)
    options = ["--disable-pip-version-check", "--no-cache-dir", "--retries", "2", "--timeout", "20", "--dest", str(scratch)]
    ended = subprocess.run([sys.executable] + arguments + options, stdin=subprocess.DEVNULL)
    wheels = list(scratch.glob("*.whl"))
    return wheels[0] if ended.returncode == 0 and len(wheels) == 1 else None


def one_wheel(folder, name, version):
    found = sorted(folder.glob("%s-%s-*.whl" % (name.replace("-", "_"), version)))
    if len(found) != 1:
        raise Refusal("%s must hold one wheel of %s %s, it holds %d\n%s"
                      % (folder, name, version, len(found), how_to_carry_gpu()))
    return found[0]


def not_pinned(wheel, expected, found):
    text = "%s is not the wheel that rollcall is pinned to:\n  expected sha256 %s\n  found           %s"
    return text % (wheel, expected, found)


def how_to_carry(machine):
    command = " ".join(["python3"] + pip_arguments(machine))
    steps = "Without a network, run this where there is one:\n  %s\ncarry the file over, then\n  make setup WHEEL=FILE"
    return steps % command


def how_to_carry_gpu():
    command = ["python3"] + pip_arguments(GPU_MACHINE, ["%s==%s" % wheel for wheel in GPU_WHEELS])
    steps = "Without a network, run this in an empty folder where there is one:\n  %s\ncarry the folder over, then\n  %s"
    return steps % (" ".join(command), "python3 deploy/setup-runtime.py --gpu --wheels FOLDER")


def how_to_find(cuda):
    """ONNX Runtime's part for GPUs does not say where its libraries lie."""
    return ("Tell the system's loader of the libraries beside it, as root:\n"
            "  echo %s >/etc/ld.so.conf.d/rollcall.conf && ldconfig" % cuda.resolve())


def shared_libraries(wheel, name):
    """What is taken from one of NVIDIA's wheels: its libraries, and the licence that lets them be passed on."""
    with zipfile.ZipFile(str(wheel)) as archive:
        members = archive.namelist()
    libraries = [m for m in members if ".so" in pathlib.PurePosixPath(m).name and not m.endswith("/")]
    wanted = [(m, pathlib.PurePosixPath(m).name) for m in libraries]
    wanted = [(m, file) for m, file in wanted if not file.startswith(GPU_UNUSED)]
    licences = [m for m in members if pathlib.PurePosixPath(m).name.lower() == "license.txt"]
    if not wanted or len(licences) != 1:
        raise Refusal("%s does not hold what it did when it was pinned" % wheel)
    return wanted + [(licences[0], "LICENSE-%s.txt" % name)]


def unpack(wheel, wanted, scratch):
    with zipfile.ZipFile(str(wheel)) as archive:
        for member, name in wanted:
            with archive.open(member) as packed, (scratch / name).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 1 << 20)
            if ".so" in name:
                (scratch / name).chmod(0o755)


def sha256(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    main()
