"""A line that drops, repeats, delays and damages what goes over it."""

from __future__ import annotations

import random

from mcucompile.run.serial import Port

KINDS = ("drop", "flip", "cut", "noise", "double", "delay")


class LossyPort:
    """In front of `port`: each piece, in both directions, suffers one of `kinds` with probability `rate`."""

    def __init__(self, port: Port, seed: int, rate: float, kinds: tuple[str, ...] = KINDS) -> None:
        self._port, self._random, self._rate, self._kinds = port, random.Random(seed), rate, kinds
        self._late = {"in": b"", "out": b""}
        self.harmed = 0

    def read(self, seconds: float) -> bytes:
        data = self._port.read(seconds)
        return self._suffer("in", data) if data else data

    def write(self, data: bytes) -> None:
        self._port.write(self._suffer("out", data))

    def close(self) -> None:
        self._port.close()

    def _suffer(self, direction: str, data: bytes) -> bytes:
        late, self._late[direction] = self._late[direction], b""
        if self._random.random() >= self._rate:
            return late + data
        self.harmed += 1
        kind, at = self._random.choice(self._kinds), self._random.randrange(len(data))
        if kind == "delay":
            self._late[direction] = data
            return late
        flipped = data[:at] + bytes([data[at] ^ self._random.randrange(1, 256)]) + data[at + 1 :]
        noise = self._random.randbytes(self._random.randrange(1, 20))
        hurt = {"drop": b"", "flip": flipped, "cut": data[:at], "noise": noise + data, "double": data + data}
        return late + hurt[kind]
