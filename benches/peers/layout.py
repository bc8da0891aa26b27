"""Lays the weight files out as each program wants them, and makes the pictures that all of them are given.

Every program gets the very same bytes: rollcall a pack of its own, InsightFace a folder as its model pack, plain ONNX
Runtime two files. Nothing is downloaded, nothing is written outside of the work folder.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

SCRFD = "scrfd_500m_kps_batch.onnx"
# The file as InsightFace publishes it: the same weights without a batch axis, which is what its own code expects.
SCRFD_PUBLISHED = "det_500m.onnx"
EMBEDDER = "w600k_mbf_dequant_fp32.onnx"
NEEDED = [
    SCRFD,
    SCRFD_PUBLISHED,
    EMBEDDER,
    "mtcnn_pnet.onnx",
    "mtcnn_rnet.onnx",
    "mtcnn_onet.onnx",
    "edgeface_xs_512.onnx",
]

# Side of the square that both detectors look at where they look at one.
SQUARE_PX = 640


@dataclass(frozen=True)
class OneSquare:
    """How rollcall is told to begin with the level at which a photo fits into one square of `SQUARE_PX`."""

    reliable_px: int
    min_face_px: int


def one_square(longer_px: int) -> OneSquare:
    """For a photo whose longer side is `longer_px`: at its first level a `min_face_px` face has `reliable_px`.

    Both are whole numbers, so the smallest pair with the right ratio is taken; the manifest asks for 4 and 12 at least.
    """
    for reliable in range(4, SQUARE_PX):
        min_face, rest = divmod(reliable * longer_px, SQUARE_PX)
        if rest == 0 and min_face >= 12:
            return OneSquare(reliable, min_face)
    raise ValueError(f"no level of {SQUARE_PX} px for a photo of {longer_px} px")


def missing(models: Path) -> list[str]:
    """The weight files that are not in `models`."""
    return [name for name in NEEDED if not (models / name).is_file()]


def insightface_pack(models: Path, work: Path) -> Path:
    """A folder with a detector and an embedder, as `FaceAnalysis(name=folder)` reads it."""
    folder = _fresh(work / "insightface-pack")
    _link(models / SCRFD_PUBLISHED, folder / "det_500m.onnx")
    _link(models / EMBEDDER, folder / "w600k_mbf.onnx")
    return folder


def onnxruntime_files(models: Path, work: Path) -> Path:
    """The two files of the plain loop."""
    folder = _fresh(work / "onnxruntime-files")
    _link(models / SCRFD, folder / "scrfd.onnx")
    _link(models / EMBEDDER, folder / "embedder.onnx")
    return folder


def scrfd_pack(repository: Path, models: Path, work: Path, reliable_px: int | None = None) -> Path:
    """rollcall's pack `buffalo-s-dequant`; with `reliable_px` its smallest reliable face is that."""
    manifest = (repository / "models/buffalo-s-dequant/pack.toml").read_text()
    if reliable_px is not None:
        manifest = _replaced(r"reliable_px = \[\d+, \d+\]", f"reliable_px = [{reliable_px}, 256]", manifest)
    return _pack(work / f"rollcall-scrfd-{reliable_px or 'as-it-is'}", manifest, models)


def mtcnn_pack(repository: Path, models: Path, work: Path) -> Path:
    """rollcall's pack `mtcnn-edgeface-xs` with the thresholds of facenet-pytorch."""
    manifest = (repository / "models/mtcnn-edgeface-xs/pack.toml").read_text()
    manifest = _replaced(r"thresholds = \[[^]]*\]", "thresholds = [0.6, 0.7, 0.7]", manifest)
    return _pack(work / "rollcall-mtcnn", manifest, models)


def _replaced(pattern: str, text: str, manifest: str) -> str:
    changed, count = re.subn(pattern, text, manifest)
    if count != 1:
        raise ValueError(f"{pattern} should stand once in the manifest, found {count}")
    return changed


def _pack(folder: Path, manifest: str, models: Path) -> Path:
    _fresh(folder)
    (folder / "pack.toml").write_text(manifest)
    for name in re.findall(r'^name = "([^"]+\.onnx)"', manifest, re.MULTILINE):
        _link(models / name, folder / name)
    return folder


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _link(file: Path, at: Path) -> None:
    at.symlink_to(file.resolve())
