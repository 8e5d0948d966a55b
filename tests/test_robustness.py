"""Damaged models and data: an error with a code and nothing written, or a sound compilation; never anything else."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcucompile import api
from mcucompile.cli import main
from mcucompile.data import Samples
from mcucompile.errors import CompileError
from mcucompile.run.host import HostLibrary, find_host_compiler
from mcucompile.run.interface import Interface

MODELS = Path(__file__).parent / "models"
VICTIMS = (MODELS / "classifier_qdq_int8.onnx", MODELS / "classifier_qdq_uint8.onnx")
SECONDS, NBYTES = 10, 2 << 30
BOARD = "qemu-m4"


@contextmanager
def limits() -> Iterator[None]:
    """Fail after SECONDS, or when the process ever held more than NBYTES."""

    def expire(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 < NBYTES


def outcome(model: bytes, tmp_path: Path, run: bool = True) -> str:
    """The error's code, or 'sound'; with `run`, after the compiled library gave the reference's bytes on the host."""
    with limits():
        try:
            compiled = api.compile(model, "qemu-m0", effort="-O0")
        except CompileError as e:
            return e.code
    if run and find_host_compiler():
        inputs = {t.name: np.zeros((1, *t.shape), t.dtype.numpy) for t in compiled.graph.inputs}
        expected = compiled.expected(inputs)
        folder = tmp_path / f"library{len(list(tmp_path.iterdir()))}"
        host = HostLibrary(compiled.write_library(folder), Interface.of(compiled.program))
        found = host.run([v[0].tobytes() for v in inputs.values()])
        assert found == [expected[t.name][0].tobytes() for t in compiled.graph.outputs]
    return "sound"


@pytest.mark.parametrize("victim", VICTIMS, ids=lambda p: p.stem)
def test_truncated_files(victim: Path, tmp_path: Path) -> None:
    content = victim.read_bytes()
    for i in range(20):
        assert outcome(content[: i * len(content) // 20], tmp_path) != "sound"


@pytest.mark.parametrize("victim", VICTIMS, ids=lambda p: p.stem)
@pytest.mark.parametrize("part", range(2))
def test_flipped_bytes(victim: Path, part: int, tmp_path: Path) -> None:
    """200 places in all: most flips hit a weight and leave a valid network, of which every fifth is run."""
    content = victim.read_bytes()
    rng = random.Random(f"{victim.stem}{part}")
    codes = []
    for i in range(50):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        codes.append(outcome(bytes(damaged), tmp_path, run=i % 5 == 0))
    assert "sound" in codes
    assert set(codes) != {"sound"}


def graph_of(
    nodes: list[onnx.NodeProto], *, weights: tuple[onnx.TensorProto, ...] = (), shape: object = (1, 4)
) -> bytes:
    """A model from x to y; `opset` 17."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [y], list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def relu(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Relu", [source], [target], name=f"relu_{target}")


def unknown_opset() -> bytes:
    model = onnx.load_from_string(graph_of([relu("x", "y")]))
    model.opset_import[0].version = 4711
    return model.SerializeToString()


def huge_constant() -> bytes:
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "w")
    tensor.dims[:] = [1 << 20, 1 << 11]
    return graph_of([helper.make_node("Add", ["x", "w"], ["y"], name="add")], weights=(tensor,))


CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "E0101"),
    "text": (lambda: b"this is not a network\n" * 50, "E0101"),
    "a cycle": (lambda: graph_of([relu("b", "a"), relu("a", "b"), relu("b", "y")]), "E0102"),
    "duplicate names": (lambda: graph_of([relu("x", "y"), relu("x", "y")]), "E0102"),
    "missing initializer": (lambda: graph_of([helper.make_node("Add", ["x", "w"], ["y"], name="add")]), "E0102"),
    "unknown opset": (unknown_opset, "E0106"),
    "unknown operator": (lambda: graph_of([helper.make_node("Conv3Dx", ["x"], ["y"], name="odd")]), "E01"),
    "2 GB of activations": (lambda: graph_of([relu("x", "y")], shape=(1, 1 << 16, 1 << 13)), "E0105"),
    "2 GB of constants": (huge_constant, "E01"),
    "negative size": (lambda: graph_of([relu("x", "y")], shape=(1, -4)), "E01"),
    "symbolic size": (lambda: graph_of([relu("x", "y")], shape=(1, "time")), "E0104"),
}


@pytest.mark.parametrize("name", CASES)
def test_hostile_models(name: str, tmp_path: Path) -> None:
    make, code = CASES[name]
    with limits(), pytest.raises(CompileError) as e:
        api.compile(make(), BOARD)
    assert e.value.code.startswith(code)
    assert e.value.what


DATA: dict[str, Callable[[], dict[str, np.ndarray]]] = {
    "wrong name": lambda: {"picture": np.zeros((2, 1, 28, 28), np.float32), "other": np.zeros(1)},
    "wrong shape": lambda: {"image": np.zeros((2, 1, 27, 28), np.float32)},
    "wrong type": lambda: {"image": np.full((2, 1, 28, 28), "a")},
    "NaN": lambda: {"image": np.full((2, 1, 28, 28), np.nan, np.float32)},
    "empty": lambda: {"image": np.zeros((0, 1, 28, 28), np.float32)},
}


@pytest.mark.parametrize("name", DATA)
def test_bad_calibration_data_leaves_the_output_as_it_was(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = Path(__file__).parent.parent / "examples" / "digits"
    output, data = tmp_path / "out", tmp_path / "data.npz"
    command = ["compile", str(digits / "digits.onnx"), "--board", BOARD, "-o", str(output), "--calibration"]
    assert main([*command, str(digits / "calibration.npz")]) == 0
    before = {p.name: p.read_bytes() for p in output.iterdir()}
    np.savez(data, **DATA[name]())
    with limits():
        assert main([*command, str(data)]) == 2
    assert "error[E0202]" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in output.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.npz", "out"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("value", "code"), [(1e30, ""), (-1e30, ""), (1e19, ""), (3e38, "E0202")])
def test_enormous_calibration_values_give_no_warning_of_numpy(value: float, code: str) -> None:
    digits = Path(__file__).parent.parent / "examples" / "digits"
    images = np.load(digits / "calibration.npz")["image"][:3].copy()
    images[0, 0, 0, 0] = value
    with limits():
        found = ""
        try:
            assert api.compile(digits / "digits.onnx", BOARD, calibration=Samples({"image": images})).files
        except CompileError as e:
            found = e.code
    assert found == code


@pytest.mark.filterwarnings("error")
def test_enormous_weights_give_no_warning_of_numpy() -> None:
    weights = numpy_helper.from_array(np.full((4, 4), 3e38, np.float32), "w")
    model = graph_of([helper.make_node("Gemm", ["x", "w"], ["y"])], weights=(weights,))
    samples = Samples({"x": np.random.default_rng(0).normal(size=(5, 1, 4)).astype(np.float32)})
    with limits(), pytest.raises(CompileError) as caught:
        api.compile(model, BOARD, calibration=samples)
    assert caught.value.code == "E0202"


ENDLESS = Path("/dev/zero")


@pytest.mark.skipif(not ENDLESS.exists(), reason="needs a file without an end")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["inspect", str(ENDLESS)], "E0105"),
        (["compile", str(ENDLESS), "--board", BOARD], "E0105"),
        (["compile", str(VICTIMS[0]), "--board", BOARD, "--recipe", str(ENDLESS)], "E0702"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_a_file_without_an_end(words: list[str], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    with limits():
        assert main(words) == 2
    assert f"error[{code}]" in capsys.readouterr().err


def test_a_model_from_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe, content = tmp_path / "pipe.onnx", VICTIMS[0].read_bytes()
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,), daemon=True)
    writer.start()
    with limits():
        compiled = api.compile(pipe, BOARD)
    writer.join(10)
    assert compiled.report["model"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_folder_of_the_users_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert main(["compile", str(VICTIMS[0]), "--board", BOARD, "-o", str(tmp_path)]) == 2
    assert "error[E0702]" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_full_disk_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit on file sizes stands in for the disk: writing fails in the middle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        assert main(["compile", str(VICTIMS[0]), "--board", BOARD, "-o", str(tmp_path / "out")]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert "error[E0702]" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
