"""Carry out a recipe: which of its passes the network is fit for, and how weights are kept that a pass asks for."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .errors import CompileError
from .ir import Array, Graph, graph_text
from .lower.select import is_possible
from .network_type import is_quantized
from .options import NetworkType
from .passes.base import Dump, Tell
from .passes.compress import Stage
from .recipe import Applied, Recipe, Request, compress


def check_recipe(recipe: Recipe, graph: Graph, dtype: NetworkType) -> None:
    """Raises E0206 for a pass that the network comes too late or too early for."""
    floats = recipe.of(Stage.PRUNE, Stage.DECOMPOSE, Stage.QUANTIZE)
    if floats and is_quantized(graph):
        raise CompileError(
            "E0206", f"{floats[0].compression.name} changes real numbers, and the network is quantized already",
            fix="give the float network and --calibration",
        )  # fmt: skip
    integers = recipe.of(Stage.QUANTIZE, Stage.SHARE, Stage.CODE)
    if integers and dtype is NetworkType.FLOAT32:
        raise CompileError(
            "E0206", f"{integers[0].compression.name} is about integer weights, and this network computes in floats",
            fix="leave it away, or compile with --dtype int8",
        )  # fmt: skip


def compressed(
    graph: Graph, requests: Sequence[Request], samples: Mapping[str, Array] | None, dump: Dump | None, tell: Tell
) -> list[Applied]:
    """Carry the requests out in place, saying which one begins. Raises what `compress` raises."""
    done: list[Applied] = []
    for request in requests:
        tell(str(request))
        done += compress(graph, [request], samples, dump)
    return done


def encoded(graph: Graph, requests: Sequence[Request], dump: Dump | None) -> tuple[list[Applied], list[str]]:
    """Say how weights are kept, in place; and notes on which are not.

    A request that names no layers leaves alone those whose weights no kernel keeps so; one that names them insists.
    """
    done: list[Applied] = []
    notes: list[str] = []
    for request in requests:
        before = {n: n.inputs for n in request.layers(graph)}
        (applied,) = compress(graph, [request], None)
        refused = [n for n in before if not request.patterns and not is_possible(n)]
        for n in refused:
            x, weight, *rest = n.inputs
            notes.append(f"weights of {n.where} are not kept as {weight.encoding}: no kernel of {n.op.name} can")
            n.inputs = [x, replace(weight, encoding=before[n][1].encoding), *rest]
        names = {n.output.name for n in refused}
        changes = tuple(c for c in applied.changes if c.layer not in names)
        done.append(Applied(request, changes, copy.deepcopy(graph)))
        if dump:
            dump(request.compression.name, graph_text(graph))
    return done, notes
