"""Carry out a recipe: which of its passes the network is fit for, and how weights are kept that a pass asks for."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import translate

from .errors import CompileError
from .ir import Array, Graph, Node, graph_text, verify
from .lower.select import is_possible
from .network_type import is_quantized
from .options import NetworkType
from .passes.base import Dump, Tell, silent
from .passes.compress import Stage
from .recipe import Applied, Recipe, Request, is_named


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
    graph: Graph, requests: Sequence[Request], samples: Mapping[str, Array] | None, dump: Dump | None = None,
    tell: Tell = silent,
) -> list[Applied]:  # fmt: skip
    """Carry the requests out in place, saying which one begins.

    Raises E0701 for requests that contradict each other, E0206, E0201 and what passes raise.
    """
    done: list[Applied] = []
    for request in in_network_order(graph, requests):
        tell(str(request))
        done.append(carry_out(graph, request, layers_of(graph, request, requests), samples))
        if dump:
            dump(request.compression.name, graph_text(graph))
    return done


def carry_out(graph: Graph, request: Request, layers: Sequence[Node], samples: Mapping[str, Array] | None) -> Applied:
    """Change `graph` in place and verify it."""
    changes = request.compression.apply(graph, layers, None if samples is None else dict(samples))
    graph.remove_unread()
    verify(graph)
    return Applied(request, changes, copy.deepcopy(graph))


def encoded(graph: Graph, requests: Sequence[Request], dump: Dump | None) -> tuple[list[Applied], list[str]]:
    """Say how weights are kept, in place; and notes on which are not.

    A request that names no layers leaves alone those whose weights no kernel keeps so; one that names them insists.
    """
    done: list[Applied] = []
    notes: list[str] = []
    for request in in_network_order(graph, requests):
        before = {n: n.inputs for n in layers_of(graph, request, requests)}
        applied = carry_out(graph, request, list(before), None)
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


def in_network_order(graph: Graph, requests: Sequence[Request]) -> list[Request]:
    """Those of each pass by the first layer that they name: first the one that names none.

    So it does not matter in which order a recipe has them, and layers can make up for what those before them lost.
    """
    names = [r.compression.name for r in requests]
    first = {id(r): next((i for i, n in enumerate(graph.nodes) if r.names(n)), -1) for r in requests}
    return sorted(requests, key=lambda r: (names.index(r.compression.name), first[id(r)], str(r)))


def layers_of(graph: Graph, request: Request, requests: Sequence[Request]) -> list[Node]:
    """The nodes that a request is for: those it names; where it names none, those that no other one of its pass names.

    Raises E0701 where two of a pass name the same layer, and E0206 where there is nothing that the request is for.
    """
    pass_name = request.compression.name
    possible = [n for n in graph.nodes if request.compression.takes(n)]
    if not possible:
        raise CompileError(
            "E0206", f"{pass_name}: the network has no layer that it could change",
            why="it takes layers with constant weights, of a kind of its own", fix="leave the pass away",
        )  # fmt: skip
    check_patterns(request, possible)
    rivals = [r for r in requests if r.compression.name == pass_name]
    for n in possible:
        check_named_once(n, [r for r in rivals if r.names(n)])
    found = [n for n in possible if (request.names(n) if request.patterns else not any(r.names(n) for r in rivals))]
    if not found:
        raise CompileError(
            "E0206", f"{request} has no layer left to change",
            why=f"other requests for {pass_name} name them all", fix=f"leave {request} away",
        )  # fmt: skip
    return found


def check_named_once(node: Node, requests: Sequence[Request]) -> None:
    if len(requests) > 1:
        raise CompileError(
            "E0701", f"{requests[0].compression.name} is asked for twice for one layer",
            node.where, why=f"{' and '.join(map(str, requests))} name it, and only one of them can be done",
            fix="name each layer once: several patterns are written a|b, and a request without any is for the layers "
            "that the others leave",
        )  # fmt: skip


def check_patterns(request: Request, possible: Sequence[Node]) -> None:
    """Raises E0206 for a pattern that names no layer which the pass can change."""
    for pattern in request.patterns:
        if any(is_named(n, pattern) for n in possible):
            continue
        is_output = pattern.startswith("%")
        names = dict.fromkeys(f"%{n.output.name}" if is_output or not n.source else n.source[0] for n in possible)
        meant = meant_by(pattern, possible)
        raise CompileError(
            "E0206", f"{request.compression.name}: no layer that it could change is named {pattern!r}",
            why=f"it could change: {', '.join(names)}",
            fix=f"perhaps {meant}" if meant else "use one of these names, or * for all of them",
        )  # fmt: skip


def meant_by(pattern: str, possible: Sequence[Node]) -> str:
    """The pattern with * around it, and letters as the network has them, where that names a layer; otherwise ""."""
    core = re.compile(translate(pattern.lstrip("%").strip("*")).removesuffix(r"\Z"), re.IGNORECASE)
    mark = "%" if pattern.startswith("%") else ""
    names = [name for n in possible for name in ([n.output.name] if mark else [*n.source, n.output.name])]
    texts = dict.fromkeys(f"{mark}*{found[0]}*" for found in map(core.search, names) if found and found[0])
    return next((text for text in texts if any(is_named(n, text) for n in possible)), "")
