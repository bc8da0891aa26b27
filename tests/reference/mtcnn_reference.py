#!/usr/bin/env python3
"""An independent MTCNN cascade in numpy, to compare `src/engine/mtcnn` with.

    python3 -m venv venv && venv/bin/pip install numpy onnxruntime==1.31.1 pillow opencv-python-headless
    cargo test --test engine -- --ignored --nocapture write_photos      # prints PHOTOS
    venv/bin/python tests/reference/mtcnn_reference.py MODELS PHOTOS > tests/reference/mtcnn_reference.json
    venv/bin/python tests/reference/mtcnn_reference.py --align > tests/reference/align_reference.json

MODELS holds the original MTCNN weights as ONNX files, PHOTOS the pictures as the program's own decoder sees them: JPEG
decoders differ by a few grey levels, and that alone moves the box of a 10 px face by a pixel. Rules: facenet-pytorch
`models/utils/detect_face.py` at its defaults (20 px, 0.6 / 0.7 / 0.7, factor 0.709). Whole pyramid levels, no tiles; plain loops
rather than speed. Boxes are written zero-based and half-open, landmarks as zero-based pixel positions. Only numbers
leave this script, no pixels.
"""
import hashlib
import json
import sys
from pathlib import Path

import numpy as np

F = np.float32


def area(picture, out_h, out_w):
    """torch interpolate(mode="area"): [h, w, 3] uint8 -> [3, out_h, out_w] float32."""
    h, w, _ = picture.shape
    table = np.zeros((h + 1, w + 1, 3), np.int64)
    table[1:, 1:] = picture.astype(np.int64).cumsum(0).cumsum(1)
    r0, r1 = [i * h // out_h for i in range(out_h)], [-(-(i + 1) * h // out_h) for i in range(out_h)]
    c0, c1 = [i * w // out_w for i in range(out_w)], [-(-(i + 1) * w // out_w) for i in range(out_w)]
    total = table[r1][:, c1] - table[r0][:, c1] - table[r1][:, c0] + table[r0][:, c0]
    count = np.outer(np.subtract(r1, r0), np.subtract(c1, c0))[:, :, None]
    return ((total / count - 127.5) / 128).astype(F).transpose(2, 0, 1)


def nms(boxes, scores, threshold, smaller=False):
    """Greedy, by score, equal scores in order. `smaller`: +1 widths and the smaller area below the line."""
    one = F(1 if smaller else 0)
    areas = (boxes[:, 2] - boxes[:, 0] + one) * (boxes[:, 3] - boxes[:, 1] + one)
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if kept:
            k = np.array(kept)
            w = np.minimum(boxes[k, 2], boxes[i, 2]) - np.maximum(boxes[k, 0], boxes[i, 0]) + one
            h = np.minimum(boxes[k, 3], boxes[i, 3]) - np.maximum(boxes[k, 1], boxes[i, 1]) + one
            shared = np.maximum(w, 0) * np.maximum(h, 0)
            below = np.minimum(areas[k], areas[i]) if smaller else areas[k] + areas[i] - shared
            if (shared / below > threshold).any():
                continue
        kept.append(int(i))
    return np.array(kept, int)


def move(boxes, reg, extra):
    size = np.stack([boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]] * 2, 1) + F(extra)
    return boxes + reg * size


def square(b):
    w, h = b[:, 2] - b[:, 0], b[:, 3] - b[:, 1]
    side = np.maximum(w, h)
    x, y = b[:, 0] + w * F(0.5) - side * F(0.5), b[:, 1] + h * F(0.5) - side * F(0.5)
    return np.stack([x, y, x + side, y + side], 1)


def crops(picture, boxes, side):
    h, w, _ = picture.shape
    tensors, kept = [], []
    for n, (x1, y1, x2, y2) in enumerate(np.trunc(boxes).astype(int)):
        x, y, ex, ey = max(x1, 1), max(y1, 1), min(x2, w), min(y2, h)
        if ex > x - 1 and ey > y - 1:
            tensors.append(area(picture[y - 1:ey, x - 1:ex], side, side))
            kept.append(n)
    return np.array(tensors, F).reshape(-1, 3, side, side), boxes[kept]


def run(net, tensors, names):
    outputs = [net.run(names, {"input": tensors[i:i + 64]}) for i in range(0, len(tensors), 64)]
    return [np.concatenate(column) for column in zip(*outputs)]


def detect(picture, pnet, rnet, onet, thresholds=(0.6, 0.7, 0.7), min_face=20, factor=0.709):
    h, w, _ = picture.shape
    scale, shorter = 12 / min_face, min(h, w) * 12 / min_face
    every = []
    while shorter >= 12:
        tensor = area(picture, int(h * scale + 1), int(w * scale + 1))[None]
        prob, reg = pnet.run(["prob", "reg"], {"input": tensor})
        rows, columns = np.nonzero(prob[0, 1] >= thresholds[0])
        cell = np.stack([columns, rows], 1).astype(F)
        boxes = np.hstack([np.floor((2 * cell + 1) / F(scale)), np.floor((2 * cell + 12) / F(scale))]).astype(F)
        scores = prob[0, 1, rows, columns]
        kept = nms(boxes, scores, 0.5)
        every.append((boxes[kept], scores[kept], reg[0, :, rows, columns][kept]))
        scale, shorter = scale * factor, shorter * factor
    boxes, scores, reg = [np.concatenate(part) for part in zip(*every)]
    kept = nms(boxes, scores, 0.7)
    boxes = square(move(boxes[kept], reg[kept], 0))

    tensors, boxes = crops(picture, boxes, 24)
    if len(boxes) == 0:
        return []
    prob, reg = run(rnet, tensors, ["prob", "reg"])
    passed = prob[:, 1] > thresholds[1]
    boxes, scores, reg = boxes[passed], prob[passed, 1], reg[passed]
    kept = nms(boxes, scores, 0.7)
    boxes = square(move(boxes[kept], reg[kept], 1))

    tensors, boxes = crops(picture, boxes, 48)
    if len(boxes) == 0:
        return []
    prob, reg, marks = run(onet, tensors, ["prob", "reg", "landmarks"])
    passed = prob[:, 1] > thresholds[2]
    boxes, scores, reg, marks = boxes[passed], prob[passed, 1], reg[passed], marks[passed]
    size = boxes[:, 2:] - boxes[:, :2] + 1
    xs = marks[:, :5] * size[:, :1] + boxes[:, :1] - 1
    ys = marks[:, 5:] * size[:, 1:] + boxes[:, 1:2] - 1
    boxes = move(boxes, reg, 1)
    kept = nms(boxes, scores, 0.7, smaller=True)
    faces = [{
        "box": [round(float(v), 3) for v in boxes[i] - F([1, 1, 0, 0])],
        "score": round(float(scores[i]), 6),
        "landmarks": [[round(float(x), 3), round(float(y), 3)] for x, y in zip(xs[i], ys[i])],
    } for i in kept]
    return faces


def reference(models, photos):
    import onnxruntime
    from PIL import Image
    nets = [onnxruntime.InferenceSession(models / f"mtcnn_{n}.onnx", providers=["CPUExecutionProvider"])
            for n in ("pnet", "rnet", "onet")]
    result = []
    for path in sorted(photos.rglob("*.png")):
        picture = np.asarray(Image.open(path).convert("RGB"))
        faces = detect(picture, *nets)
        print(path.name, len(faces), "faces", file=sys.stderr)
        result.append({"image": str(path.relative_to(photos).with_suffix(".jpg")), "width": picture.shape[1], "height": picture.shape[0],
                       "pixels_sha256": hashlib.sha256(picture.tobytes()).hexdigest(), "faces": faces})
    return result


TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def umeyama(source, target):
    """S. Umeyama 1991, equations 38 to 43, with the singular value decomposition."""
    mean_s, mean_t = source.mean(0), target.mean(0)
    s, t = source - mean_s, target - mean_t
    u, d, vt = np.linalg.svd(t.T @ s / len(s))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (d * sign).sum() / s.var(0).sum()
    return np.hstack([scale * rotation, (mean_t - scale * rotation @ mean_s)[:, None]])


def aligned():
    """Alignment of a drawn picture (the test draws the same one): matrix and every eighth pixel of the face."""
    import cv2
    y, x = np.mgrid[0:240, 0:320]
    wave = lambda a, b, c: 127.5 + 110 * np.sin(x / a + y / b + c)
    picture = np.stack([wave(9, 14, 0), wave(-21, 8, 1), wave(30, 30, 2)], 2).round().astype(np.uint8)
    cases = {
        "upright": [[130, 100], [168, 101], [149, 122], [134, 142], [165, 141]],
        "tilted small": [[60, 60], [75, 68], [63, 72], [55, 78], [68, 85]],
        "over the edge": [[10, 200], [60, 205], [30, 228], [12, 250], [55, 252]],
        "nearly two to one": [[120, 80], [185, 75], [155, 115], [128, 150], [180, 148]],
    }
    result = []
    for name, marks in cases.items():
        matrix = umeyama(np.array(marks, float), TEMPLATE)
        face = cv2.warpAffine(picture, matrix, (112, 112), flags=cv2.INTER_LINEAR, borderValue=0)
        result.append({"name": name, "landmarks": marks, "matrix": matrix.round(6).tolist(),
                       "pixels": face[::8, ::8].reshape(-1).tolist()})
    return result


if __name__ == "__main__":
    entries = aligned() if sys.argv[1] == "--align" else reference(Path(sys.argv[1]), Path(sys.argv[2]))
    print("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]")
