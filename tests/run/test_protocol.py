"""Frames: known encodings, round trips, and no damage that goes unnoticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcucompile.run.protocol import Frame, cobs_decode, cobs_encode, decode, encode

FRAMES = st.builds(
    Frame,
    command=st.integers(0, 255),
    session=st.integers(0, 2**32 - 1),
    sequence=st.integers(0, 2**16 - 1),
    payload=st.binary(max_size=600) | st.integers(0, 600).map(bytes),
)


# The first five are from the paper of Cheshire and Baker and its summaries.
@pytest.mark.parametrize(
    ("body", "wire"),
    [
        ("00", "0101"),
        ("0000", "010101"),
        ("11220033", "0311220233"),
        ("11223344", "0511223344"),
        ("11000000", "0211010101"),
        ("", "01"),
    ],
)
def test_cobs_known_values(body: str, wire: str) -> None:
    assert cobs_encode(bytes.fromhex(body)).hex() == wire
    assert cobs_decode(bytes.fromhex(wire)) == bytes.fromhex(body)


def test_cobs_long_block_without_the_optional_last_byte() -> None:
    body = bytes(range(1, 255))
    assert cobs_decode(b"\xff" + body) == body


@given(st.binary(max_size=1200) | st.integers(250, 260).map(lambda n: b"x" * n))
def test_cobs_round_trip_has_no_zero(body: bytes) -> None:
    wire = cobs_encode(body)
    assert 0 not in wire
    assert len(wire) <= len(body) + 1 + len(body) // 254
    assert cobs_decode(wire) == body


@given(FRAMES)
def test_frame_round_trip(frame: Frame) -> None:
    wire = encode(frame)
    assert wire.index(0) == len(wire) - 1
    assert decode(wire[:-1]) == frame


@given(FRAMES, st.data())
def test_damage_is_noticed(frame: Frame, data: st.DataObject) -> None:
    wire = encode(frame)[:-1]
    at = data.draw(st.integers(0, len(wire) - 1))
    change = data.draw(st.sampled_from(["flip", "drop", "cut", "double"]))
    flipped = bytes([wire[at] ^ data.draw(st.integers(1, 255))])
    damaged = {
        "flip": wire[:at] + flipped + wire[at + 1 :],
        "drop": wire[:at] + wire[at + 1 :],
        "cut": wire[:at],
        "double": wire[:at] + wire[at : at + 1] + wire[at:],
    }[change]
    assert decode(damaged) is None or damaged == wire


@given(st.binary(max_size=64))
def test_any_bytes_can_be_looked_at(wire: bytes) -> None:
    assert decode(wire) is None
