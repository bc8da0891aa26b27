"""Installs the peers, each into a virtual environment of its own, at the versions of the requirements files.

The only part of the comparison that needs a network, and only at the first run or when requirements changed.
"""

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
PEERS = ("insightface", "facenet")
# torch 2.2 has no builds for newer ones, numpy 2.4 none for older ones.
PYTHONS = ((3, 11), (3, 12))


def ensure(work: Path) -> None:
    """Makes the environments that are not as their requirements say."""
    for peer in PEERS:
        _ensure(peer, work, (HERE / f"requirements-{peer}.txt").read_text())


def insightface(work: Path, provider: str) -> Path:
    """The Python of InsightFace's environment; for a GPU one of its own, where ONNX Runtime brings CUDA and cuDNN (2 GB)."""
    requirements = (HERE / "requirements-insightface.txt").read_text()
    if provider == "cpu":
        return _ensure("insightface", work, requirements)
    return _ensure("insightface-gpu", work, requirements.replace("onnxruntime==", "onnxruntime-gpu[cuda,cudnn]=="))


def interpreter(work: Path, peer: str) -> Path:
    """The Python of a peer's environment."""
    return work / f"venv-{peer}/bin/python"


def _ensure(name: str, work: Path, requirements: str) -> Path:
    python = interpreter(work, name)
    folder = python.parents[1]
    stamp = folder / "installed.txt"
    if not stamp.is_file() or stamp.read_text() != requirements:
        _make(name, folder, requirements)
        stamp.write_text(requirements)
    return python


def _make(name: str, folder: Path, requirements: str) -> None:
    if sys.version_info[:2] not in PYTHONS:
        sys.exit("the peers need Python 3.11 or 3.12: make peers PYTHON=python3.11")
    print(f"installing {name} into {folder}", file=sys.stderr, flush=True)
    venv.create(folder, clear=True, with_pip=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(requirements)
    pip = (str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run((*pip, "--requirement", str(wanted)), check=True)
