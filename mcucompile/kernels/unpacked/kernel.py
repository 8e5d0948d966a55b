"""The kernel that unpacks weights, a few output channels at a time or all at once, for another kernel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ...encodings import Encoding
from ...ir import Node, Op, Tensor
from ...target.cores import Core, Isa
from ..kernel import Kernel, Packed, Part
from ..trace import Trace
from .plan import Plan, UnpackedParams, plan

WRAPPER_NBYTES = 110
LOOP_NBYTES = 36  # of each loop in it
CALL_CYCLES = 60.0  # per tile
RUN_CYCLES = 30.0
WORD_CYCLES = 7.0  # copied
COPY_CYCLES = (12.0, 1.5)  # per pixel of a tile, per byte


@lru_cache(maxsize=64)
def cached_trace(op: Op, inputs: tuple[Tensor, ...], output: Tensor, inner: Kernel) -> Trace:
    """What all encodings have from the same inner kernel."""
    return inner.trace(Node(op, list(inputs), [output]))


@dataclass(frozen=True)
class Unpacked(Kernel):
    """Weights as `coding` has them, unpacked for `inner`, `tile` output channels at a time."""

    inner: Kernel
    coding: Encoding
    tile: int

    @property
    def op(self) -> type[Op]:  # type: ignore[override]
        """Instances differ in what other kernels' classes differ in."""
        return self.inner.op

    @property
    def variant(self) -> str:  # type: ignore[override]
        return f"{self.coding.name}_{self.inner.variant}_{self.tile}"

    @property
    def isa(self) -> Isa:  # type: ignore[override]
        return self.inner.isa

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.coding.name

    @property
    def template(self) -> str:
        return "kernels/unpacked/tiles.c.j2"

    def planned(self, node: Node) -> Plan:
        found = plan(node, self.inner, self.coding, self.tile)
        assert found, f"{self.variant} does not fit {node.where}"
        return found

    def fits(self, node: Node) -> bool:
        return plan(node, self.inner, self.coding, self.tile) is not None

    def params(self, node: Node) -> UnpackedParams:
        return self.planned(node).params

    def parts(self, node: Node) -> tuple[Part, ...]:
        p = self.planned(node)
        params, isa = p.encoded.params, self.isa.name
        unpack = (f"unpack_{self.coding.name}", self.coding.template_for(isa), params)
        name = f"{self.op.name}_{self.inner.variant}"
        return (
            Part(*unpack, self.coding.code_nbytes(params, isa)),
            Part(name, self.inner.template, self.inner.params(p.tile), self.inner.code_nbytes(p.tile), p.tile),
        )

    def constants(self, node: Node) -> tuple[Packed, ...]:
        return self.planned(node).constants

    def scratch_nbytes(self, node: Node) -> int:
        return self.planned(node).scratch_nbytes

    def trace(self, node: Node) -> Trace:
        """Of several tiles none but the last leaves the input alone."""
        return cached_trace(node.op, tuple(node.inputs), node.output, self.inner) if self.is_whole(node) else None

    def is_whole(self, node: Node) -> bool:
        return self.tile == node.output.shape[-1]

    def code_nbytes(self, node: Node) -> int:
        p = self.params(node)
        loops = (p.tiles > 1) + p.copies + p.has_table + (p.runs > 1) + (p.first > 0) + (p.last > 0)
        return WRAPPER_NBYTES + LOOP_NBYTES * loops

    def cycles(self, node: Node, core: Core) -> float:
        found = self.planned(node)
        p, count = found.params, found.count
        words = sum(c.values.size for c in found.constants if c.role == "raw")
        pixel = COPY_CYCLES[0] + COPY_CYCLES[1] * p.tile * p.y_nbytes if p.copies else 0.0
        tile = self.inner.cycles(found.tile, core) + CALL_CYCLES + RUN_CYCLES * p.runs + pixel * p.pixels
        return self.coding.cycles(found.encoded, core.cpu) + count * tile + WORD_CYCLES * words
