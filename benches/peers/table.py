"""The tables that the comparison prints."""

import statistics
from dataclasses import dataclass

from agreement import Agreement

HEAD = [
    "case",
    "peer",
    "rollcall ms (min-max)",
    "peer ms (min-max)",
    "ratio (of the fastest)",
    "faces ours, theirs, both",
    "IoU least, median",
    "cosine least, median",
]


@dataclass(frozen=True)
class Row:
    """What one peer came to in one case; times in milliseconds."""

    case: str
    peer: str
    rollcall_ms: list[float]
    peer_ms: list[float]
    rollcall_stages_ms: dict[str, float]
    peer_stages_ms: dict[str, float]
    agreement: Agreement

    @property
    def ratio(self) -> float:
        """How many times longer the peer takes."""
        return statistics.median(self.peer_ms) / statistics.median(self.rollcall_ms)

    @property
    def ratio_of_fastest(self) -> float:
        """The same of the fastest turns: what is left when nothing else disturbed either of them."""
        return min(self.peer_ms) / min(self.rollcall_ms)


def head() -> str:
    """The head of the table of ratios."""
    return f"{_cells(HEAD)}\n{_cells(['---'] * len(HEAD))}"


def line(row: Row) -> str:
    """One row of the table of ratios."""
    a = row.agreement
    return _cells(
        [
            row.case,
            row.peer,
            _spread(row.rollcall_ms),
            _spread(row.peer_ms),
            f"**{row.ratio:.2f}** ({row.ratio_of_fastest:.2f})",
            f"{a.ours}, {a.theirs}, {a.matched}",
            _pair(a.iou, 3),
            _pair(a.cosine, 5),
        ]
    )


def stages(rows: list[Row]) -> str:
    """Where the time goes on both sides."""

    def words(stages_ms: dict[str, float]) -> str:
        return ", ".join(f"{name} {ms:.1f}" for name, ms in stages_ms.items())

    lines = [_cells(["case", "peer", "rollcall: median ms of each stage", "the peer's"]), _cells(["---"] * 4)]
    lines += [_cells([row.case, row.peer, words(row.rollcall_stages_ms), words(row.peer_stages_ms)]) for row in rows]
    return "\n".join(lines)


def _cells(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _spread(times: list[float]) -> str:
    return f"{statistics.median(times):.0f} ({min(times):.0f}-{max(times):.0f})"


def _pair(values: tuple[float, float] | None, digits: int) -> str:
    return "-" if values is None else f"{values[0]:.{digits}f}, {values[1]:.{digits}f}"
