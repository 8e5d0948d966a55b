"""Which kernel computes a node on a core."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..encodings import BY_NAME, Narrow
from ..errors import CompileError
from ..ir import Node
from ..kernels import kernels_of
from ..kernels.kernel import Kernel, dtypes
from ..kernels.unpacked import unpacked_kernels
from ..target.cores import Core, Isa

Chooser = Callable[[Node, Core, Isa], Kernel]

# Encoding -> what makes weights that it holds: the bits of quantize_weights, and passes that share weights.
FEW_BITS = {"int4": "4", "int2": "2", "ternary": "ternary", "binary": "binary"}
SHARING = {"codebook": "cluster=16", "words": "cluster=16", "hashed": "hash_weights=8"}


def fitting(node: Node, isa: Isa) -> list[Kernel]:
    """Every kernel that computes the node with this instruction set, and keeps its weights as they ask for it.

    Raises E0401 when there is none, and E0402 when none of them has the encoding that is asked for.
    """
    of_op = kernels_of(type(node.op))
    fits = [k for k in of_op if k.isa <= isa and k.fits(node)]
    if not fits:
        kinds = ", ".join(dict.fromkeys(d.value for d in dtypes(node)))
        variants = ", ".join(f"{k.variant} ({k.isa.name.lower()})" for k in of_op) or "none"
        raise CompileError(
            "E0401",
            f"no kernel for {node.op.name} on {kinds}",
            node.where,
            why=f"kernels of {node.op.name}: {variants}",
        )
    return as_asked(node, [*fits, *unpacked_kernels(node, fits)])


def as_asked(node: Node, kernels: list[Kernel]) -> list[Kernel]:
    """Those that keep the weights in the encoding that these name; where they name none, all."""
    asked = asked_encoding(node)
    if not asked:
        return kernels
    found = [k for k in kernels if k.encoding == asked]
    if not found:
        check_held(node, asked)
        raise CompileError(
            "E0402",
            f"no kernel for {node.op.name} takes weights encoded as {asked}",
            node.where,
            why=why_not(node, kernels),
            fix="ask for none, and the compiler chooses",
        )
    return found


def check_held(node: Node, asked: str) -> None:
    """Raises E0402 where the encoding does not hold the layer's weights, with the pass that makes such ones."""
    encoding, values = BY_NAME.get(asked), node.inputs[1].const
    if encoding is None or values is None or encoding.fits(values.reshape(-1)):
        return
    name = node.source[0] if node.source else f"%{node.output.name}"
    if isinstance(encoding, Narrow):
        zeros = asked == "binary" and int(np.abs(values).max()) <= 1
        has = "zeros" if zeros else f"integers from {values.min()} to {values.max()}"
        why = f"the weights of '{name}' have {has}, which {asked} ({encoding.span}) does not hold"
        fix = f"encode=ternary@{name}" if zeros else f"quantize_weights={FEW_BITS[asked]}@{name}"
    else:
        why = f"the weights of '{name}' have {np.unique(values).size} different values, not such as {asked} holds"
        fix = f"{SHARING.get(asked, 'cluster=16')}@{name}"
    raise CompileError("E0402", f"weights of {node.op.name} cannot be kept as {asked}", node.where, why=why, fix=fix)


def why_not(node: Node, kernels: list[Kernel]) -> str:
    """Why none of them has the encoding that is asked for."""
    weight = node.inputs[1]
    encoding = BY_NAME.get(weight.encoding)
    holds = encoding is not None and weight.const is not None and encoding.fits(weight.const.reshape(-1))
    if holds and any(k.weight_stream(node) for k in kernels):
        return f"{weight.encoding} holds the weights, but not as kernels read them, with zeros that fill up channels"
    return f"there are kernels for: {', '.join(dict.fromkeys(k.encoding for k in kernels))}"


def asked_encoding(node: Node) -> str:
    """What the weights, the second input, are to be kept as; "" where nothing is asked for or there are none."""
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    return weight.encoding if weight is not None and weight.const is not None else ""


def is_possible(node: Node) -> bool:
    """Whether with any instruction set a kernel keeps the weights in the encoding that they ask for."""
    asked = asked_encoding(node)
    fits = sorted((k for k in kernels_of(type(node.op)) if k.fits(node)), key=lambda k: k.isa)
    return asked in ("", *(k.encoding for k in fits)) or any(unpacked_kernels(node, [k]) for k in fits)


def fastest(node: Node, core: Core, isa: Isa) -> Kernel:
    """The fitting kernel with the fewest estimated cycles; the first of equals."""
    return min(fitting(node, isa), key=lambda k: k.cycles(node, core))
