"""Which kernel computes a node on a core."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import CompileError
from ..ir import Node
from ..kernels import kernels_of
from ..kernels.kernel import Kernel, dtypes
from ..kernels.unpacked import unpacked_kernels
from ..target.cores import Core, Isa

Chooser = Callable[[Node, Core, Isa], Kernel]


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
    """Those that keep the constants in the encoding that these name; where they name none, all."""
    asked = {t.encoding for t in node.inputs if t.const is not None and t.encoding}
    if not asked:
        return kernels
    found = [k for k in kernels if k.encoding in asked]
    if not found:
        had = ", ".join(dict.fromkeys(k.encoding for k in kernels))
        raise CompileError(
            "E0402",
            f"no kernel for {node.op.name} takes weights encoded as {' or '.join(sorted(asked))}",
            node.where,
            why=f"there are kernels for: {had}",
            fix="ask for none, and the compiler chooses; encodings of few values need weights of few values: see "
            "quantize_weights and cluster",
        )
    return found


def fastest(node: Node, core: Core, isa: Isa) -> Kernel:
    """The fitting kernel with the fewest estimated cycles; the first of equals."""
    return min(fitting(node, isa), key=lambda k: k.cycles(node, core))
