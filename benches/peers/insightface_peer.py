"""InsightFace: `FaceAnalysis` as its README has it, with the weight files of the comparison as its model pack."""

import argparse
import logging
from pathlib import Path
from typing import Any

import cv2
import insightface
import onnxruntime
from insightface.app import FaceAnalysis

from answering import Clock, face, serve


def main() -> None:
    """Opens the model pack and answers requests."""
    args = _arguments()
    logging.disable(logging.WARNING)
    options = onnxruntime.SessionOptions()
    if args.threads:
        options.intra_op_num_threads = args.threads
    on_gpu = args.provider == "cuda"
    if on_gpu:
        # CUDA and cuDNN of the environment, before a provider looks for the system's.
        onnxruntime.preload_dlls()
    provider = "CUDAExecutionProvider" if on_gpu else "CPUExecutionProvider"
    app = FaceAnalysis(name=str(args.pack), providers=[provider], sess_options=options)
    for model in app.models.values():
        if model.session.get_providers()[0] != provider:
            raise SystemExit(f"InsightFace runs on {model.session.get_providers()}, not on {provider}")
    width, height = args.det_size
    app.prepare(ctx_id=0 if on_gpu else -1, det_thresh=0.5, det_size=(width, height))
    recogniser = app.models["recognition"]
    _time_as("detect", app.det_model, "detect")
    _time_as("embed", recogniser, "get")

    def analyse(request: dict[str, Any], clock: Clock) -> dict[str, Any]:
        with clock.stage("decode"):
            photo = cv2.imread(request["photo"])
        app.det_model.clock = recogniser.clock = clock
        found = app.get(photo)
        return {"faces": [face(f.bbox, f.det_score, f.kps, f.embedding) for f in found]}

    def detect(request: dict[str, Any], clock: Clock) -> dict[str, Any]:
        with clock.stage("decode"):
            photo = cv2.imread(request["photo"])
        app.det_model.clock = clock
        boxes, landmarks = app.det_model.detect(photo)
        return {"faces": [face(b[:4], b[4], p) for b, p in zip(boxes, landmarks, strict=True)]}

    def embed(request: dict[str, Any], clock: Clock) -> dict[str, Any]:
        faces = [cv2.imread(path) for path in request["faces"]]
        # One after the other, as `FaceAnalysis.get` does it.
        with clock.stage("embed"):
            vectors = [recogniser.get_feat(picture).flatten() for picture in faces]
        return {"embeddings": [[float(v) for v in vector] for vector in vectors]}

    ready = f"insightface {insightface.__version__}, onnxruntime {onnxruntime.__version__}"
    serve(ready, {"analyse": analyse, "detect": detect, "embed": embed})


def _time_as(stage: str, model: Any, method: str) -> None:
    """Lets the calls of a model's method count as a stage of `model.clock`; `get` aligns and embeds one face."""
    plain = getattr(model, method)

    def timed(*args: Any, **kwargs: Any) -> Any:
        with model.clock.stage(stage):
            return plain(*args, **kwargs)

    setattr(model, method, timed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, required=True, help="folder with the two ONNX files")
    parser.add_argument("--det-size", type=int, nargs=2, default=(640, 640), metavar=("W", "H"))
    parser.add_argument("--provider", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, help="threads of ONNX Runtime; its own default otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    main()
