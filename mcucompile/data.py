"""Calibration and test data: `.npz` files with one array per graph input.

Every array is named as its input and has the samples along its first axis; with a single input the array may be called
`x`. `y` may hold labels: the number of the right class, one per sample. Real values for a float input; for a quantized
input floats are real values, too, and integers are the stored ones. Preprocessing is the user's. A damaged or hostile
file is an error, never a traceback: headers are checked against what the network needs before anything is read, so that
memory stays bounded, and pickled objects are refused.
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from .errors import CompileError
from .ir import Array, DType, Graph, Shape, Tensor
from .ir.c_names import port_identifier

MAX_NBYTES = 2 << 30
REFERENCE_SAMPLES = 10
LABELS = "y"
LABELS_FIX = f"give each sample's class as an integer, or leave '{LABELS}' out"
UNREADABLE = (
    OSError, EOFError, ValueError, TypeError, SyntaxError, KeyError, OverflowError, MemoryError, RuntimeError,
    struct.error, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip
Read = TypeVar("Read")


@dataclass(frozen=True, eq=False)
class Samples:
    """`inputs` by the graph input's name, each [samples, *input shape]; `labels` [samples] when the file has them.

    Values for float inputs are float32; those for quantized inputs are float32 when they are real values, and have the
    input's own type when they are the stored integers.
    """

    inputs: dict[str, Array]
    labels: Array | None = None

    @property
    def count(self) -> int:
        return len(next(iter(self.inputs.values())))


def load_samples(path: Path, inputs: Sequence[Tensor], outputs: Sequence[Tensor] = ()) -> Samples:
    """The samples in a `.npz` for these inputs, whose names, shapes and types are those of the model file.

    The leading 1 of an input's shape may be left out. Labels must be classes that one of `outputs` tells apart, where
    these are given. Raises E0202 for data that does not fit, E0702 for a file that cannot be opened.
    """
    if not path.is_file():
        raise CompileError("E0702", f"there is no file {path}", fix="give the path of an .npz file")
    try:
        archive = zipfile.ZipFile(path)
    except PermissionError as error:
        raise CompileError("E0702", f"{path} cannot be read: {error.strerror}") from error
    except UNREADABLE as error:
        raise CompileError(
            "E0202", f"{path.name} is not an .npz file, or is cut off", fix="write it with numpy.savez_compressed"
        ) from error
    with archive:
        return Archive(path.name, archive).samples(inputs, class_count(outputs))


def samples_for(source: Path | Samples, inputs: Sequence[Tensor], outputs: Sequence[Tensor] = ()) -> Samples:
    """Samples from a file, or given as an object, for a network with these inputs. Raises as `load_samples`."""
    return (
        load_samples(source, inputs, outputs) if isinstance(source, Path) else checked_samples(source, inputs, outputs)
    )


def checked_samples(given: Samples, inputs: Sequence[Tensor], outputs: Sequence[Tensor] = ()) -> Samples:
    """Samples as `load_samples` gives them for a file with these arrays; names may be those of the model or of the C.

    Real values for an input that is quantized already stay real. Raises E0202 for data that does not fit.
    """
    stream = BytesIO()
    labels = {} if given.labels is None or LABELS in given.inputs else {LABELS: given.labels}
    with zipfile.ZipFile(stream, "w") as archive:
        for name, values in {**given.inputs, **labels}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(values))
        return Archive("the object given as samples", archive).samples(inputs, class_count(outputs))


@dataclass(frozen=True)
class Header:
    """What an array says about itself before it is read."""

    shape: Shape
    dtype: np.dtype[Any]


@dataclass(frozen=True, eq=False)
class Archive:
    """An open `.npz` and its name for messages."""

    name: str
    file: zipfile.ZipFile

    def samples(self, inputs: Sequence[Tensor], classes: int | None = None) -> Samples:
        keys = {t: self.key(t, len(inputs)) for t in inputs}
        values = {t.name: self.input_values(t, key) for t, key in keys.items()}
        counts = {keys[t]: len(values[t.name]) for t in inputs}
        labels = None
        if LABELS in self.arrays() and LABELS not in counts:
            labels = self.labels(classes)
            counts[LABELS] = len(labels)
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"'{key}' {count}" for key, count in counts.items())
            raise self.misfit(
                "the arrays differ in the number of samples", listed, "use the same samples in every array"
            )
        return Samples(values, labels)

    def labels(self, classes: int | None) -> Array:
        given = self.read(LABELS)
        if given.dtype.kind not in "iu":
            why = f"it holds {given.dtype}; labels are the numbers of classes, counted from 0"
            raise self.misfit(f"array '{LABELS}' has no labels in it", why, LABELS_FIX)
        if given.ndim != 1 and given.shape[1:] != (1,):
            raise self.misfit(f"array '{LABELS}' has shape {list(given.shape)}", "labels are [samples]", LABELS_FIX)
        values = given.ravel()
        wrong = (values < 0) | (values >= (classes or np.inf))
        if wrong.any():
            known = f"the network's largest output has {classes} classes, 0..{classes - 1}" if classes else ""
            sample = int(np.argmax(wrong))
            raise self.misfit(f"label {values[sample]} of sample {sample} is no class", known, LABELS_FIX)
        return values

    def arrays(self) -> dict[str, zipfile.ZipInfo]:
        """Members by the name of their array."""
        return {i.filename.removesuffix(".npy"): i for i in self.file.infolist() if i.filename.endswith(".npy")}

    def key(self, tensor: Tensor, inputs: int) -> str:
        """The array that holds this input; names that are no C identifiers may stand as in the model or as in C."""
        named = [key for key in self.arrays() if port_identifier(key) == tensor.name]
        if named:
            return named[0]
        if inputs == 1 and "x" in self.arrays():
            return "x"
        found = ", ".join(f"'{key}'" for key in self.arrays()) or "none"
        raise self.misfit(f"it has no array for the input '{tensor.name}'", f"arrays found: {found}",
                    f"name the array '{tensor.name}'" + (" or 'x'" if inputs == 1 else ""))  # fmt: skip

    def input_values(self, tensor: Tensor, key: str) -> Array:
        header = self.header(key)
        shape = sample_shape(header.shape, tensor.shape)
        if shape is None:
            raise self.misfit(f"array '{key}' has shape {list(header.shape)}",
                        f"{tensor!r} needs {shape_text(tensor.shape)}",
                        "put the samples along the first axis, in the layout of the model's input")  # fmt: skip
        if shape[0] == 0:
            raise self.misfit(f"array '{key}' has no samples")
        allowed = "iu" if tensor.dtype.is_integer and tensor.quant is None else "fiu"
        if header.dtype.kind not in allowed:
            kind = "the stored integers" if tensor.dtype.is_integer else "real numbers"
            raise self.misfit(f"array '{key}' holds {header.dtype}", f"{tensor!r} needs {kind}")
        dtype = DType.F32 if header.dtype.kind == "f" else tensor.dtype
        return self.converted(self.read(key), dtype, key).reshape(shape)

    def converted(self, values: Array, dtype: DType, key: str) -> Array:
        if dtype.is_integer:
            if values.size and not (dtype.low <= values.min() and values.max() <= dtype.high):
                raise self.misfit(f"array '{key}' has values outside {dtype.value}: {values.min()}..{values.max()}")
            return values.astype(dtype.numpy)
        with np.errstate(over="ignore"):
            real = values.astype(np.float32)
        if not np.isfinite(real).all():
            sample = int(np.argwhere(~np.isfinite(real))[0][0])
            what = "NaN or infinity" if not np.isfinite(values[sample]).all() else "values beyond those of float32"
            raise self.misfit(f"array '{key}' has {what} in it, first in sample {sample}")
        return real

    def header(self, key: str) -> Header:
        return self.guarded(key, read_header)

    def read(self, key: str) -> Array:
        header, member = self.header(key), self.arrays()[key]
        if header.dtype.hasobject:
            raise self.misfit(f"array '{key}' holds pickled Python objects", fix="save plain numbers")
        if member.file_size > MAX_NBYTES:
            raise self.misfit(f"array '{key}' has {member.file_size:,} bytes", fix="a few hundred samples are enough")
        needed = int(np.prod([float(d) for d in header.shape])) * header.dtype.itemsize
        if not 0 <= needed <= member.file_size:
            raise self.misfit(
                f"array '{key}' is cut off", f"{needed:,} bytes announced, at most {member.file_size:,} there"
            )
        return self.guarded(key, lambda f: np.asarray(np.lib.format.read_array(f, allow_pickle=False)))

    def guarded(self, key: str, read: Callable[[IO[bytes]], Read]) -> Read:
        try:
            with self.file.open(self.arrays()[key]) as stream:
                return read(stream)
        except UNREADABLE as error:
            message = f"array '{key}' cannot be read"
            raise self.misfit(message, str(error)[:200], "write the file again: it is damaged") from error

    def misfit(self, what: str, why: str = "", fix: str = "") -> CompileError:
        return CompileError("E0202", f"{self.name} does not fit the network: {what}", why=why, fix=fix)


def class_count(outputs: Sequence[Tensor]) -> int | None:
    """How many classes labels can name; None where no output has more than one element."""
    most = max((t.size for t in outputs), default=1)
    return most if most > 1 else None


def read_header(stream: IO[bytes]) -> Header:
    version = np.lib.format.read_magic(stream)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(stream)
    return Header(tuple(int(d) for d in shape), dtype)


def sample_shape(given: Shape, wanted: Shape) -> Shape | None:
    """[samples, *wanted] if `given` is the shape of samples of shape `wanted`, whose leading 1 may be left out."""
    full = (*given[:1], *wanted)
    if not given or given[0] < 0:
        return None
    short = (given[0], *wanted[1:]) if wanted[:1] == (1,) else None
    return full if given in (full, short) else None


def shape_text(wanted: Shape) -> str:
    rest = wanted[1:] if wanted[:1] == (1,) else wanted
    return f"[samples{''.join(f', {d}' for d in rest)}]"


def reference_inputs(graph: Graph, samples: Samples | None, count: int = REFERENCE_SAMPLES) -> dict[str, Array]:
    """Inputs to prove the compiled network with, as it stores them: calibration samples, else random ones."""
    rng = np.random.default_rng(0)
    stored: dict[str, list[Array]] = {t.name: [] for t in graph.inputs}
    for i in range(count):
        for t in graph.inputs:
            given = samples.inputs.get(t.name) if samples else None
            value = random_input(t, rng) if given is None else stored_value(t, given[i % len(given)])
            stored[t.name].append(value)
    return {name: np.stack(values) for name, values in stored.items()}


def stored_value(t: Tensor, value: Array) -> Array:
    """A sample as the graph input stores it; real values are quantized."""
    shaped = np.asarray(value).reshape(t.shape)
    if t.quant is not None and not np.issubdtype(shaped.dtype, np.integer):
        return t.quant.quantize(shaped)
    return shaped.astype(t.dtype.numpy)


def random_input(t: Tensor, rng: np.random.Generator) -> Array:
    if t.dtype is DType.F32:
        return rng.standard_normal(t.shape).astype(np.float32)
    return rng.integers(t.dtype.low, t.dtype.high, t.shape, endpoint=True).astype(t.dtype.numpy)
