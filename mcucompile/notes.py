"""What a user should know of a compilation that went well."""

from __future__ import annotations

from collections.abc import Iterable

from .ir import Graph, Numerics
from .passes.fix_multipliers import is_integer
from .passes.fuse_sign import ZeroSign
from .passes.quantize_results import real_results
from .recipe import Applied


def network_notes(graph: Graph) -> list[str]:
    """What there is to know of the network as it is compiled."""
    return [*numerics_notes(graph), *real_notes(graph)]


def idle_notes(applied: Iterable[Applied]) -> list[str]:
    """Which passes of a recipe did nothing."""
    idle = [a for a in applied if all(c.is_kept for c in a.changes)]
    why = ": the weights of its layers are on few bits already, and are kept as they are"
    return [f"{a.request} found nothing to change{why if a.changes else ''}" for a in idle]


def sign_notes(details: Iterable[object]) -> list[str]:
    """What was decided of ONNX's Sign, which is 0 at zero; from what passes told."""
    decided = [d for d in details if isinstance(d, ZeroSign)]
    return [f"sign '{' + '.join(d.source) or d.tensor}': {d.decision}" for d in decided]


def numerics_notes(graph: Graph) -> list[str]:
    """What --numerics tflite cannot promise."""
    if graph.numerics is not Numerics.TFLITE:
        return []
    others = [n for n in graph.nodes if is_integer(n) and not n.op.has_tflite_bits(n)]
    return [f"{n.where} has no TensorFlow Lite bits; it rounds as with --numerics onnx" for n in others]


def real_notes(graph: Graph) -> list[str]:
    """Which layers compute on real numbers for want of a scale alone."""
    return [
        f"{n.where} computes on real numbers, since the file does not quantize its result; --calibration makes it int8"
        for n in real_results(graph)
    ]
