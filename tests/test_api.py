"""The Python API: arguments that cannot be used, folders that were changed, boards that nothing can be run on."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from needs import needs_compiler, needs_emulator

import mcucompile
from mcucompile.cli import main
from mcucompile.data import Samples
from mcucompile.errors import CompileError

DIGITS = Path(__file__).parent.parent / "examples" / "digits"
MODEL, CALIBRATION, TEST = DIGITS / "digits.onnx", DIGITS / "calibration.npz", DIGITS / "test.npz"
QDQ = Path(__file__).parent / "models" / "classifier_qdq_int8.onnx"


def images(count: int) -> Samples:
    data = np.load(TEST)
    return Samples({"image": data["image"][:count]}, data["y"][:count])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "out"
    mcucompile.compile(MODEL, "qemu-m4", calibration=CALIBRATION).write(folder)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    copy = tmp_path / "out"
    copy.mkdir()
    for path in written.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def error_of(call: Callable[[], object]) -> CompileError:
    with pytest.raises(CompileError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    "wrong",
    [{"ram": "64K"}, {"ram": -1}, {"ram": True}, {"calibration": 123}, {"name": 5}, {"dtype": []}, {"io": "int9"},
     {"shapes": 3}, {"shapes": {"image": 3}}, {"shapes": {"image": ("a",)}}, {"board": 5}, {"model": 5}],
)  # fmt: skip
def test_arguments_of_the_wrong_type(wrong: dict[str, Any]) -> None:
    arguments = {"model": MODEL, "board": "qemu-m4", "calibration": CALIBRATION, **wrong}
    error = error_of(lambda: mcucompile.compile(**arguments))
    assert error.code == "E0701"
    assert str(next(iter(wrong))).rstrip("s") in error.what or "dimension" in error.what


@pytest.mark.parametrize(
    "samples",
    [Samples({}), Samples({"picture": np.zeros((1, 1, 28, 28))}), Samples({"image": np.zeros((3, 5))}),
     Samples({"image": np.full((1, 1, 28, 28), np.nan)}), Samples({"image": np.asarray([None])}),
     Samples({"image": "text"})],  # type: ignore[dict-item]
)  # fmt: skip
def test_samples_of_the_wrong_form(samples: Samples) -> None:
    assert error_of(lambda: mcucompile.compile(MODEL, "qemu-m4", calibration=samples)).code == "E0202"
    compiled = mcucompile.compile(MODEL, "qemu-m4", dtype="float32")
    assert error_of(lambda: compiled.verify(samples)).code == "E0202"


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "long"])
def test_time_limits_that_are_none(timeout: Any) -> None:
    compiled = mcucompile.compile(MODEL, "qemu-m4", dtype="float32")
    assert error_of(lambda: compiled.verify(timeout=timeout)).code == "E0701"


@pytest.mark.parametrize("name", mcucompile.__all__)
def test_what_signatures_name_is_exported(name: str) -> None:
    assert getattr(mcucompile, name).__name__ == name


@needs_emulator
def test_verify_takes_a_path_as_text(tmp_path: Path) -> None:
    few = tmp_path / "few.npz"
    np.savez(few, **images(2).inputs)
    result = mcucompile.compile(QDQ.with_name("classifier.onnx"), "qemu-m4", dtype="float32")
    assert error_of(lambda: result.verify(str(few))).code == "E0202", "it is another network's"
    assert mcucompile.compile(MODEL, "qemu-m4", dtype="float32").verify(str(few)).samples == 2


@needs_emulator
def test_a_folder_runs_the_inputs_of_its_reference(folder: Path) -> None:
    found = mcucompile.load_compiled(folder).verify()
    saved = np.load(folder / "reference.npz")
    assert found.ok
    np.testing.assert_array_equal(found.outputs["scores"], saved["output/scores"])


def change_arrays(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    arrays = dict(np.load(folder / "reference.npz"))
    change(arrays)
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    (folder / "reference.npz").write_bytes(stream.getvalue())


ARRAYS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another output": lambda a: a["output/scores"].__setitem__((3, 0, 2), 77),
    "another input": lambda a: a["input/image"].__setitem__(slice(None), 0),
    "no output": lambda a: a.pop("output/scores"),
    "another shape": lambda a: a.update({"input/image": a["input/image"][:, :, :, :27]}),
    "another type": lambda a: a.update({"input/image": a["input/image"].astype(np.float32)}),
    "fewer outputs": lambda a: a.update({"output/scores": a["output/scores"][:5]}),
}


@pytest.mark.parametrize("change", ARRAYS)
def test_a_changed_reference_is_noticed(folder: Path, change: str) -> None:
    change_arrays(folder, ARRAYS[change])
    assert error_of(lambda: mcucompile.load_compiled(folder)).code == "E0703"


@pytest.mark.parametrize("name", ["reference.npz", "digits.twin.onnx", "report.json", "digits.c", "digits.h"])
@pytest.mark.parametrize("damage", ["removed", "empty", "cut off"])
def test_a_damaged_file_is_noticed(folder: Path, name: str, damage: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    if damage == "removed":
        (folder / name).unlink()
    assert error_of(lambda: mcucompile.load_compiled(folder)).code == "E0703"


def set_entry(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(report: dict[str, Any]) -> None:
        for key in path[:-1]:
            report = report[key]
        report[path[-1]] = value

    return change


REPORTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "options is empty": set_entry("options", value={}),
    "options is a list": set_entry("options", value=[]),
    "an option that does not exist": set_entry("options", "effort", value="-O9"),
    "ram is text": set_entry("options", "ram", value="64K"),
    "a name outside": set_entry("name", value="../../x"),
    "another name": set_entry("name", value="other"),
    "an unknown board": set_entry("board", value="../board.toml"),
    "a board that is no text": set_entry("board", value=["qemu-m4"]),
    "another board": set_entry("board", value="qemu-m0"),
    "another version": set_entry("mcucompile", value="0.0.1"),
    "another schema": set_entry("schema", value=1),
    "another arena": set_entry("memory", "arena", value=1),
    "an input elsewhere": set_entry("inputs", value=[]),
    "fused is numbers": set_entry("fused", value=[1]),
    "no options": lambda report: report.pop("options"),
}


@pytest.mark.parametrize("change", REPORTS)
def test_a_changed_report_is_noticed(folder: Path, change: str) -> None:
    report = json.loads((folder / "report.json").read_text())
    REPORTS[change](report)
    (folder / "report.json").write_text(json.dumps(report))
    assert error_of(lambda: mcucompile.load_compiled(folder)).code == "E0703"


@pytest.mark.parametrize("text", ["[]", "3", "null", "[" * 100_000, "\udcff"])
def test_a_report_that_is_none(folder: Path, text: str) -> None:
    (folder / "report.json").write_text(text, errors="surrogateescape")
    assert error_of(lambda: mcucompile.load_compiled(folder)).code == "E0703"


def test_a_folder_is_checked_for_its_own_board_also_when_another_is_asked_for(folder: Path) -> None:
    other = mcucompile.load_compiled(folder, "qemu-m0")
    assert other.board.name == "qemu-m0"
    assert "compiled again for qemu-m0" in other.notes[0]
    weights = folder / "digits_weights.c"
    weights.write_text(weights.read_text().replace("{ ", "{ 1 + ", 1).replace("{\n", "{ 1 +\n", 1))
    assert error_of(lambda: mcucompile.load_compiled(folder, "qemu-m0")).code == "E0703"


@pytest.mark.parametrize("options", [{"io": "float"}, {"dtype": "float32"}, {"dtype": "int16x8"}, {"effort": "-Os"}])
def test_every_kind_of_folder_is_taken_up(tmp_path: Path, options: dict[str, str]) -> None:
    compiled = mcucompile.compile(MODEL, "qemu-m4", calibration=CALIBRATION, **options)  # type: ignore[arg-type]
    compiled.write(tmp_path / "out")
    again = mcucompile.load_compiled(tmp_path / "out")
    assert again.report["fused"] == compiled.report["fused"]
    assert again.program.arena_nbytes == compiled.program.arena_nbytes


def test_a_quantized_files_folder_is_taken_up(tmp_path: Path) -> None:
    mcucompile.compile(QDQ, "qemu-m4").write(tmp_path / "out")
    assert mcucompile.load_compiled(tmp_path / "out").name == "classifier_qdq_int8"


def test_a_board_of_the_users_own_is_given_again(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text((Path(__file__).parent.parent / "boards" / "qemu-m4.toml").read_text())
    mcucompile.compile(MODEL, str(own), calibration=CALIBRATION).write(tmp_path / "out")
    assert "mine" in error_of(lambda: mcucompile.load_compiled(tmp_path / "out")).what
    assert mcucompile.load_compiled(tmp_path / "out", str(own)).board.name == "mine"


@needs_emulator
def test_a_folder_takes_real_values_and_stored_integers(folder: Path) -> None:
    compiled, real = mcucompile.load_compiled(folder), images(12)
    quant = compiled.graph.inputs[0].quant
    assert quant
    stored = Samples({"image": quant.quantize(real.inputs["image"])}, real.labels)
    one, two = compiled.verify(real), compiled.verify(stored)
    assert one.ok
    np.testing.assert_array_equal(one.outputs["scores"], two.outputs["scores"])
    metrics = compiled.metrics(one.outputs, real)["scores"]
    assert metrics.accuracy is not None and metrics.accuracy >= 0.9
    assert (metrics.rmse, metrics.agreement, metrics.real_accuracy) == (None, None, None)


@needs_emulator
def test_floats_at_the_ends_of_an_integer_network_are_exact() -> None:
    result = mcucompile.compile(MODEL, "qemu-m4", calibration=CALIBRATION, io="float").verify(images(12))
    assert (result.ok, result.ulp, result.max_ulp) == (True, 0, 0.0)


@needs_compiler
def test_a_board_that_nothing_runs_on_is_built_for() -> None:
    compiled = mcucompile.compile(MODEL, "nucleo-f446re", calibration=CALIBRATION)
    result = compiled.verify()
    assert (result.ran, result.ok, result.samples) == (False, False, 0)
    fit = result.fit
    assert (fit.board_flash_nbytes, fit.board_ram_nbytes) == (512 << 10, 128 << 10)
    assert fit.stack_nbytes + compiled.program.arena_nbytes < fit.ram_nbytes < fit.board_ram_nbytes
    assert result.firmware.library_flash_nbytes < fit.flash_nbytes < fit.board_flash_nbytes


@pytest.mark.parametrize(("board", "like"), [("nucleo-f446re", ["qemu-m4"]), ("raspberry-pi-pico", ["qemu-m0"])])
def test_profile_of_a_board_that_is_not_emulated(board: str, like: list[str]) -> None:
    compiled = mcucompile.compile(MODEL, board, calibration=CALIBRATION)
    error = error_of(compiled.profile)
    assert error.code == "E0303"
    assert "--port" in error.fix
    assert all(f"--board {name}" in error.fix for name in like)


@needs_emulator
def test_the_first_differing_layer_is_named_without_being_asked_for() -> None:
    compiled = mcucompile.compile(MODEL, "qemu-m4", calibration=CALIBRATION)
    assert compiled.files, "the C is made before the reference is changed"
    node = next(n for n in compiled.graph.nodes if "/block2/pointwise/conv/Conv" in n.source)
    bias = node.inputs[2]
    assert bias.const is not None
    bias.const = bias.const + 2000
    result = compiled.verify(images(2))
    assert not result.ok
    assert result.mismatch is not None and result.mismatch.tensor == node.outputs[0].name
    assert "/block2/pointwise/Relu" in result.mismatch.source


def test_fused_nodes_are_those_without_a_tensor() -> None:
    report = mcucompile.compile(MODEL, "qemu-m4", calibration=CALIBRATION).report
    fused = report["fused"]
    assert {"/stem/conv/Conv", "/stem/bn/BatchNormalization", "/block1/depthwise/conv/Conv"} <= set(fused)
    assert not {"/stem/Relu", "/pool/MaxPool", "/Flatten", "/classifier/Gemm", "/softmax/Softmax"} & set(fused)


def test_the_report_says_what_was_used(written: Path) -> None:
    report = json.loads((written / "report.json").read_text())
    import hashlib

    calibration = {"file": "calibration.npz", "sha256": hashlib.sha256(CALIBRATION.read_bytes()).hexdigest()}
    assert report["calibration"] == {**calibration, "samples": len(np.load(CALIBRATION)["image"])}
    assert report["resolved"]["dtype"] == "int8"
    assert report["resolved"]["ranges"] in ("minmax", "percentile", "mse")
    assert report["board_memory"] == {"flash": 4 << 20, "ram": 4 << 20}
    assert "/" not in report["model"]["file"]


@needs_compiler
def test_a_compiler_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcucompile.run.build.COMPILER_SECONDS", 0.001)
    compiled = mcucompile.compile(MODEL, "qemu-m4", calibration=CALIBRATION)
    error = error_of(compiled.verify)
    assert error.code == "E0603"
    assert "did not end" in error.what


@needs_emulator
def test_the_time_limit_is_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["verify", str(MODEL), "--board", "qemu-m4", "--calibration", str(CALIBRATION), "--timeout", "0.0001"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "error[E0605]" in error
    assert "--timeout" in error
