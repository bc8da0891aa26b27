"""The measuring part of `benches/gpu.sh`: runs `rollcall bench` in several ways and says what came of it.

Only Python's own library, as on a machine fresh from its installation. Each part is bounded, so that all of them end within
ten minutes on a GPU; a part that cannot run says why and is left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benches/peers"))

import environments
import layout
from contestant import Contestant, Program

CLASS_PHOTOS = "dataset/demo/class_photos"
# A part that is repeated until it is long enough goes on for about so long.
PART_SECS = 20.0
# What the GPU is hoped to reach: photos a second beside decoding alone, and beside InsightFace.
GOAL_DECODING, GOAL_INSIGHTFACE = 0.9, 5.0
# A photo of the sweep: 12 megapixels with 100 faces.
LARGE = {"width": 4000, "height": 3000, "faces": 100}
MEMORY_EVERY_SECS = 0.5


@dataclass(frozen=True)
class Bench:
    """How the program is asked."""

    binary: Path
    provider: str
    photos: tuple[str, ...]
    in_flight: int

    def run(self, *options: str, settings: dict[str, str] | None = None) -> dict[str, Any]:
        """The report of `rollcall bench`; an error ends the script with what the program said."""
        ended = subprocess.run(
            self.command(*options), env=self.environment(settings), capture_output=True, text=True, check=False
        )
        if ended.returncode != 0:
            raise RuntimeError(ended.stderr.strip() or f"the program ended with {ended.returncode}")
        report: dict[str, Any] = json.loads(ended.stdout)
        return report

    def command(self, *options: str) -> list[str]:
        """`rollcall bench` with these options, on this provider."""
        return [str(self.binary), "--provider", self.provider, "--json", "bench", *options]

    def environment(self, settings: dict[str, str] | None = None) -> dict[str, str]:
        """This process's own, and settings of the program."""
        return os.environ | (settings or {})

    def speed(self, *options: str, settings: dict[str, str] | None = None) -> dict[str, Any]:
        """Photos again and again, several at a time, for about `PART_SECS`."""
        many = ("--in-flight", str(self.in_flight), *options, *self.photos)
        once = self.run(*many, "--runs", "2", settings=settings)["speed"]
        runs = max(2, min(10_000, round(PART_SECS * once["photos_per_second"] / len(self.photos))))
        return self.run(*many, "--runs", str(runs), settings=settings)


def main() -> None:
    """Runs every part and prints a line or two for each."""
    args = _arguments()
    photos = tuple(map(str, args.photos or sorted((ROOT / CLASS_PHOTOS).glob("*.jpg"))))
    bench = Bench(args.binary.resolve(), args.provider, photos, args.in_flight)
    os.chdir(ROOT)
    print(f"\n{len(photos)} photos, {bench.in_flight} at a time, {os.cpu_count()} cores")
    start = time.monotonic()
    try:
        _opening(bench)
        recognised = _beside_decoding(bench)
        _precisions(bench, recognised)
        _latency(bench)
        _memory(bench, args.memory_photos, recognised)
    except RuntimeError as error:
        sys.exit(f"gpu.sh: {error}")
    _beside_insightface(bench, args.models)
    print(f"\nmeasured in {time.monotonic() - start:.0f} s")


def _opening(bench: Bench) -> None:
    start = time.monotonic()
    report = bench.run("--runs", "1", "--in-flight", "1", bench.photos[0])
    if report["provider"] != bench.provider:
        raise RuntimeError(f"the program ran on {report['provider']}, not on {bench.provider}")
    print(f"\nopened, tuned and one photo looked at twice in {time.monotonic() - start:.1f} s: {_where(report)}")
    if bench.provider == "cpu":
        print("skipped: the self-test compares a GPU with the CPU, and this is the CPU")
    else:
        print(f"the self-test held in {report['precision']} precision: boxes IoU >= 0.99, cosine >= 0.999 to the CPU")
    if "single_precision_reason" in report:
        print(f"half precision is not used: {report['single_precision_reason']}")


def _where(report: dict[str, Any]) -> str:
    return (
        f"{report['pack']} on {report['provider']}, {report['precision']} precision, ONNX Runtime {report['runtime']}"
    )


def _beside_decoding(bench: Bench) -> float:
    decoded = bench.speed("--decode-only")["speed"]["photos_per_second"]
    recognised = bench.speed()["speed"]
    ratio = recognised["photos_per_second"] / decoded
    print(f"\nphotos/s: {recognised['photos_per_second']:.1f}, {recognised['faces_per_second']:.0f} faces/s")
    print(f"decoded alone by the same cores: {decoded:.1f} photos/s; ratio {ratio:.2f} (goal {GOAL_DECODING})")
    for net in recognised["nets"]:
        print(
            f"  {net['net']}: {net['ms_per_item']:.3f} ms an item, {net['items'] / max(1, net['runs']):.1f} items a run"
        )
    return float(recognised["photos_per_second"])


def _precisions(bench: Bench, recognised: float) -> None:
    if bench.provider == "cpu":
        print("\nskipped: half beside single precision: the CPU computes in single precision only")
        return
    single = bench.speed(settings={"ROLLCALL_GPU__FP16": "off"})["speed"]["photos_per_second"]
    try:
        half = bench.speed(settings={"ROLLCALL_GPU__FP16": "on"})["speed"]["photos_per_second"]
    except RuntimeError as error:
        print(f"\nskipped: half beside single precision ({single:.1f} photos/s): {error}")
        return
    print(
        f"\nhalf precision {half:.1f}, single {single:.1f} photos/s: ratio {half / single:.2f}; auto {recognised:.1f}"
    )


def _latency(bench: Bench) -> None:
    rows = bench.run("--sweep", "--runs", "3")["sweep"]
    row = next((row for row in rows if all(row[key] == value for key, value in LARGE.items())), None)
    if row is None:
        print(f"\nskipped: no painted picture of {LARGE}")
        return
    speed = row["speed"]
    stages = ", ".join(f"{stage} {times['median']:.0f}" for stage, times in speed["stages_ms"].items())
    print(f"\na photo of 12 megapixels with 100 faces, alone: {speed['photo_ms']['median']:.0f} ms ({stages})")


def _memory(bench: Bench, photos: int, photos_per_second: float) -> None:
    runs = max(2, -(-photos // len(bench.photos)))
    print(f"\nmemory over {runs * len(bench.photos)} photos, about {photos / photos_per_second:.0f} s", flush=True)
    options = ("--in-flight", str(bench.in_flight), "--runs", str(runs))
    rss, card = [], []
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(bench.command(*options, *bench.photos), stdout=said, stderr=said) as process:
            while process.poll() is None:
                rss.append(_resident_mb(process.pid))
                card.append(_card_mb(process.pid, bench.provider))
                time.sleep(MEMORY_EVERY_SECS)
        if process.returncode != 0:
            said.seek(0)
            raise RuntimeError(said.read().decode().strip())
    _growth("resident memory", rss)
    if bench.provider == "cpu":
        print("skipped: memory of the card: this is the CPU")
    else:
        _growth("memory of the card", card)


def _growth(what: str, samples: list[float | None]) -> None:
    """From the second tenth of the time, when every shape was seen, to the last one."""
    known = [sample for sample in samples if sample is not None]
    tenth = len(known) // 10
    if tenth == 0:
        print(f"skipped: {what}: it ended before it could be followed")
        return
    early, late = statistics.median(known[tenth : 2 * tenth]), statistics.median(known[-tenth:])
    growth = 100 * (late / early - 1)
    print(f"  {what}: {early:.0f} MB after a tenth, {late:.0f} MB at the end ({growth:+.1f} %, goal +5 % at most)")


def _resident_mb(pid: int) -> float | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    lines = [line.split() for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0][1]) / 1024 if lines else None


def _card_mb(pid: int, provider: str) -> float | None:
    """Of the process; in a container, where `nvidia-smi` knows no processes, of all programs on the card."""
    if provider == "cpu":
        return None
    apps = _nvidia_smi("--query-compute-apps=pid,used_gpu_memory")
    own = [line.split(",")[1] for line in apps if line.split(",")[0].strip() == str(pid)]
    told = own or _nvidia_smi("--query-gpu=memory.used")
    try:
        return float(told[0])
    except (IndexError, ValueError):
        return None


def _nvidia_smi(query: str) -> list[str]:
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.stdout.splitlines() if ended.returncode == 0 else []


def _beside_insightface(bench: Bench, models: Path) -> None:
    """Same weights, and both detectors look at one square of 640 pixels: as in `make peers`."""
    absent = [name for name in (layout.SCRFD, layout.SCRFD_PUBLISHED, layout.EMBEDDER) if not (models / name).is_file()]
    if absent:
        print(f"\nskipped: InsightFace: it needs {', '.join(absent)} in {models}; name the folder with --models")
        return
    work = ROOT / "target/peers"
    work.mkdir(parents=True, exist_ok=True)
    try:
        python = environments.insightface(work, bench.provider)
        theirs = _insightface_speed(bench, python, models, work)
    except (subprocess.CalledProcessError, RuntimeError, SystemExit) as error:
        print(f"\nskipped: InsightFace: {error}")
        return
    ours = _one_square_speed(bench, models)
    ratio = ours / theirs
    print(f"\nSCRFD-500M at 640 px, MobileFaceNet w600k: {ours:.1f} photos/s, InsightFace {theirs:.1f}")
    print(f"  ratio {ratio:.1f} (goal {GOAL_INSIGHTFACE} on a GPU)")


def _insightface_speed(bench: Bench, python: Path, models: Path, work: Path) -> float:
    pack = layout.insightface_pack(models, work)
    side = str(layout.SQUARE_PX)
    script = ROOT / "benches/peers/insightface_peer.py"
    provider = "cpu" if bench.provider == "cpu" else "cuda"
    command = (str(python), str(script), "--pack", str(pack), "--det-size", side, side, "--provider", provider)
    with Contestant(Program("InsightFace", command), work / "InsightFace-gpu.log") as peer:
        peer.ask({"op": "analyse", "photo": bench.photos[0]})
        times: list[float] = []
        while sum(times) < PART_SECS * 1000:
            photo = bench.photos[len(times) % len(bench.photos)]
            times.append(float(peer.ask({"op": "analyse", "photo": photo})["wall_ms"]))
    return 1000 / statistics.mean(times)


def _one_square_speed(bench: Bench, models: Path) -> float:
    """Of the pack whose first level is one square for photos as wide as those of the demo school."""
    level = layout.one_square(3000)
    with tempfile.TemporaryDirectory() as scratch:
        pack = layout.scrfd_pack(ROOT, models, Path(scratch) / "models", level.reliable_px)
        settings = {
            "ROLLCALL_PACK": pack.name,
            "ROLLCALL_DATA_DIR": scratch,
            "ROLLCALL_PHOTOS__MIN_FACE_PX": str(level.min_face_px),
        }
        return float(bench.speed(settings=settings)["speed"]["photos_per_second"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True, help="the program")
    parser.add_argument("--provider", choices=("cuda", "tensorrt", "cpu"), required=True)
    parser.add_argument("--photos", type=Path, nargs="+", help="default: the class photos of the demo school")
    parser.add_argument("--in-flight", type=int, default=max(2, os.cpu_count() or 2), help="default: one for each core")
    parser.add_argument("--memory-photos", type=int, default=2000, metavar="N")
    parser.add_argument("--models", type=Path, default=ROOT / "../shared/models", help="weights for InsightFace")
    return parser.parse_args()


if __name__ == "__main__":
    main()
