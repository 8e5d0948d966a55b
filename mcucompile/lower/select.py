"""Which kernel computes a node on a core."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import CompileError
from ..ir import Node
from ..kernels import kernels_of
from ..kernels.kernel import Kernel, dtypes
from ..target.cores import Core, Isa

Chooser = Callable[[Node, Core, Isa], Kernel]


def fitting(node: Node, isa: Isa) -> list[Kernel]:
    """Every kernel that computes the node with this instruction set. Raises E0401 when there is none."""
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
    return fits


def fastest(node: Node, core: Core, isa: Isa) -> Kernel:
    """The fitting kernel with the fewest estimated cycles; the first of equals."""
    return min(fitting(node, isa), key=lambda k: k.cycles(node, core))
