"""Kernels whose cycles are a sum of counts, each times what it costs on a core."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from ..ir import Node
from ..target.cores import Core
from .kernel import Kernel

Costs = Mapping[str, tuple[float, ...]]  # by the name that compilers have for a core
ALIKE = {"cortex-m0plus": "cortex-m0"}


class Counted(Kernel):
    """Base: `costs` are cycles, fitted to estimates of runs, one for each of `counts`.

    A core without an entry, where the kernel is not chosen or was not measured, takes the largest.
    """

    costs: ClassVar[Costs]

    @abstractmethod
    def counts(self, node: Node) -> tuple[float, ...]:
        """How often the parts of the kernel run."""

    def cycles(self, node: Node, core: Core) -> float:
        name = ALIKE.get(core.cpu, core.cpu)
        costs = self.costs[name] if name in self.costs else max(self.costs.values())
        return sum(count * cost for count, cost in zip(self.counts(node), costs, strict=True))
