"""What else could compare faces better: the experiments behind the table in ../RECOGNITION.md.

Small faces are made as `rollcall evaluate identify` makes them (portraits shrunk to faces of 20 to 80 pixels, JPEG quality 90,
found and aligned anew) and put before drawn classes of 60, with everybody else as strangers. Ways of comparing are judged at
equal rates of strangers named, because a way that names more of everybody is no better.

    pip install -r requirements.txt
    python experiments.py --people images.csv --images DIR --detector scrfd.onnx --embedder net.onnx [--experiment NAME]

`images.csv` has image,person. The detector is an SCRFD with landmarks and a batch axis, the embedder takes 112 x 112 RGB as
(x - 127.5) / 127.5. Embeddings are kept in --cache, so that experiments can be repeated.
"""

import argparse
import csv
import hashlib
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

SIZES = [(20, 24), (24, 32), (32, 48), (48, 80)]  # pixels, longer side of the face
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)  # ArcFace, 112 x 112
RATES = (0.001, 0.01)  # strangers named
CLASS_SIZE, CLASSES = 60, 200
MEMBER_PROBES, STRANGER_PROBES = 200, 400  # of each class
PORTRAIT = -1


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


# ---- pictures to embeddings


class Detector:
    def __init__(self, path, options):
        self.net = ort.InferenceSession(path, options)

    def face(self, picture):
        """Box and landmarks of the most certain face of a small picture; None without one."""
        height, width = picture.shape[:2]
        side = -(-max(height, width) // 32) * 32
        square = np.zeros((side, side, 3), np.float32)
        square[:height, :width] = picture[:, :, ::-1]
        square = ((square - 127.5) / 128).transpose(2, 0, 1)[None]
        names = [output.name for output in self.net.get_outputs()]
        found = dict(zip(names, self.net.run(None, {self.net.get_inputs()[0].name: square})))
        best = None
        for stride in (8, 16, 32):
            scores = found[f"score_{stride}"][0, :, 0]
            i = int(scores.argmax())
            if best is None or scores[i] > best[0]:
                centre = np.array([(i // 2) % (side // stride), (i // 2) // (side // stride)]) * stride
                left, top, right, bottom = found[f"bbox_{stride}"][0, i] * stride
                box = np.concatenate([centre - [left, top], centre + [right, bottom]])
                best = scores[i], box, found[f"kps_{stride}"][0, i].reshape(5, 2) * stride + centre
        return best[1:] if best[0] > 0.5 else None


def aligned(picture, landmarks):
    """Umeyama's least-squares similarity to the template."""
    mean, target = landmarks.mean(0), TEMPLATE.mean(0)
    source, wanted = landmarks - mean, TEMPLATE - target
    u, scales, vt = np.linalg.svd(wanted.T @ source / len(source))
    flip = np.diag([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ flip @ vt
    scale = (scales * np.diag(flip)).sum() / source.var(0).sum()
    move = np.hstack([scale * rotation, (target - scale * rotation @ mean)[:, None]])
    return cv2.warpAffine(picture, move, (112, 112), flags=cv2.INTER_LINEAR)


def side_of(box):
    return max(box[2] - box[0], box[3] - box[1])


def sharpness(face):
    return cv2.Laplacian(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var()


def faces_of(args, options):
    """Aligned faces with (person, image, size, side, sharpness); size is PORTRAIT or an index into SIZES."""
    detector, rng = Detector(args.detector, options), np.random.default_rng(1)
    faces, facts = [], []

    def keep(face, person, image, size, box):
        faces.append(face)
        facts.append((person, image, size, side_of(box), sharpness(face)))

    with open(args.people, newline="") as file:
        rows = list(csv.DictReader(file))
    people = {name: i for i, name in enumerate(sorted({row["person"] for row in rows}))}
    for image, row in enumerate(rows):
        picture = cv2.imread(str(Path(args.images) / row["image"]))
        found = detector.face(picture)
        if found is None:
            continue
        (box, landmarks), person = found, people[row["person"]]
        keep(aligned(picture, landmarks), person, image, PORTRAIT, box)
        for size, (smallest, largest) in enumerate(SIZES):
            wanted = np.exp(rng.uniform(np.log(smallest), np.log(largest)))
            factor = min(wanted / side_of(box), 1)
            small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            small = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 90])[1], 1)
            again = detector.face(small)
            if again is None:
                continue
            apart = (again[0][:2] + again[0][2:]) / 2 - (box[:2] + box[2:]) / 2 * factor
            if np.abs(apart).max() <= 0.4 * side_of(box) * factor:
                keep(aligned(small, again[1]), person, image, size, again[0])
    return np.stack(faces), np.array(facts)


def embedded(path, options, faces):
    net = ort.InferenceSession(path, options)
    name = net.get_inputs()[0].name

    def batch(part):
        part = ((part[..., ::-1].astype(np.float32) - 127.5) / 127.5).transpose(0, 3, 1, 2)
        return net.run(None, {name: np.ascontiguousarray(part)})[0]

    return unit(np.concatenate([batch(faces[i : i + 32]) for i in range(0, len(faces), 32)]))


class Data:
    """Unit vectors of all faces and of their mirror images, and what is known of them."""

    def __init__(self, args):
        key = "|".join(
            hashlib.sha256(Path(p).read_bytes()).hexdigest() for p in (args.people, args.detector, args.embedder)
        )
        cache = Path(args.cache) / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
        if not cache.exists():
            options = ort.SessionOptions()
            options.intra_op_num_threads = args.threads
            faces, facts = faces_of(args, options)
            cache.parent.mkdir(parents=True, exist_ok=True)
            mirrored = faces[:, :, ::-1]
            np.savez(
                cache,
                facts=facts,
                plain=embedded(args.embedder, options, faces),
                mirrored=embedded(args.embedder, options, mirrored),
            )
        kept = np.load(cache)
        self.plain, self.both = kept["plain"], unit(kept["plain"] + kept["mirrored"])
        self.person, self.image, self.size = kept["facts"][:, :3].astype(int).T
        self.side, self.sharp = kept["facts"][:, 3:].T
        self.people = self.person.max() + 1
        of = lambda p: np.where((self.person == p) & (self.size == PORTRAIT))[0]
        self.portraits = [of(p) for p in range(self.people)]
        self.able = [p for p in range(self.people) if len(self.portraits[p]) >= 2]


def drawn_classes(data, samples, seed):
    """Members and the portraits that each is enrolled with; at least one portrait of each is left out."""
    rng = np.random.default_rng(seed)
    for _ in range(CLASSES):
        members = rng.permutation(data.able)[:CLASS_SIZE]
        chosen = [rng.permutation(data.portraits[p]) for p in members]
        yield rng, members, [c[: min(samples, len(c) - 1)] for c in chosen]


def template(vectors, chosen):
    return np.stack([unit(vectors[c].sum(0)) for c in chosen])


# ---- ways of comparing probes with a class: (faces of the class, probes) -> [probes, members]


def by_template(data, probes, chosen, probe="plain", enrolled="plain"):
    return getattr(data, probe)[probes] @ template(getattr(data, enrolled), chosen).T


def by_samples(data, probes, chosen, combine):
    scores = [data.plain[probes] @ data.plain[c].T for c in chosen]
    return np.stack([combine(s, axis=1) for s in scores], 1)


def over_probe(scores, scaled):
    others = np.sort(scores, 1)[:, :-1]
    centred = scores - others.mean(1, keepdims=True)
    return centred / others.std(1, keepdims=True) if scaled else centred


def over_candidate(scores, data, chosen, scaled):
    templates = template(data.plain, chosen)
    among = templates @ templates.T
    np.fill_diagonal(among, np.nan)
    centred = scores - np.nanmean(among, 1)
    return centred / np.nanstd(among, 1) if scaled else centred


def ways():
    base = by_template
    return {
        "template, face": base,
        "mirrored, both": lambda d, p, c: base(d, p, c, "both", "both"),
        "mirrored, face only": lambda d, p, c: base(d, p, c, "both", "plain"),
        "best sample": lambda d, p, c: by_samples(d, p, c, np.max),
        "mean over samples": lambda d, p, c: by_samples(d, p, c, np.mean),
        "half best sample, half template": lambda d, p, c: 0.5 * (by_samples(d, p, c, np.max) + base(d, p, c)),
        "less the face's mean over the class": lambda d, p, c: over_probe(base(d, p, c), False),
        "z-norm over the class": lambda d, p, c: over_probe(base(d, p, c), True),
        "less the candidate's mean over the class": lambda d, p, c: over_candidate(base(d, p, c), d, c, False),
        "t-norm over the class": lambda d, p, c: over_candidate(base(d, p, c), d, c, True),
        "s-norm over the class": lambda d, p, c: 0.5
        * (over_probe(base(d, p, c), True) + over_candidate(base(d, p, c), d, c, True)),
    }


def met(data, way, samples, seed=7):
    """Members as (own score, best other, probe), strangers as (best score, probe)."""
    members, strangers = [], []
    small = np.where(data.size != PORTRAIT)[0]
    for rng, people, chosen in drawn_classes(data, samples, seed):
        place = {person: i for i, person in enumerate(people)}
        used = set(data.image[np.concatenate(chosen)])
        inside = np.isin(data.person, people)
        outside = rng.permutation(small[~inside[small]])[:STRANGER_PROBES]
        of_class = [i for i in small if inside[i] and data.image[i] not in used]
        of_class = rng.permutation(of_class)[:MEMBER_PROBES]
        scores = way(data, np.concatenate([of_class, outside]), chosen)
        for row, probe in zip(scores, of_class):
            own = place[data.person[probe]]
            members.append((row[own], np.delete(row, own).max(), probe))
        strangers += [(row.max(), probe) for row, probe in zip(scores[len(of_class) :], outside)]
    return np.array(members), np.array(strangers)


def named(members, line):
    return (members[:, 0] >= line) & (members[:, 0] > members[:, 1])


def line_at(strangers, rate, weights=None):
    if weights is None:
        return np.quantile(strangers[:, 0], 1 - rate)
    order = np.argsort(-strangers[:, 0])
    passed = np.cumsum(weights[order])
    return strangers[order[np.searchsorted(passed, rate * passed[-1])], 0]


def difference(data, base, other, rate, draws=200):
    """95 % interval of the gain in members named: the same people drawn anew for both ways."""
    rng, gains = np.random.default_rng(0), []
    person = lambda rows: data.person[rows[:, -1].astype(int)]
    for _ in range(draws):
        times = np.bincount(rng.integers(0, data.people, data.people), minlength=data.people)
        share = []
        for members, strangers in (base, other):
            hit = named(members, line_at(strangers, rate, times[person(strangers)]))
            share.append(np.average(hit, weights=times[person(members)]))
        gains.append(share[1] - share[0])
    return np.percentile(gains, [2.5, 97.5])


# ---- experiments


def compare_ways(data, samples):
    base = None
    for name, way in ways().items():
        found = met(data, way, samples)
        base = base or found
        parts = []
        for rate in RATES:
            hit = named(found[0], line_at(found[1], rate))
            size = data.size[found[0][:, 2].astype(int)]
            by_size = " ".join(f"{100 * hit[size == s].mean():.1f}" for s in range(len(SIZES)))
            low, high = difference(data, base, found, rate)
            parts.append(f"{100 * hit.mean():.2f} ({100 * low:+.2f} to {100 * high:+.2f}; {by_size})")
        print(f"{samples} samples | {name} | " + " | ".join(parts), flush=True)


def lines_by_quality(data, samples, rounds=20):
    """One line for all, against lines by size and by sharpness: set on one half of the people, counted on the other."""
    members, strangers = met(data, by_template, samples)
    probe = lambda rows: rows[:, -1].astype(int)
    for rate in RATES:
        found = {name: [] for name in ("one line", "a line for each size", "a line for each third of sharpness")}
        rng = np.random.default_rng(3)
        for _ in range(rounds):
            half = rng.permutation(data.people) < data.people // 2
            for trained in (True, False):
                part = lambda rows, same: rows[(half[data.person[probe(rows)]] == trained) == same]
                on, (inside, outside) = part(strangers, True), (part(members, False), part(strangers, False))
                thirds = np.quantile(data.sharp[probe(on)], [1 / 3, 2 / 3])
                groups = {
                    "one line": lambda rows: np.zeros(len(rows), int),
                    "a line for each size": lambda rows: data.size[probe(rows)],
                    "a line for each third of sharpness": lambda rows: np.searchsorted(
                        thirds, data.sharp[probe(rows)]
                    ),
                }
                for name, group in groups.items():
                    of = group(on)
                    lines = np.array([line_at(on[of == g], rate) for g in range(of.max() + 1)])
                    found[name].append(
                        (named(inside, lines[group(inside)]).mean(), (outside[:, 0] >= lines[group(outside)]).mean())
                    )
        for name, shares in found.items():
            right, strangers_named = 100 * np.mean(shares, 0)
            print(f"{samples} samples | {name} | {right:.2f} right at {strangers_named:.3f} % strangers", flush=True)


def several_photos(data, samples, photos=2, same_picture=False, seed=5):
    """One face, the best of several, their mean, and the best unless the mean of faces that look alike speaks against it."""
    rows = []
    small = np.where(data.size != PORTRAIT)[0]
    for rng, people, chosen in drawn_classes(data, samples, seed):
        templates, place = template(data.plain, chosen), {person: i for i, person in enumerate(people)}
        used, groups = set(data.image[np.concatenate(chosen)]), {}
        for i in rng.permutation(small):
            if data.image[i] in used:
                continue
            key = (data.person[i], data.image[i]) if same_picture else data.person[i]
            group = groups.setdefault(key, {})
            group.setdefault(i if same_picture else data.image[i], i)
        for key, group in groups.items():
            faces = list(group.values())[:photos]
            if len(faces) < photos:
                continue
            each, mean = data.plain[faces] @ templates.T, unit(data.plain[faces].sum(0)) @ templates.T
            alike = min(data.plain[a] @ data.plain[b] for n, a in enumerate(faces) for b in faces[:n])
            own = place.get(key[0] if same_picture else key)
            best = lambda scores: (
                (scores[own], np.delete(scores, own).max()) if own is not None else (-1, scores.max())
            )
            rows.append((own is not None, alike, *best(each[0]), *best(each.max(0)), *best(mean)))
    rows = np.array(rows)
    member, alike = rows[:, 0] == 1, rows[:, 1]
    for rate in RATES:
        line = np.quantile(rows[~member, 3], 1 - rate)
        right = lambda at: (rows[:, at] >= line) & (rows[:, at] > rows[:, at + 1])
        wrong = lambda at: (rows[:, at + 1] >= line) & (rows[:, at + 1] >= rows[:, at])
        apart = alike < line
        kinds = {
            "one photo": (right(2), wrong(2)),
            "best": (right(4), wrong(4)),
            "mean": (right(6), wrong(6)),
            "best, unless the mean speaks against it": (right(4) & (apart | right(6)), wrong(4) & (apart | wrong(6))),
        }
        kind = "the same picture" if same_picture else "other pictures"
        for name, (hit, miss) in kinds.items():
            figures = f"{100 * hit[member].mean():.2f} right, {100 * miss[~member].mean():.3f} % strangers named"
            print(f"{photos} photos, {kind} | {name} | {figures}", flush=True)


def siblings(data, accept, margin, samples=2, pairs=400):
    """People drawn towards each other until their templates have a chosen cosine; who gets the other's name?"""

    def combined(cosine, dims=data.plain.shape[1]):
        return 0.7 * np.sqrt(2 * dims * (1 - cosine)) + 6 * (1 - cosine)

    rng = np.random.default_rng(1)
    means = [unit(data.plain[p].sum(0)) for p in data.portraits]
    for wanted in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        rows = []
        for _ in range(pairs):
            a, b = rng.permutation([p for p in data.able if len(data.portraits[p]) > samples])[:2]
            low, high = 0.0, 20.0
            while high - low > 1e-6:
                middle = (low + high) / 2
                near = unit(means[b] + middle * means[a]) @ means[a] >= wanted
                low, high = (low, middle) if near else (middle, high)
            drawn = lambda vectors: unit(vectors + low * means[a])
            chosen = [rng.permutation(data.portraits[p])[:samples] for p in (a, b)]
            of_a, of_b = unit(data.plain[chosen[0]].sum(0)), unit(drawn(data.plain[chosen[1]]).sum(0))
            for person, taken, own, other, seen in (
                (a, chosen[0], of_a, of_b, lambda v: v),
                (b, chosen[1], of_b, of_a, drawn),
            ):
                probes = np.where(
                    (data.person == person) & (data.size != PORTRAIT) & ~np.isin(data.image, data.image[taken])
                )[0]
                faces = seen(data.plain[probes])
                rows += [(s, o, combined(of_a @ of_b)) for s, o in zip(combined(faces @ own), combined(faces @ other))]
        own, other, apart = np.array(rows).T
        right = (own <= accept) & (other - own >= margin)
        wrong = (other <= accept) & (own - other >= margin)
        doubles = apart <= accept
        print(
            f"templates at cosine {wanted} | {100 * right.mean():.1f} right, {100 * wrong.mean():.3f} wrong | doubles asked about: "
            f"{100 * (right & ~doubles).mean():.1f} right, {100 * (wrong & ~doubles).mean():.3f} wrong",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", required=True)
    parser.add_argument("--images", required=True)
    parser.add_argument("--detector", required=True)
    parser.add_argument("--embedder", required=True)
    parser.add_argument("--lines", nargs=2, type=float, metavar=("ACCEPT", "MARGIN"), help="of the pack, for siblings")
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", default=".cache")
    parser.add_argument("--experiment", choices=["ways", "quality", "photos", "siblings"])
    args = parser.parse_args()
    data = Data(args)
    run = lambda name: args.experiment in (None, name)
    if run("ways"):
        compare_ways(data, args.samples)
    if run("quality"):
        lines_by_quality(data, args.samples)
    if run("photos"):
        for photos, same in ((2, False), (3, False), (2, True)):
            several_photos(data, args.samples, photos, same)
    if run("siblings") and args.lines:
        siblings(data, *args.lines)


if __name__ == "__main__":
    main()
