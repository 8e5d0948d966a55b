"""Names of graph inputs and outputs, which become part of the library's functions and macros.

Decided: a name that the library uses itself is prefixed with `t_`, in whatever case it is written, because functions
are lower case and macros upper case: NET_ARENA_SIZE is the arena's or that of a tensor ARENA. Names that differ in
nothing but their case are kept apart, since both functions and macros keep the tensor's own spelling. Keywords of C
and C++ need no care: what the C says is never the bare name.
"""

from __future__ import annotations

from .graph import identifier

RESERVED = frozenset(
    ("init", "run", "reset", "arena", "state", "weights", "kernels", "on_step", "step", "size", "no_own_arena")
)


def port_identifier(name: str) -> str:
    """Any text as a C identifier that can follow the library's name and an underscore."""
    cleaned = identifier(name)
    return f"t_{cleaned}" if cleaned.lower() in RESERVED else cleaned
