"""facenet-pytorch: `MTCNN.detect` with landmarks, with the weights of its own package."""

import argparse
from typing import Any

import torch
from facenet_pytorch import MTCNN
from PIL import Image

from answering import Clock, face, serve


def main() -> None:
    """Loads the cascade and answers requests."""
    args = _arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    # Its defaults (thresholds 0.6, 0.7, 0.7, factor 0.709, smallest face 20 px), for all faces of a photo.
    mtcnn = MTCNN(keep_all=True, min_face_size=args.min_face, select_largest=False, device="cpu")

    def detect(request: dict[str, Any], clock: Clock) -> dict[str, Any]:
        with clock.stage("decode"):
            photo = Image.open(request["photo"]).convert("RGB")
        with clock.stage("detect"):
            boxes, scores, landmarks = mtcnn.detect(photo, landmarks=True)
        if boxes is None:
            return {"faces": []}
        # Its boxes have left and top edges that count from 1, all others of the comparison from 0.
        return {"faces": [face(b - (1, 1, 0, 0), s, p) for b, s, p in zip(boxes, scores, landmarks, strict=True)]}

    serve(f"facenet-pytorch 2.6.0, torch {torch.__version__}, {torch.get_num_threads()} threads", {"detect": detect})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--min-face", type=int, default=20, help="smallest face, pixels of the photo")
    parser.add_argument("--threads", type=int, help="threads of torch; its own default otherwise")
    return parser.parse_args()


if __name__ == "__main__":
    main()
