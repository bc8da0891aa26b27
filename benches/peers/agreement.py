"""How far two programs say the same about a photo: which faces are the same, how near are boxes and embeddings."""

import math
import statistics
from dataclasses import dataclass
from typing import Any

# Two boxes that share at least this much (intersection over union) are one face.
SAME_FACE = 0.5


@dataclass(frozen=True)
class Agreement:
    """Counts, and (smallest, median) over the faces that both found; nothing where there is none."""

    ours: int
    theirs: int
    matched: int
    iou: tuple[float, float] | None
    cosine: tuple[float, float] | None


def between(ours: dict[str, Any], theirs: dict[str, Any]) -> Agreement:
    """Compares two answers to the same request: of faces in a photo, or of embeddings in the order of the request."""
    if "embeddings" in ours:
        ours_e, theirs_e = ours["embeddings"], theirs["embeddings"]
        cosines = [cosine(a, b) for a, b in zip(ours_e, theirs_e, strict=True)]
        return Agreement(len(ours_e), len(theirs_e), len(cosines), None, _least_and_median(cosines))
    pairs = matches(ours["faces"], theirs["faces"])
    ious = [iou(a["box"], b["box"]) for a, b in pairs]
    cosines = [cosine(a["embedding"], b["embedding"]) for a, b in pairs if a["embedding"] and b["embedding"]]
    counts = (len(ours["faces"]), len(theirs["faces"]), len(pairs))
    return Agreement(*counts, _least_and_median(ious), _least_and_median(cosines))


def matches(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of the same face, nearest boxes first, each face once."""
    overlaps = [(iou(a["box"], b["box"]), i, j) for i, a in enumerate(ours) for j, b in enumerate(theirs)]
    pairs, taken_i, taken_j = [], set(), set()
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap >= SAME_FACE and i not in taken_i and j not in taken_j:
            taken_i.add(i)
            taken_j.add(j)
            pairs.append((ours[i], theirs[j]))
    return pairs


def iou(a: list[float], b: list[float]) -> float:
    """Intersection over union of two boxes `[x1, y1, x2, y2]`."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(a) + _area(b) - shared)


def cosine(a: list[float], b: list[float]) -> float:
    """Cosine of the angle between two vectors, neither of them zero."""
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))


def _area(box: list[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _least_and_median(values: list[float]) -> tuple[float, float] | None:
    return (min(values), statistics.median(values)) if values else None
