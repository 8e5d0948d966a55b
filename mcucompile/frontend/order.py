"""Execution order of the nodes of a model file, or the reason why there is none."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from ..errors import CompileError
from ..ir import Array, OnnxNode


def sorted_nodes(
    nodes: Sequence[OnnxNode], inputs: Iterable[str], constants: Mapping[str, Array], outputs: Iterable[str]
) -> list[int]:
    """Positions of the nodes in an order in which every value is computed before it is read.

    Files need not be sorted; ties keep the file's order. Raises E0102 for values that are defined twice, never, or
    in a cycle.
    """
    makers = producers(nodes, [*inputs, *constants])
    for name in outputs:
        if name not in makers:
            raise CompileError("E0102", f"the output '{name}' is never computed")
    waiting = [dependencies(node, makers) for node in nodes]
    readers: dict[int, list[int]] = {}
    for i, needed in enumerate(waiting):
        for j in needed:
            readers.setdefault(j, []).append(i)
    if all(j < i for i, needed in enumerate(waiting) for j in needed):
        return list(range(len(nodes)))
    order = kahn(waiting, readers)
    if len(order) < len(nodes):
        stuck = next(i for i, needed in enumerate(waiting) if needed)
        raise CompileError("E0102", "the node depends on its own result", where_of(nodes[stuck]))
    return order


def kahn(waiting: list[set[int]], readers: Mapping[int, list[int]]) -> list[int]:
    """Topological order; empties the sets of what each node waits for."""
    ready = deque(i for i, needed in enumerate(waiting) if not needed)
    order: list[int] = []
    while ready:
        done = ready.popleft()
        order.append(done)
        for reader in readers.get(done, ()):
            waiting[reader].discard(done)
            if not waiting[reader]:
                ready.append(reader)
    return order


def producers(nodes: Sequence[OnnxNode], given: Iterable[str]) -> dict[str, int]:
    """The position of the node that computes each value; -1 for inputs and constants."""
    makers: dict[str, int] = {}
    for name in given:
        if name in makers:
            raise CompileError("E0102", f"two inputs are named '{name}'")
        makers[name] = -1
    for i, node in enumerate(nodes):
        for name in filter(None, node.outputs):
            if name in makers:
                raise CompileError("E0102", f"the value '{name}' is defined twice", where_of(node))
            makers[name] = i
    return makers


def dependencies(node: OnnxNode, makers: Mapping[str, int]) -> set[int]:
    for name in filter(None, node.inputs):
        if name not in makers:
            raise CompileError(
                "E0102", f"the node reads '{name}', which is neither computed nor given", where_of(node),
                fix="the weights may be in a file that was not exported; export the model again",
            )  # fmt: skip
    return {makers[name] for name in node.inputs if name and makers[name] >= 0}


def where_of(node: OnnxNode) -> str:
    return f"{node.op_type} '{node.name}'"
