"""What is compared: for each case one request, rollcall's program and those of the peers."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
import layout
from contestant import Program

HERE = Path(__file__).parent
FACES = 60
LARGE = "composites/photo_6.jpg"
GROUP = "group_photos/group_16.jpg"
CLASS = "dataset/demo/class_photos/AIML-B_2026-11-16_1100_full.jpg"


@dataclass(frozen=True)
class Case:
    """One row of the table for each peer."""

    name: str
    request: dict[str, Any]
    rollcall: Program
    peers: tuple[Program, ...]


@dataclass(frozen=True)
class Photo:
    """A photo that every program reads from the same file."""

    name: str
    path: Path
    width: int
    height: int


@dataclass(frozen=True)
class Places:
    """Where everything lies."""

    repository: Path
    models: Path
    photos: Path
    work: Path
    rollcall: Path
    # Number of threads that the peers are asked with besides their default; none leaves that comparison out.
    peer_threads: int | None = None

    def python(self, peer: str) -> str:
        """The interpreter of a peer's virtual environment."""
        return str(environments.interpreter(self.work, peer))


def all_cases(places: Places) -> list[Case]:
    """Every case, detectors of one kind together; photos as they lie before small ones."""
    as_they_lie = [
        Photo("60 faces", places.photos / LARGE, 4000, 3000),
        Photo("class photo", places.repository / CLASS, 3000, 2000),
        Photo("group photo", places.photos / GROUP, 1024, 768),
    ]
    photos = as_they_lie + [_small(places, photo) for photo in as_they_lie]
    cases = [_one_square(places, photo) for photo in photos]
    # InsightFace scales a photo whose width is no multiple of 32.
    cases += [_every_pixel(places, photo) for photo in as_they_lie if photo.width % 32 == 0]
    cases += [_mtcnn(places, photo) for photo in photos]
    return [*cases, _embedding(places)]


def _small(places: Places, photo: Photo) -> Photo:
    out = places.work / f"{photo.path.stem}-{layout.SQUARE_PX}.png"
    _make(places, "small", photo.path, layout.SQUARE_PX, out)
    scale = layout.SQUARE_PX / max(photo.width, photo.height)
    return Photo(f"{photo.name}, small", out, round(photo.width * scale), round(photo.height * scale))


def _one_square(places: Places, photo: Photo) -> Case:
    """Both detectors look at the photo at one size: its longer side has 640 pixels."""
    level = layout.one_square(max(photo.width, photo.height))
    pack = layout.scrfd_pack(places.repository, places.models, places.work, level.reliable_px)
    rollcall = _rollcall(places, pack, level.min_face_px)
    side = layout.SQUARE_PX
    peers = (*_insightface(places, side, side), *_onnxruntime(places, side))
    return Case(_title(f"SCRFD at {side} + w600k", photo), _request("analyse", photo), rollcall, peers)


def _every_pixel(places: Places, photo: Photo) -> Case:
    """Nothing is shrunk before the detector looks. InsightFace fills heights to a multiple of 32 where told so."""
    pack = layout.scrfd_pack(places.repository, places.models, places.work)
    height = -(-photo.height // 32) * 32
    peers = _insightface(places, photo.width, height)
    return Case(
        _title("SCRFD on every pixel + w600k", photo), _request("analyse", photo), _rollcall(places, pack, 20), peers
    )


def _mtcnn(places: Places, photo: Photo) -> Case:
    pack = layout.mtcnn_pack(places.repository, places.models, places.work)
    peers = _variants(places, "facenet-pytorch", "facenet", "facenet_peer.py", ("--min-face", "20"))
    return Case(_title("MTCNN from 20 px", photo), _request("detect", photo), _rollcall(places, pack, 20), peers)


def _embedding(places: Places) -> Case:
    folder = places.work / "faces"
    folder.mkdir(exist_ok=True)
    _make(places, "faces", places.photos / LARGE, layout.onnxruntime_files(places.models, places.work), FACES, folder)
    pack = layout.scrfd_pack(places.repository, places.models, places.work)
    side = layout.SQUARE_PX
    peers = (*_insightface(places, side, side), *_onnxruntime(places, side))
    request = {"op": "embed", "faces": [str(face) for face in sorted(folder.iterdir())]}
    return Case(f"w600k, {FACES} aligned faces", request, _rollcall(places, pack, 20), peers)


def _title(what: str, photo: Photo) -> str:
    return f"{what}: {photo.name} {photo.width} x {photo.height}"


def _request(op: str, photo: Photo) -> dict[str, Any]:
    return {"op": op, "photo": str(photo.path)}


def _rollcall(places: Places, pack: Path, min_face_px: int) -> Program:
    runtime = str(places.repository / "runtime")
    options = ("--runtime", runtime, "--pack", str(pack), "--min-face", str(min_face_px))
    return Program("rollcall", (str(places.rollcall), *options))


def _insightface(places: Places, width: int, height: int) -> tuple[Program, ...]:
    pack = layout.insightface_pack(places.models, places.work)
    options = ("--pack", str(pack), "--det-size", str(width), str(height))
    return _variants(places, "InsightFace", "insightface", "insightface_peer.py", options)


def _onnxruntime(places: Places, side: int) -> tuple[Program, ...]:
    files = layout.onnxruntime_files(places.models, places.work)
    options = ("--pack", str(files), "--det-size", str(side))
    return _variants(places, "plain onnxruntime", "insightface", "onnxruntime_peer.py", options)


def _variants(places: Places, name: str, venv: str, script: str, options: tuple[str, ...]) -> tuple[Program, ...]:
    """The peer with its own number of threads, and with another one where that was asked for."""
    command = (places.python(venv), str(HERE / script), *options)
    programs = [Program(name, command)]
    if places.peer_threads is not None:
        words = "1 thread" if places.peer_threads == 1 else f"{places.peer_threads} threads"
        programs.append(Program(f"{name}, {words}", (*command, "--threads", str(places.peer_threads))))
    return tuple(programs)


def _make(places: Places, *arguments: object) -> None:
    command = [places.python("insightface"), str(HERE / "pictures.py"), *map(str, arguments)]
    subprocess.run(command, check=True)
