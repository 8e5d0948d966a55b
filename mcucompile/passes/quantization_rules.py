"""How a node's activations want to be quantized."""

from __future__ import annotations

from ..ir import Node, ScaleRule


def rule(node: Node) -> ScaleRule:
    """The operator's rule, in a float or quantized graph. Integers that are no reals (token ids) are left alone."""
    if any(t.dtype.is_integer and t.quant is None for t in [*node.inputs, *node.outputs]):
        return ScaleRule.FLOAT
    return node.op.scales
