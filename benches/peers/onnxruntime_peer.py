"""Plain ONNX Runtime: the loop that one writes around the two files with numpy and OpenCV, a face at a time."""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from answering import Clock, face, serve

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

STRIDES = (8, 16, 32)
THRESHOLD = 0.5
NMS = 0.4
# Where the landmarks of a face lie in 112 x 112 pixels: InsightFace, `arcface_dst`.
ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)


class Net:
    """One ONNX file on the CPU."""

    def __init__(self, path: Path, threads: int | None) -> None:
        options = onnxruntime.SessionOptions()
        if threads:
            options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def run(self, values: Floats) -> list[Floats]:
        """All outputs of the file, in its order."""
        outputs: list[Floats] = self._session.run(None, {self._input: values})
        return outputs


def main() -> None:
    """Loads the two nets and answers requests."""
    args = _arguments()
    detector = Net(args.pack / "scrfd.onnx", args.threads)
    embedder = Net(args.pack / "embedder.onnx", args.threads)

    def analyse(request: dict[str, Any], clock: Clock) -> dict[str, Any]:
        with clock.stage("decode"):
            photo = cv2.imread(request["photo"])
        with clock.stage("detect"):
            boxes, scores, landmarks = find(detector, photo, args.det_size)
        vectors: list[Any] = [()] * len(boxes)
        if request["op"] == "analyse":
            with clock.stage("align"):
                crops = [aligned(photo, points) for points in landmarks]
            with clock.stage("embed"):
                vectors = [embedding(embedder, crop) for crop in crops]
        return {"faces": [face(*found) for found in zip(boxes, scores, landmarks, vectors, strict=True)]}

    def embed(request: dict[str, Any], clock: Clock) -> dict[str, Any]:
        faces = [cv2.imread(path) for path in request["faces"]]
        with clock.stage("embed"):
            vectors = [embedding(embedder, picture) for picture in faces]
        return {"embeddings": [[float(v) for v in vector] for vector in vectors]}

    serve(f"onnxruntime {onnxruntime.__version__}", {"analyse": analyse, "detect": analyse, "embed": embed})


def find(detector: Net, photo: Bytes, side: int) -> tuple[Floats, Floats, Floats]:
    """Boxes `[n, 4]`, scores `[n]` and landmarks `[n, 5, 2]` of the faces, in pixels of the photo, best first."""
    height, width = photo.shape[:2]
    scale = side / max(height, width)
    small = cv2.resize(photo, (round(width * scale), round(height * scale)))
    square = np.zeros((side, side, 3), np.uint8)
    square[: small.shape[0], : small.shape[1]] = small
    outputs = detector.run(cv2.dnn.blobFromImage(square, 1 / 128, None, (127.5,) * 3, swapRB=True))
    boxes, scores, landmarks = _decode([values[0] for values in outputs], side)
    corner_and_size = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = cv2.dnn.NMSBoxes(corner_and_size.tolist(), scores.tolist(), THRESHOLD, NMS)
    order = np.asarray(kept, dtype=np.int64).ravel()
    return boxes[order] / scale, scores[order], landmarks[order] / scale


def _decode(outputs: list[Floats], side: int) -> tuple[Floats, Floats, Floats]:
    boxes, scores, landmarks = [], [], []
    for level, stride in enumerate(STRIDES):
        score = outputs[level].ravel()
        edges, points = outputs[level + 3] * stride, outputs[level + 6] * stride
        hits = np.flatnonzero(score >= THRESHOLD)
        cells = side // stride
        # Two anchors in each cell.
        centres = np.stack([hits // 2 % cells, hits // 2 // cells], axis=1) * np.float32(stride)
        boxes.append(np.hstack([centres - edges[hits, :2], centres + edges[hits, 2:]]))
        scores.append(score[hits])
        landmarks.append(centres[:, None, :] + points[hits].reshape(-1, 5, 2))
    return np.vstack(boxes), np.concatenate(scores), np.vstack(landmarks)


def aligned(photo: Bytes, landmarks: Floats) -> Bytes:
    """The face as 112 x 112 pixels on the ArcFace template."""
    # x' = a x - b y + u, y' = b x + a y + v: two equations for each landmark, solved by least squares.
    x, y, one, none = landmarks[:, 0], landmarks[:, 1], np.ones(5), np.zeros(5)
    equations = np.vstack([np.stack([x, -y, one, none], axis=1), np.stack([y, x, none, one], axis=1)])
    a, b, u, v = np.linalg.lstsq(equations, ARCFACE.T.ravel(), rcond=None)[0]
    upright: Bytes = cv2.warpAffine(photo, np.array([[a, -b, u], [b, a, v]]), (112, 112))
    return upright


def embedding(embedder: Net, picture: Bytes) -> Floats:
    """The vector of one aligned face."""
    [vectors] = embedder.run(cv2.dnn.blobFromImage(picture, 1 / 127.5, None, (127.5,) * 3, swapRB=True))
    vector: Floats = vectors[0]
    return vector


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True, help="folder with scrfd.onnx and embedder.onnx")
    parser.add_argument("--det-size", type=int, default=640, help="side of the detector's square")
    parser.add_argument("--threads", type=int, help="threads of ONNX Runtime; its own default otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    main()
