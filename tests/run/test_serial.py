"""The link over a bad line: the right answer or a clear error, never a wrong answer.

The firmware's own C for protocol and commands runs as a program of the host, so that thousands of frames take seconds.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lossy import KINDS, LossyPort

from mcucompile.emit.project import render_program
from mcucompile.errors import CompileError
from mcucompile.resources import folder
from mcucompile.run.device import Device
from mcucompile.run.limit import RunLimit
from mcucompile.run.protocol import Command, Frame, decode, encode
from mcucompile.run.serial import Link, Port, SerialPort

PROGRAM_ID = bytes(range(8))
SAMPLE = [bytes([1, 2, 3, 255, 5, 128, 7, 8]), bytes([10, 20, 30, 127, 50, 128, 70, 1])]
FLAGS = ("-std=gnu99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O1", "-DMAX_PAYLOAD=8u", "-fsanitize=undefined")


class ProcessPort:
    """The line to a program that talks over its standard input and output."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def read(self, seconds: float) -> bytes:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, seconds))
        return os.read(self._process.stdout.fileno(), 4096) if ready else b""

    def write(self, data: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(data)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mcucompile.run.host import find_host_compiler

    compiler = find_host_compiler()
    if compiler is None:
        pytest.skip("a C compiler for the host is not installed")
    work = tmp_path_factory.mktemp("firmware")
    library, project = tiny.write(work / "library"), folder("templates") / "project"
    ports = (*tiny.INTERFACE.inputs, *tiny.INTERFACE.outputs)
    (work / "program.c").write_text(render_program("tiny", ports, 2, len(tiny.INTERFACE.events), PROGRAM_ID))
    sources = [*library.glob("*.c"), work / "program.c", Path(__file__).parent / "host_board.c"]
    sources += [project / name for name in ("main.c", "server.c", "link.c")]
    includes = (f"-I{library}", f"-I{project}", "-DTINY_ON_STEP=mcu_on_step")
    subprocess.run([compiler, *FLAGS, *includes, *map(str, sources), "-o", str(work / "firmware")], check=True)
    return work / "firmware"


@pytest.fixture
def line(program: Path) -> Iterator[ProcessPort]:
    port = ProcessPort(program)
    yield port
    port.close()


def open_device(port: Port, patience: float = 5.0, retry: float = 0.03) -> Device:
    link = Link(port, retry_seconds=retry, patience_seconds=patience)
    return Device(link, tiny.INTERFACE, PROGRAM_ID, limit=RunLimit(patience))


def check(device: Device, sample: list[bytes]) -> None:
    added, negated, total = tiny.expected(*sample)
    assert device.run(sample) == [negated, total]
    assert [s.data for s in device.trace(sample)] == [added, negated, total]


def test_a_good_line(line: ProcessPort) -> None:
    device = open_device(line)
    check(device, SAMPLE)
    assert device.info.cpuid == 0x12345678
    assert device.info.arena_nbytes == 40


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    rate=st.sampled_from([0.05, 0.15, 0.3]),
    samples=st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=3),
)
def test_a_bad_line_gives_right_answers_or_none(program: Path, seed: int, rate: float, samples: list[bytes]) -> None:
    port = LossyPort(ProcessPort(program), seed, rate)
    assert outcome(port, [[sample[:8], sample[8:]] for sample in samples]) in ("right", "E0605", "E0606")
    port.close()


def outcome(port: Port, samples: list[list[bytes]]) -> str:
    try:
        device = open_device(port)
        for sample in samples:
            check(device, sample)
    except CompileError as e:
        return e.code
    return "right"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_harm_is_survived(program: Path, kind: str) -> None:
    port = LossyPort(ProcessPort(program), seed=1, rate=0.1, kinds=(kind,))
    try:
        check(open_device(port), SAMPLE)
        assert port.harmed > 0
    finally:
        port.close()


@pytest.mark.parametrize(("kind", "code"), [("drop", "E0605"), ("flip", "E0606"), ("cut", "E0605")])
def test_a_hopeless_line_is_an_error(line: ProcessPort, kind: str, code: str) -> None:
    with pytest.raises(CompileError) as caught:
        open_device(LossyPort(line, seed=2, rate=1.0, kinds=(kind,)), patience=0.5)
    assert caught.value.code in (code, "E0606")


@pytest.mark.parametrize(
    ("silent", "words"),
    [
        (Command.HELLO, ("--no-flash", "--mlperf", "TX and RX", "ground", "baud", "port")),
        (Command.WRITE, ("WRITE", "cable", "TX, RX")),
        (Command.RUN, ("--timeout", "cable")),
        (Command.READ, ("READ", "cable", "TX, RX")),
    ],
)
def test_what_is_likely_where_no_answer_comes(
    line: ProcessPort, silent: Command, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time limit is the user's for runs only."""
    port = DeafPort(line, silent, monkeypatch)
    read_frames(line, 1)  # the sign of life
    with pytest.raises(CompileError) as caught:
        open_device(port, patience=20.0).run(SAMPLE)
    assert caught.value.code == "E0605"
    assert "within 20 s" in caught.value.what
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert ("--timeout" in str(caught.value)) == (silent == Command.RUN)


@pytest.mark.parametrize("silent", [Command.HELLO, Command.WRITE, Command.RUN])
def test_an_emulator_has_no_cable(line: ProcessPort, silent: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    port = DeafPort(line, silent, monkeypatch)
    read_frames(line, 1)
    with pytest.raises(CompileError) as caught:
        Device(Link(port, lossless=True), tiny.INTERFACE, PROGRAM_ID, limit=RunLimit(20.0)).run(SAMPLE)
    assert caught.value.code == "E0605" and caught.value.fix
    assert ("--timeout" in caught.value.fix) == (silent == Command.RUN)
    assert not any(word in str(caught.value) for word in ("cable", "wire"))


class Clock:
    """The machine's, put forward instead of waiting."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


class DeafPort:
    """In front of `port`: from the command `silent` on nothing arrives, the line stays open, and time flies."""

    def __init__(self, port: Port, silent: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        self.close, self._port, self._silent, self._is_deaf = port.close, port, silent, False
        self._clock = Clock()
        monkeypatch.setattr("mcucompile.run.serial.time", self._clock)

    def read(self, seconds: float) -> bytes:
        if not self._is_deaf:
            return self._port.read(seconds)
        self._clock.ahead += seconds
        return b""

    def write(self, data: bytes) -> None:
        frame = decode(data.strip(b"\0"))
        self._is_deaf |= frame is not None and frame.command == self._silent
        if not self._is_deaf:
            self._port.write(data)


def test_noise_at_the_first_question_may_be_another_program(line: ProcessPort) -> None:
    with pytest.raises(CompileError) as caught:
        open_device(LossyPort(line, seed=2, rate=1.0, kinds=("flip",)), patience=0.5)
    assert caught.value.code == "E0606"
    assert "baud" in caught.value.fix and "--no-flash" in caught.value.fix


def test_another_program_is_noticed(line: ProcessPort) -> None:
    with pytest.raises(CompileError) as caught:
        Device(Link(line), tiny.INTERFACE, bytes(8))
    assert caught.value.code == "E0607"
    assert PROGRAM_ID.hex() in caught.value.why


def test_a_second_host_takes_over(line: ProcessPort) -> None:
    first = open_device(line)
    check(open_device(line), SAMPLE)
    with pytest.raises(CompileError) as caught:
        first.run(SAMPLE)
    assert caught.value.code == "E0608"
    assert "restarted" in caught.value.what


def test_a_host_that_died_in_the_middle_of_a_run_does_not_block_the_next(line: ProcessPort) -> None:
    first = open_device(line)
    first._write_inputs(SAMPLE)
    next(first._steps())
    check(open_device(line), SAMPLE)


def read_frames(line: ProcessPort, count: int) -> list[Frame | None]:
    received = b""
    while received.count(b"\0") < count:
        data = line.read(2.0)
        assert data, f"only {received!r}"
        received += data
    return [decode(wire) for wire in received.split(b"\0")[:-1]]


def test_a_repeated_request_is_carried_out_once(line: ProcessPort) -> None:
    hello = encode(Frame(Command.HELLO, 7, 0))
    line.write(hello)
    read_frames(line, 2)  # the sign of life, the reply
    write = encode(Frame(Command.WRITE, 7, 1, bytes([0, 0, 0, 0, 0, 0, 99])))
    read = encode(Frame(Command.READ, 7, 2, bytes([0, 0, 0, 0, 0, 0, 1, 0, 0, 0])))
    line.write(write + read + write + hello + read)
    replies = read_frames(line, 3)
    assert [r and (r.command, r.sequence, r.payload) for r in replies] == [
        (0x82, 1, b"\0"),
        (0x83, 2, b"\0\x63"),
        (0x83, 2, b"\0\x63"),
    ]


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (Frame(Command.READ, 8, 1), 4),
        (Frame(Command.HELLO, 7, 0, version=1), 3),
        (Frame(77, 7, 1), 1),
        (Frame(Command.READ_STEP, 7, 1, bytes(8)), 1),
        (Frame(Command.CONTINUE, 7, 1), 1),
        (Frame(Command.RUN, 7, 1, b"\x09"), 1),
        (Frame(Command.WRITE, 7, 1, b"\0"), 2),
        (Frame(Command.WRITE, 7, 1, bytes([4, 0, 0, 0, 0, 0, 1])), 2),
        (Frame(Command.WRITE, 7, 1, bytes([0, 0, 7, 0, 0, 0, 1, 1])), 2),
        (Frame(Command.READ, 7, 1, bytes([0, 0, 1, 0, 0, 0, 8, 0, 0, 0])), 2),
        (Frame(Command.READ, 7, 1, b"\0\0" + b"\xff" * 8), 2),
        (Frame(Command.READ_TICKS, 7, 1, b"\xff" * 8), 2),
    ],
)
def test_impossible_requests_are_refused(line: ProcessPort, frame: Frame, status: int) -> None:
    line.write(encode(Frame(Command.HELLO, 7, 0)))
    read_frames(line, 2)
    line.write(encode(frame))
    (reply,) = read_frames(line, 1)
    assert reply
    assert reply.payload == bytes([status])


def test_a_frame_longer_than_the_buffer_is_reported_as_damaged(line: ProcessPort) -> None:
    read_frames(line, 1)
    line.write(encode(Frame(Command.WRITE, 7, 1, bytes(range(1, 200)))))
    (reply,) = read_frames(line, 1)
    assert reply
    assert reply.command == 0xFE


@pytest.mark.parametrize("url", ["socket://", "socket://localhost", "socket://:7", "socket://localhost:99999"])
def test_a_url_that_names_no_port(url: str) -> None:
    with pytest.raises(CompileError) as caught:
        SerialPort(url)
    assert caught.value.code == "E0609"
    assert "socket://HOST:NUMBER" in caught.value.fix and "cable" not in caught.value.fix


def test_a_port_that_does_not_exist() -> None:
    with pytest.raises(CompileError) as caught:
        SerialPort("/dev/no-such-port")
    assert caught.value.code == "E0609"
    assert caught.value.what == "the serial port /dev/no-such-port cannot be opened: No such file or directory"
    assert "on USB there" in caught.value.why
