"""Convolution, one output at a time, for integers on any core."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import DType, Node
from ...ops.conv2d import Conv2d
from ...ops.sums import weighted_bound
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed
from ..scaling import Scaling, scaling, scaling_constants
from .geometry import Gather, Geometry, geometry
from .packing import folded_bias, weight_rows


@dataclass(frozen=True)
class DirectParams:
    g: Geometry
    x_type: str
    w_type: str
    bias_type: str
    acc_type: str
    scaling: Scaling

    @property
    def has_patch(self) -> bool:
        return self.g.gather is not Gather.NEVER


class Direct(Kernel):
    op = Conv2d
    variant = "direct"
    isa = Isa.SCALAR

    def fits(self, node: Node) -> bool:
        return node.inputs[0].dtype in (DType.I8, DType.I16) and node.output.dtype in (DType.I8, DType.I16)

    def params(self, node: Node) -> DirectParams:
        x, w, _ = node.inputs
        wide = is_wide(node)
        acc_type = "int64_t" if wide else "int32_t"
        bias_type = folded_bias(node).dtype.c
        return DirectParams(geometry(node), x.dtype.c, w.dtype.c, bias_type, acc_type, scaling(node, wide))

    def constants(self, node: Node) -> tuple[Packed, ...]:
        rows = weight_rows(node, geometry(node))
        return Packed("weight", rows), folded_bias(node), *scaling_constants(node, node.output.shape[-1])

    def scratch_nbytes(self, node: Node) -> int:
        g = geometry(node)
        return 0 if g.gather is Gather.NEVER else g.patch * node.inputs[0].dtype.nbytes

    def cycles(self, node: Node, core: Core) -> float:
        per_output = 60 if core.cpu.startswith("cortex-m0") else 20
        return 8.0 * node.op.macs(node) + per_output * node.output.size


def is_wide(node: Node) -> bool:
    """Whether the sums need 64 bits, which only 16-bit activations can bring about."""
    return weighted_bound(node, channel_axis=0) > (1 << 31) - 1
