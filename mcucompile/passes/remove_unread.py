"""Drop nodes whose results nobody reads.

%a, %b = split(%x); output %a    -->   unchanged, since one output is read
%c = relu(%x); output %a         -->   (nothing)
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ir import Graph
from .base import Pass


@dataclass(frozen=True)
class RemoveUnread(Pass):
    exact = True

    def run(self, graph: Graph) -> int:
        return graph.remove_unread()
