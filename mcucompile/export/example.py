"""The smallest program that uses the library: init, fill the inputs, run, and check the outputs of one sample.

It returns 0 when they are right, so that the first question after integrating (does my toolchain give the same bits?)
is answered by running it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..emit.filters import c_float, c_values
from ..ir import Array, DType, Port
from .library import Library
from .sample import FORMULAS, GOLDEN, step_of

MAIN = "examples/minimal/main.c"


@dataclass(frozen=True)
class Given:
    """An input: its array of `values`, or the `formula` of a value where there are none. `number` tells names apart."""

    port: Port
    number: str
    values: str
    formula: str


@dataclass(frozen=True)
class Wanted:
    """An output: the array of every `step`-th value, and the literal of the tolerance."""

    port: Port
    number: str
    values: str
    step: int
    tolerance: str

    @property
    def is_float(self) -> bool:
        return self.port.dtype is DType.F32


def main_c(library: Library) -> dict[str, bytes]:
    """The example in C, for every format that builds a program of files."""
    return {MAIN: library.render("main.c.j2", **checked_sample(library))}


def checked_sample(library: Library) -> dict[str, Any]:
    """What the templates of programs need to check the sample.

    Their own names have no underscore, or one that no port's function has: so they are none of the user's.
    """
    program, sample = library.program, library.sample
    inputs = [
        Given(
            port, number, "" if sample.is_generated else initializer(sample.inputs[port.name], port.dtype),
            FORMULAS[port.dtype][0],
        )
        for number, port in numbered(program.inputs)
    ]  # fmt: skip
    outputs = [
        Wanted(
            port, number, initializer(sample.outputs[port.name].ravel()[:: step_of(port)], port.dtype), step_of(port),
            c_float(sample.tolerances[port.name]),
        )
        for number, port in numbered(program.outputs)
    ]  # fmt: skip
    carried = [v for v in (*sample.inputs.values(), *sample.outputs.values()) if v.dtype == np.float32]
    return {
        "inputs": inputs, "outputs": outputs, "is_generated": sample.is_generated, "golden": GOLDEN,
        "has_floats": any(o.is_float for o in outputs), "has_tolerance": any(sample.tolerances.values()),
        "is_finite": all(np.isfinite(v).all() for v in carried),
    }  # fmt: skip


def numbered(ports: Sequence[Port]) -> list[tuple[str, Port]]:
    return [("" if len(ports) == 1 else str(k), port) for k, port in enumerate(ports, 1)]


def initializer(values: Array, dtype: DType) -> str:
    """The initializer of an array, with the names of <math.h> for what has no literal."""
    if dtype.is_integer or np.isfinite(values).all():
        return c_values(values, dtype)
    return ",\n".join(f"    {float_text(v)}" for v in values.ravel().tolist())


def float_text(value: float) -> str:
    if np.isnan(value):
        return "NAN"
    return c_float(value) if np.isfinite(value) else ("INFINITY" if value > 0 else "-INFINITY")
