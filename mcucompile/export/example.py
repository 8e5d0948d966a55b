"""The smallest program that uses the library: init, fill the inputs, run, print the outputs."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Port
from .library import Library

MAIN = "examples/minimal/main.c"


def main_c(library: Library) -> dict[str, bytes]:
    """The example in C, for every format that builds a program of files."""
    return {MAIN: library.render("main.c.j2", **ports(library))}


def ports(library: Library) -> dict[str, list[tuple[str, Port]]]:
    """Inputs and outputs with the names of the example's variables, which are none of the user's."""
    program = library.program
    return {"inputs": named("input", program.inputs), "outputs": named("output", program.outputs)}


def named(kind: str, ports: Sequence[Port]) -> list[tuple[str, Port]]:
    return [(kind if len(ports) == 1 else f"{kind}{k}", port) for k, port in enumerate(ports, 1)]
