"""What a pass is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from ..ir import Graph

Dump = Callable[[str, str], None]  # receives a pass's name and the graph's text after it
Tell = Callable[[str], None]  # receives what begins now, for people who wait


def silent(_: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Pass(ABC):
    """One rewriting of a graph, in place. Its fields are its options; its module's docstring shows before and after.

    `exact` promises that no bit of any output changes, on integers; on floats the order of a sum may.
    """

    exact: ClassVar[bool]

    @abstractmethod
    def run(self, graph: Graph) -> int:
        """Rewrite the graph; how many places were changed."""

    def run_telling(self, graph: Graph) -> tuple[int, tuple[object, ...]]:
        """`run`, and what to report of the changes beside their number: dataclasses of plain values."""
        return self.run(graph), ()
