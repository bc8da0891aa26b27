"""Makes the pictures of the comparison that are no photos as they lie: small ones without loss, and aligned faces.

python pictures.py small PHOTO SIDE OUT.png       the photo with SIDE pixels on its longer side
python pictures.py faces PHOTO PACK COUNT FOLDER  the first COUNT faces of a photo, 112 x 112 pixels
"""

import sys
from pathlib import Path

import cv2

import onnxruntime_peer


def small(photo: Path, side: int, out: Path) -> None:
    """Writes the photo at a smaller size, as PNG: every program then reads the very same pixels."""
    picture = cv2.imread(str(photo))
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = (round(width * scale), round(height * scale))
    cv2.imwrite(str(out), cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def faces(photo: Path, pack: Path, count: int, folder: Path) -> None:
    """Writes aligned faces, best first, as PNG; a photo with fewer of them is an error."""
    picture = cv2.imread(str(photo))
    net = onnxruntime_peer.Net(pack / "scrfd.onnx", None)
    _, _, landmarks = onnxruntime_peer.find(net, picture, 2560)
    if len(landmarks) < count:
        raise ValueError(f"{photo.name} has {len(landmarks)} faces, not {count}")
    for number, points in enumerate(landmarks[:count]):
        cv2.imwrite(str(folder / f"{number:03}.png"), onnxruntime_peer.aligned(picture, points))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["small", photo, side, out]:
            small(Path(photo), int(side), Path(out))
        case ["faces", photo, pack, count, folder]:
            faces(Path(photo), Path(pack), int(count), Path(folder))
        case _:
            sys.exit(__doc__)
