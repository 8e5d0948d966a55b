"""The firmware that answers the runner of MLPerf Tiny, on emulated boards, against a client of that protocol."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from mlperf_client import Client

import mcucompile
from mcucompile.api import Compiled
from mcucompile.ir import Array, DType
from mcucompile.ir.program import Program
from mcucompile.run.build import build
from mcucompile.run.interface import Interface
from mcucompile.run.mlperf import BENCHMARKS, MlperfNetwork, mlperf_network
from mcucompile.run.qemu import Qemu
from mcucompile.run.serial import SerialPort

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "examples" / "digits"
DATA = Path(os.environ.get("MCUCOMPILE_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="module")
def digits() -> Compiled:
    return mcucompile.compile(DIGITS / "digits.onnx", "qemu-m4", calibration=DIGITS / "calibration.npz")


@contextmanager
def client(compiled: Compiled, model: str, work: Path) -> Iterator[Client]:
    """The firmware as MLPerf Tiny's network `model`, whatever its sizes, running on the network's emulated board."""
    library = compiled.write_library(work / "library")
    (x,), (y,) = compiled.program.inputs, compiled.program.outputs
    network = MlperfNetwork(BENCHMARKS[model], x, y)
    board, interface = compiled.board, Interface.of(compiled.program)
    firmware = build(library, interface, board, work / "firmware", hook=False, mlperf=network)
    with Qemu(board, firmware.elf) as qemu, closing(SerialPort(qemu.url)) as line:
        qemu.resume()
        yield Client(line)


def stored(compiled: Compiled, results: tuple[float, ...]) -> Array:
    """The printed real values as the integers that the network computed."""
    (output,) = compiled.graph.outputs
    assert output.quant
    steps = np.array(results) / output.quant.scale
    assert np.abs(steps - np.rint(steps)).max() < 1e-3
    return (np.rint(steps) + output.quant.zero).astype(output.dtype.numpy)


def check(compiled: Compiled, line: Client, inputs: Array) -> None:
    """Loads and infers each input; every result must be the reference's."""
    (name,) = (t.name for t in compiled.graph.inputs)
    (output,) = (t.name for t in compiled.graph.outputs)
    expected = compiled.expected({name: inputs})[output]
    for x, y in zip(inputs, expected, strict=True):
        assert line.load(x.tobytes()) == ["m-load-done"]
        found = line.infer(1, 0)
        np.testing.assert_array_equal(stored(compiled, found.results), y.ravel())


def test_the_greeting_and_the_simple_commands(emulator: None, digits: Compiled, tmp_path: Path) -> None:
    with client(digits, "kws01", tmp_path) as line:
        assert line.greeting[-1] == "m-init-done"
        assert line.send("name") == ["m-name-dut-[mcucompile]"]
        assert line.send("profile")[1] == "m-model-[kws01]"
        first, second = (int(line.send("timestamp")[0].removeprefix("m-lap-us-")) for _ in range(2))
        assert second >= first
        assert any(text.startswith("infer") for text in line.send("help"))


@pytest.mark.parametrize("board", ["qemu-m0", "netduino-plus-2"])
def test_every_result_is_the_references(emulator: None, digits: Compiled, tmp_path: Path, board: str) -> None:
    """On a core without hardware floats, and with the setup of a real part."""
    compiled = digits.for_board(board)
    inputs = compiled.default_inputs()[compiled.graph.inputs[0].name]
    with client(compiled, "kws01", tmp_path) as line:
        check(compiled, line, inputs)
        once, often = line.infer(1, 0), line.infer(20, 3)
        assert often.results == once.results, "a run must not leave another input to the next one"
        assert "m-warmup-start-3" in often.lines
        assert line.send("results") == [text for text in often.lines if text.startswith("m-results")]


def test_what_cannot_be_done_is_an_error_line(emulator: None, digits: Compiled, tmp_path: Path) -> None:
    nbytes = digits.graph.inputs[0].size
    with client(digits, "kws01", tmp_path) as line:
        for command in ("nonsense", "db", "db 00", "db load", "db load 3", "infer 0", "infer 1 0", "x" * 500, ""):
            assert [text[:3] for text in line.send(command)] == ["e-["], command
        line.send(f"db load {nbytes}")
        assert line.send("db 0102zz")[0].startswith("e-[")
        assert line.send("db 010")[0].startswith("e-[")
        data = bytes(i % 256 for i in range(nbytes))
        line.load(data)
        shown = "".join(text.removeprefix("m-buffer-") + "-" for text in line.send("db print"))
        assert bytes.fromhex(shown.replace("-", "")) == data


def test_pixels_are_shifted(emulator: None, digits: Compiled, tmp_path: Path) -> None:
    (name,) = (t.name for t in digits.graph.inputs)
    x = digits.default_inputs()[name][0]
    with client(digits, "ic01", tmp_path) as line:
        line.load((x.astype(np.int16) + 128).astype(np.uint8).tobytes())
        (output,) = digits.expected({name: x[None]}).values()
        np.testing.assert_array_equal(stored(digits, line.infer(1, 0).results), output[0].ravel())


def test_keyword_spotting(emulator: None, shared_model: Callable[[str], Path], tmp_path: Path) -> None:
    """100 inputs of the benchmark's own network."""
    compiled = mcucompile.compile(shared_model("mlperf_kws_dscnn_int8"), "qemu-m4")
    if not (DATA / "kws01_test.npz").is_file():
        pytest.skip("kws01_test.npz is not here: set MCUCOMPILE_DATA to the folder of the labelled data")
    with np.load(DATA / "kws01_test.npz") as data:
        inputs = data["x"][:100].reshape(100, *compiled.graph.inputs[0].shape).astype(np.int8)
    assert mlperf_network(compiled.program, "kws01").input.size == 490
    with client(compiled, "kws01", tmp_path) as line:
        check(compiled, line, inputs)


def test_anomaly_detection(emulator: None, shared_model: Callable[[str], Path], tmp_path: Path) -> None:
    """The result is what the benchmark's rules ask for: the mean squared difference of 640 reals in and 640 out."""
    compiled = mcucompile.compile(shared_model("mlperf_ad_autoenc_int8"), "qemu-m4", io="float")
    assert mlperf_network(compiled.program, "ad01").input.nbytes == 4 * 640
    x = np.random.default_rng(0).normal(0, 20, (1, *compiled.graph.inputs[0].shape)).astype(np.float32)
    (y,) = compiled.expected({compiled.graph.inputs[0].name: x}).values()
    with client(compiled, "ad01", tmp_path) as line:
        assert line.load(x.tobytes()) == ["m-load-done"]
        (error,) = line.infer(1, 0).results
    assert error == pytest.approx(np.mean((y.astype(np.float64) - x) ** 2), rel=1e-5)


def ports(inputs: int, outputs: int, dtype: DType = DType.I8) -> Program:
    """As much of a program as matters here: one input and one output of so many values."""

    def port(name: str, size: int) -> SimpleNamespace:
        return SimpleNamespace(name=name, size=size, shape=(1, size), dtype=dtype)

    return cast(Program, SimpleNamespace(inputs=[port("x", inputs)], outputs=[port("y", outputs)]))


@pytest.mark.parametrize(
    ("model", "inputs", "outputs", "dtype"),
    [("kws01", 490, 12, DType.I8), ("vww01", 27648, 2, DType.I8), ("ic01", 3072, 10, DType.I8),
     ("ad01", 640, 640, DType.F32)],
)  # fmt: skip
def test_only_a_benchmarks_own_sizes(model: str, inputs: int, outputs: int, dtype: DType) -> None:
    """The sizes are those of the benchmark's rules: spectrograms of 49 by 10, images of 96 and 32 pixels, 5 frames."""
    network = mlperf_network(ports(inputs, outputs, dtype), model)
    assert (network.input.size, network.output.size) == (inputs, outputs)
    for x, y in ((inputs - 1, outputs), (inputs, outputs + 1), (64, 10)):
        with pytest.raises(mcucompile.CompileError, match=f"{inputs:,} values in and {outputs:,} out") as caught:
            mlperf_network(ports(x, y, dtype), model)
        assert caught.value.code == "E0701"
        assert f"x {dtype.value} [1, {x}]" in caught.value.why


def test_networks_that_the_runner_cannot_know(digits: Compiled) -> None:
    cases = (("kws02", ports(490, 12), "no model"), ("ad01", ports(640, 640), "real numbers"),
             ("ic01", ports(3072, 10, DType.F32), "int8 pixels"))  # fmt: skip
    for model, program, message in cases:
        with pytest.raises(mcucompile.CompileError, match=message) as caught:
            mlperf_network(program, model)
        assert caught.value.code == "E0701"
    two = SimpleNamespace(inputs=digits.program.inputs * 2, outputs=digits.program.outputs)
    with pytest.raises(mcucompile.CompileError, match="2 inputs"):
        mlperf_network(two, "kws01")  # type: ignore[arg-type]


def test_flash_takes_no_network_for_a_benchmarks_that_is_not(digits: Compiled) -> None:
    with pytest.raises(mcucompile.CompileError, match="kws01 needs 490 values in and 12 out"):
        digits.flash(mlperf="kws01")
