"""C identifiers for the tensors of a model file."""

from __future__ import annotations

from ..ir import identifier
from ..ir.c_names import port_identifier

LONGEST = 48


class Names:
    """Hands out identifiers, each once, in constant time."""

    def __init__(self) -> None:
        self.used: dict[str, int] = {}

    def full(self, name: str) -> str:
        """As near to the name as C and the library allow: for graph inputs and outputs."""
        return self.unique(port_identifier(name))

    def short(self, name: str) -> str:
        """The same, and not too long: of the names of fused layers, which exporters join, the last one says most."""
        whole = identifier(name.rpartition(";")[2])
        return self.unique(whole if len(whole) <= LONGEST else identifier(whole[-LONGEST:].partition("_")[2]))

    def unique(self, base: str) -> str:
        count = self.used.get(base, -1) + 1
        self.used[base] = count
        if count == 0:
            return base
        candidate = f"{base}_{count}"
        return self.unique(base) if candidate in self.used else self.unique(candidate)
