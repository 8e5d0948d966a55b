"""The frames between host and device, as bytes. templates/project/link.h describes them; both sides follow it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

VERSION = 3
REPLY = 0x80
DAMAGED = 0xFE
_HEADER = struct.Struct("<BBIH")
_CRC = struct.Struct("<I")
_COBS_BLOCK = 254


class Command(IntEnum):
    HELLO = 1
    WRITE = 2
    READ = 3
    RUN = 4
    CONTINUE = 5
    READ_STEP = 6
    READ_TICKS = 7
    BATCH = 8
    EXIT = 9


class Status(IntEnum):
    OK = 0
    UNKNOWN = 1
    RANGE = 2
    VERSION = 3
    NO_SESSION = 4
    FAULT = 5
    INIT = 6
    RUN = 7
    FILE = 8
    STACK = 9


class Mode(IntEnum):
    """What the hook does during a run."""

    PLAIN = 0
    STEPWISE = 1
    TICKS = 2
    TRACE = 3
    TIMED = 4


@dataclass(frozen=True)
class Frame:
    """`version` is of the protocol; a frame of another version keeps only its header's meaning."""

    command: int
    session: int
    sequence: int
    payload: bytes = b""
    version: int = VERSION


def encode(frame: Frame) -> bytes:
    """The frame as it goes over the line, delimiter included."""
    body = _HEADER.pack(frame.version, frame.command, frame.session, frame.sequence) + frame.payload
    return cobs_encode(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def decode(wire: bytes) -> Frame | None:
    """The frame in the bytes between two delimiters; None when they are damaged."""
    body = cobs_decode(wire)
    if body is None or len(body) < _HEADER.size + _CRC.size:
        return None
    content, crc = body[: -_CRC.size], body[-_CRC.size :]
    if _CRC.pack(zlib.crc32(content)) != crc:
        return None
    version, command, session, sequence = _HEADER.unpack_from(content)
    return Frame(command, session, sequence, content[_HEADER.size :], version)


def cobs_encode(body: bytes) -> bytes:
    """Consistent overhead byte stuffing: the same bytes without zeros, one longer per 254."""
    wire = bytearray()
    for part in body.split(b"\0"):
        while len(part) >= _COBS_BLOCK:
            wire += b"\xff" + part[:_COBS_BLOCK]
            part = part[_COBS_BLOCK:]
        wire.append(len(part) + 1)
        wire += part
    return bytes(wire)


def cobs_decode(wire: bytes) -> bytes | None:
    """Undoes cobs_encode; None when the bytes are not its result."""
    body, at = bytearray(), 0
    while at < len(wire):
        code = wire[at]
        block = wire[at + 1 : at + code]
        if code == 0 or len(block) != code - 1:
            return None
        body += block
        at += code
        if code <= _COBS_BLOCK and at < len(wire):
            body.append(0)
    return bytes(body)
