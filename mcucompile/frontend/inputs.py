"""Static shapes for the graph's inputs: what the file says, what --shape says, and a batch of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import CompileError
from ..ir import Shape
from ..ir.c_names import port_identifier
from .model import Dimension, Value, check_nbytes


def check_options(inputs: Sequence[Value], shapes: Mapping[str, Shape]) -> None:
    """Every --shape names an input, by its ONNX name or its C identifier."""
    known = {v.name for v in inputs} | {port_identifier(v.name) for v in inputs}
    for name in shapes:
        if name not in known:
            raise CompileError(
                "E0108", f"--shape names '{name}', which is no input of the model",
                fix="its inputs are " + ", ".join(f"'{v.name}'" for v in inputs),
            )  # fmt: skip


def static_shape(value: Value, shapes: Mapping[str, Shape], notes: list[str]) -> Shape:
    """Raises E0104 for dimensions that nobody gives, E0105 for too many elements, E0107, E0108 for contradictions."""
    given = shapes.get(value.name, shapes.get(port_identifier(value.name)))
    where = f"input '{value.name}'"
    shape = fitting(value, given, where) if given is not None else declared(value, where, notes)
    if any(d <= 0 for d in shape):
        raise CompileError("E0107", f"the shape {list(shape)} has a dimension that is not positive", where)
    nbytes = 4
    for d in shape:
        nbytes *= d
    check_nbytes(nbytes, where)
    return shape


def fitting(value: Value, given: Shape, where: str) -> Shape:
    """The shape of the option, if it agrees with the file."""
    wanted = value.shape
    agrees = wanted is None or (
        len(wanted) == len(given) and all(d == g for d, g in zip(wanted, given, strict=True) if isinstance(d, int))
    )
    if not agrees or any(d <= 0 for d in given):
        raise CompileError(
            "E0108", f"--shape gives {list(given)}; the model has {shape_text(wanted)}", where,
            fix="give one positive size per dimension, equal to the model's where that has one",
        )  # fmt: skip
    return tuple(given)


def declared(value: Value, where: str, notes: list[str]) -> Shape:
    """The shape in the file; a symbolic first dimension is the batch and becomes 1."""
    sizes = list(value.shape) if value.shape is not None else None
    if sizes and not isinstance(sizes[0], int):
        symbol = f" ('{sizes[0]}')" if sizes[0] else ""
        sizes[0] = 1
        notes.append(f"{where}: the batch{symbol} is 1")
    if sizes is None or not all(isinstance(d, int) for d in sizes):
        example = ",".join(str(d) if isinstance(d, int) else "…" for d in sizes or ["1", None])
        raise CompileError(
            "E0104", f"the shape is not fixed: {shape_text(value.shape)}", where,
            fix=f"--shape {value.name}={example}",
        )  # fmt: skip
    return tuple(d for d in sizes if isinstance(d, int))


def shape_text(shape: tuple[Dimension, ...] | None) -> str:
    return "no shape at all" if shape is None else "[" + ", ".join("?" if d is None else str(d) for d in shape) + "]"
