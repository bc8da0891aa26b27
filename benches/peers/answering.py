"""What the programs of all peers share: requests line by line from standard input, one line of JSON for each answer.

The clock of an answer runs in the peer itself, from the file on disk to the result, without the writing of the answer.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Handler = Callable[[dict[str, Any], "Clock"], dict[str, Any]]


class Clock:
    """Wall time of one request: its named stages, and all from the begin of the first to the end of the last."""

    def __init__(self) -> None:
        self.stages_ms: dict[str, float] = {}
        self._begin: float | None = None
        self._end = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds what runs inside to the stage `name`."""
        start = time.perf_counter()
        if self._begin is None:
            self._begin = start
        yield
        self._end = time.perf_counter()
        self.stages_ms[name] = self.stages_ms.get(name, 0.0) + (self._end - start) * 1e3

    @property
    def wall_ms(self) -> float:
        """From the begin of the first stage to the end of the last one."""
        return 0.0 if self._begin is None else (self._end - self._begin) * 1e3


def face(box: Any, score: Any, landmarks: Any, embedding: Any = ()) -> dict[str, Any]:
    """One face as all peers report it: corners, landmarks as x and y, pixels of the photo."""
    return {
        "box": [float(v) for v in box],
        "score": float(score),
        "landmarks": [[float(x), float(y)] for x, y in landmarks],
        "embedding": [float(v) for v in embedding],
    }


def serve(ready: str, handlers: dict[str, Handler]) -> None:
    """Says `ready`, then answers requests until standard input ends."""
    _say({"ready": ready})
    for line in sys.stdin:
        request = json.loads(line)
        clock = Clock()
        answer = handlers[request["op"]](request, clock)
        answer["stages_ms"] = clock.stages_ms
        answer["wall_ms"] = clock.wall_ms
        _say(answer)


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
