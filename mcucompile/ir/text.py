"""The text form of a graph, which golden tests compare and --dump-after prints."""

from __future__ import annotations

import zlib

from .graph import Graph, Tensor


def type_text(tensor: Tensor) -> str:
    kind = f"{tensor.dtype.value}[{'x'.join(map(str, tensor.shape))}]"
    if tensor.quant is None:
        return kind
    scales = tensor.quant.scales
    scale = f"{scales[0]:.9g}" if len(scales) == 1 else f"{len(scales)} scales {min(scales):.9g}..{max(scales):.9g}"
    return f"{kind} ({scale}, {tensor.quant.zero})"


def graph_text(graph: Graph) -> str:
    """One line per input, constant, node and output, in order; constants by checksum."""
    lines = [f"graph {graph.name} numerics={graph.numerics.value}"]
    lines += [f"input %{t.name}: {type_text(t)}" for t in graph.inputs]
    for t in graph.constants():
        assert t.const is not None
        lines.append(f"const %{t.name}: {type_text(t)} #{zlib.crc32(t.const.tobytes()):08x} {t.encoding}".rstrip())
    for n in graph.nodes:
        results = ", ".join(f"%{t.name}: {type_text(t)}" for t in n.outputs)
        lines.append(f"{results} = {n.op}({', '.join('%' + t.name for t in n.inputs)})")
    lines += [f"output %{t.name}" for t in graph.outputs]
    return "\n".join(lines) + "\n"
