"""A client of MLPerf Tiny's text protocol, written after the description of the benchmark's own runner.

A command ends in "%"; lines come back until one begins with "m-ready". Inputs are loaded in pieces of 31 bytes.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from mcucompile.run.serial import Port

BYTES_PER_COMMAND = 31
SECONDS = 60.0


@dataclass(frozen=True)
class Inference:
    """What the lines after `infer` say."""

    results: tuple[float, ...]
    microseconds: int
    lines: tuple[str, ...]


class Client:
    """Talks to the board at the other end of `port`, which must just have been started."""

    def __init__(self, port: Port) -> None:
        self._port, self._pending = port, b""
        self.greeting = self._lines()

    def send(self, command: str) -> list[str]:
        self._port.write(f"{command}%".encode())
        return self._lines()

    def load(self, data: bytes) -> list[str]:
        self.send(f"db load {len(data)}")
        pieces = [data[i : i + BYTES_PER_COMMAND] for i in range(0, len(data), BYTES_PER_COMMAND)]
        return [self.send(f"db {piece.hex()}") for piece in pieces][-1]

    def infer(self, count: int, warmups: int) -> Inference:
        lines = self.send(f"infer {count} {warmups}")
        (results,) = [m[1] for line in lines if (m := re.fullmatch(r"m-results-\[([^]]+)\]", line))]
        start, end = [int(m[1]) for line in lines if (m := re.fullmatch(r"m-lap-us-([0-9]+)", line))]
        return Inference(tuple(map(float, results.split(","))), end - start, tuple(lines))

    def _lines(self) -> list[str]:
        """The lines up to m-ready, which is left out."""
        lines: list[str] = []
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            line, end, rest = self._pending.partition(b"\r\n")
            if not end:
                self._pending += self._port.read(1.0)
                continue
            self._pending = rest
            if line == b"m-ready":
                return lines
            lines.append(line.decode("ascii"))
        raise TimeoutError(f"no m-ready within {SECONDS:g} s, but {lines} and {self._pending!r}")
