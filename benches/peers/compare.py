"""rollcall and its peers in turn on the same photos; prints the table of ratios. `make peers` runs it.

Both programs of a row are started, warmed up, and then asked in turn: rollcall, peer, rollcall, peer, ... A ratio is
the peer's median over that of rollcall's own answers in the same turns.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import environments
import layout
import table
from agreement import between
from cases import GROUP, LARGE, Case, Places, all_cases
from contestant import Contestant
from table import Row

# Waiting threads of ONNX Runtime and torch spin for a while after their work.
PAUSE_SECS = 0.2


def main() -> None:
    """Runs every case and prints the table, and writes all numbers where `--json` says."""
    args = _arguments()
    absent = _absent(args.models, args.photos)
    if absent:
        print(f"skipped: the comparison needs {', '.join(absent)}; name the folders with --models and --photos")
        return
    args.work.mkdir(parents=True, exist_ok=True)
    work = args.work.resolve()
    environments.ensure(work)
    places = Places(args.repository, args.models, args.photos, work, args.rollcall.resolve(), args.peer_threads)
    cases = [case for case in all_cases(places) if args.only in case.name]
    facts = _facts(args)
    rows: list[Row] = []
    programs: set[str] = set()
    machine = f"{facts['cpu']}, {facts['cores']} cores"
    print(f"rollcall {facts['commit']}, {machine}, {args.rounds} turns after one to warm up\n")
    print(table.head())
    for case in cases:
        for row in _run(case, args.rounds, work, programs):
            rows.append(row)
            print(table.line(row), flush=True)
    facts |= {"load_after": os.getloadavg()[0], "programs": sorted(programs)}
    print(f"\nload {facts['load_before']:.1f} before, {facts['load_after']:.1f} after; " + "; ".join(sorted(programs)))
    print("\n" + table.stages(rows))
    if args.json:
        args.json.write_text(json.dumps(facts | {"rows": [asdict(row) for row in rows]}, indent=1))


def _run(case: Case, rounds: int, work: Path, programs: set[str]) -> list[Row]:
    """Each peer by turns with rollcall; peers of the case one after the other."""
    rows = []
    with Contestant(case.rollcall, work / "rollcall.log") as ours:
        for program in case.peers:
            with Contestant(program, work / f"{program.name.split(',')[0].replace(' ', '-')}.log") as theirs:
                programs |= {ours.ready, theirs.ready}
                rows.append(_turns(case, rounds, ours, theirs))
    return rows


def _turns(case: Case, rounds: int, ours: Contestant, theirs: Contestant) -> Row:
    answers: list[list[dict[str, Any]]] = [[], []]
    for turn in range(rounds + 1):
        for contestant, kept in zip((ours, theirs), answers, strict=True):
            answer = contestant.ask(case.request)
            time.sleep(PAUSE_SECS)
            # The first turn warms up.
            if turn > 0:
                kept.append(answer)
    mine, other = answers
    return Row(
        case.name,
        theirs.program.name,
        [answer["wall_ms"] for answer in mine],
        [answer["wall_ms"] for answer in other],
        _stages(mine),
        _stages(other),
        between(mine[-1], other[-1]),
    )


def _stages(answers: list[dict[str, Any]]) -> dict[str, float]:
    names = answers[0]["stages_ms"]
    return {name: statistics.median(answer["stages_ms"][name] for answer in answers) for name in names}


def _facts(args: argparse.Namespace) -> dict[str, Any]:
    git = ["git", "-C", str(args.repository), "rev-parse", "--short=12", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    return {
        "commit": commit,
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "rounds": args.rounds,
        "load_before": os.getloadavg()[0],
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _absent(models: Path, photos: Path) -> list[str]:
    """The files that are missing: weights and most photos are other people's and not part of the repository."""
    absent = [str(models / name) for name in layout.missing(models)]
    return absent + [str(photos / name) for name in (LARGE, GROUP) if not (photos / name).is_file()]


def _arguments() -> argparse.Namespace:
    repository = Path(__file__).resolve().parents[2]
    shared = repository.parent / "shared"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=shared / "models", help="folder of the weight files")
    parser.add_argument("--photos", type=Path, default=shared / "photos", help="folder of the photos")
    parser.add_argument("--repository", type=Path, default=repository, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, default=repository / "target/peers", help="environments, packs, pictures")
    parser.add_argument("--rollcall", type=Path, default=repository / "target/release/examples/peer")
    parser.add_argument("--rounds", type=int, default=7, help="turns that count")
    parser.add_argument("--only", default="", help="only cases with this in their name")
    parser.add_argument("--peer-threads", type=int, help="every peer also with this number of threads")
    parser.add_argument("--json", type=Path, help="all numbers, as a file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
