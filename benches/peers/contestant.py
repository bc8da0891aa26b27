"""One program of the comparison, running: asked a line, it answers a line.

Only one of them works at a time: whoever asks waits for the answer before asking the next one.
"""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Program:
    """How a program is started, and the name under which tables list it."""

    name: str
    command: tuple[str, ...]


@dataclass
class Contestant:
    """A started program."""

    program: Program
    log: Path
    ready: str = field(init=False)

    def __post_init__(self) -> None:
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                self.program.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.ready = self._read()["ready"]

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise RuntimeError(f"{self.program.name} ended with {code}:\n{self.log.read_text()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> "Contestant":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
