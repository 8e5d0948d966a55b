"""Calibration data files: what is accepted, and that everything else is an E0202."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcucompile.data import load_samples
from mcucompile.errors import CompileError
from mcucompile.ir import DType, QuantParams, Tensor

IMAGE = Tensor("image", (1, 2, 3))
STORED = Tensor("stored", (1, 4), DType.I8, QuantParams.per_tensor(0.5, 3))


def write(folder: Path, **arrays: Any) -> Path:
    path = folder / "data.npz"
    np.savez_compressed(path, **arrays)
    return path


def rejected(path: Path, *inputs: Tensor) -> CompileError:
    with pytest.raises(CompileError) as caught:
        load_samples(path, inputs or (IMAGE,))
    assert caught.value.code == "E0202"
    assert "data.npz" in caught.value.what
    return caught.value


def test_named_array_with_labels(tmp_path: Path) -> None:
    values = np.arange(30, dtype=np.float64).reshape(5, 2, 3)
    samples = load_samples(write(tmp_path, image=values, y=np.arange(5), classes=["a"]), [IMAGE])
    assert samples.count == 5
    assert samples.inputs["image"].dtype == np.float32
    assert samples.inputs["image"].shape == (5, 1, 2, 3)
    assert np.array_equal(samples.inputs["image"][:, 0], values)
    assert samples.labels is not None and samples.labels.tolist() == [0, 1, 2, 3, 4]


LABELS: dict[str, tuple[Any, str]] = {
    "names": (["a", "b"], "<U1"),
    "real numbers": ([0.0, 1.0], "float64"),
    "one of ten": (np.eye(2, 10, dtype=int), "[2, 10]"),
    "one for all": (np.asarray(1), "[]"),
    "negative": ([0, -1], "label -1 of sample 1"),
    "beyond the classes": ([3, 6], "label 6 of sample 1"),
    "too few": ([1], "'y' 1"),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_that_are_none(kind: str, tmp_path: Path) -> None:
    labels, said = LABELS[kind]
    path = write(tmp_path, image=np.zeros((2, 2, 3)), y=labels)
    with pytest.raises(CompileError) as caught:
        load_samples(path, [IMAGE], [Tensor("score", (1, 1)), Tensor("classes", (1, 6))])
    assert caught.value.code == "E0202"
    assert said in f"{caught.value.what} {caught.value.why}"


def test_labels_of_an_output_whose_classes_are_not_known(tmp_path: Path) -> None:
    """One sigmoid tells two classes apart, and no output is known for calibration data."""
    path = write(tmp_path, image=np.zeros((2, 2, 3)), y=np.asarray([[1], [7]], np.uint8))
    for outputs in ([], [Tensor("probability", (1, 1))]):
        labels = load_samples(path, [IMAGE], outputs).labels
        assert labels is not None and labels.tolist() == [1, 7]


def test_x_stands_for_the_only_input(tmp_path: Path) -> None:
    assert load_samples(write(tmp_path, x=np.zeros((2, 1, 2, 3), np.float16)), [IMAGE]).labels is None


def test_x_does_not_stand_for_one_of_two_inputs(tmp_path: Path) -> None:
    error = rejected(write(tmp_path, x=np.zeros((2, 2, 3)), stored=np.zeros((2, 4), int)), IMAGE, STORED)
    assert "'image'" in error.what and "'x'" in error.why


def test_a_name_that_is_no_identifier_stands_as_in_the_model(tmp_path: Path) -> None:
    tensor = Tensor("serving_default_in_0", (1, 1))
    path = tmp_path / "data.npz"
    np.savez(path, **{"serving_default_in:0": np.ones((3, 1))})
    assert load_samples(path, [tensor]).count == 3


def test_a_name_that_the_library_uses_itself_stands_as_in_the_model(tmp_path: Path) -> None:
    for tensor in (Tensor("t_init", (1, 1)), Tensor("t_STATE", (1, 1))):
        path = write(tmp_path, **{tensor.name.removeprefix("t_"): np.ones((3, 1))})
        assert load_samples(path, [tensor]).count == 3


def test_an_input_named_y_is_no_label(tmp_path: Path) -> None:
    samples = load_samples(write(tmp_path, y=np.zeros((4, 1))), [Tensor("y", (1, 1))])
    assert samples.labels is None and samples.count == 4


def test_an_input_without_a_batch_axis(tmp_path: Path) -> None:
    assert load_samples(write(tmp_path, v=np.zeros((7, 5))), [Tensor("v", (5,))]).inputs["v"].shape == (7, 5)


def test_stored_integers_keep_their_type(tmp_path: Path) -> None:
    samples = load_samples(write(tmp_path, stored=np.full((2, 4), -128, np.int64)), [STORED])
    assert samples.inputs["stored"].dtype == np.int8


def test_missing_file() -> None:
    with pytest.raises(CompileError) as caught:
        load_samples(Path("nowhere/data.npz"), [IMAGE])
    assert caught.value.code == "E0702"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (np.zeros((2, 3, 2)), "shape"),
        (np.zeros(6), "shape"),
        (np.float32(1), "shape"),
        (np.zeros((0, 2, 3)), "no samples"),
        (np.full((1, 2, 3), np.nan), "NaN"),
        (np.full((1, 2, 3), np.inf), "infinity"),
        (np.full((1, 2, 3), 1e300), "beyond those of float32"),
        (np.zeros((1, 2, 3), complex), "complex"),
        (np.zeros((1, 2, 3), bool), "bool"),
        (np.full((1, 2, 3), "a"), "<U1"),
        (np.full((1, 2, 3), None), "object"),
    ],
)
def test_values_that_do_not_fit(tmp_path: Path, values: Any, word: str) -> None:
    assert word in rejected(write(tmp_path, image=values)).what


def test_nan_names_its_sample(tmp_path: Path) -> None:
    values = np.zeros((4, 2, 3))
    values[2, 1, 1] = np.inf
    assert "sample 2" in rejected(write(tmp_path, image=values)).what


def test_real_values_for_a_quantized_input(tmp_path: Path) -> None:
    samples = load_samples(write(tmp_path, stored=np.full((2, 4), 0.5)), [STORED])
    assert samples.inputs["stored"].dtype == np.float32
    assert "NaN" in rejected(write(tmp_path, stored=np.full((2, 4), np.nan)), STORED).what


def test_real_values_for_an_integer_input(tmp_path: Path) -> None:
    counts = Tensor("counts", (1, 4), DType.I32)
    assert "float32" in rejected(write(tmp_path, counts=np.zeros((2, 4), np.float32)), counts).what


def test_integers_beyond_the_input_type(tmp_path: Path) -> None:
    assert "0..255" in rejected(write(tmp_path, stored=np.asarray([[0, 1, 2, 255]], np.uint8)), STORED).what


def test_differing_numbers_of_samples(tmp_path: Path) -> None:
    rejected(write(tmp_path, image=np.zeros((2, 2, 3)), stored=np.zeros((3, 4), int)), IMAGE, STORED)
    assert "'y' 3" in rejected(write(tmp_path, image=np.zeros((2, 2, 3)), y=np.zeros(3, int))).why


def test_pickled_labels_are_refused(tmp_path: Path) -> None:
    assert "pickled" in rejected(write(tmp_path, image=np.zeros((1, 2, 3)), y=np.asarray([{}]))).what


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"hello" * 100])
def test_other_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    rejected(tmp_path / "data.npz")


def test_a_single_array_file(tmp_path: Path) -> None:
    with (tmp_path / "data.npz").open("wb") as file:
        np.save(file, np.zeros((1, 2, 3)))
    rejected(tmp_path / "data.npz")


def test_a_header_that_announces_too_much(tmp_path: Path) -> None:
    """Nothing is allocated for an array that is not there."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 2, 3)})
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("image.npy", header.getvalue())
    assert "cut off" in rejected(tmp_path / "data.npz").what


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 399), st.integers(1, 255)), max_size=4))
def test_damage_never_gives_a_traceback(tmp_path_factory: pytest.TempPathFactory, cut: int, flips: Any) -> None:
    whole = io.BytesIO()
    np.savez(whole, image=np.ones((3, 2, 3), np.float32))
    damaged = bytearray(whole.getvalue())
    for position, value in flips:
        damaged[position % len(damaged)] ^= value
    path = tmp_path_factory.mktemp("damage") / "data.npz"
    path.write_bytes(bytes(damaged[: len(damaged) - cut]))
    try:
        code, values = "", load_samples(path, [IMAGE]).inputs["image"]
    except CompileError as error:
        code, values = error.code, np.zeros(1)
    assert code in ("", "E0202") and np.isfinite(values).all()
