"""Names that the user's C meets: of a library, and of its inputs and outputs.

Decided: a tensor whose name the library needs itself is prefixed with `t_`, in whatever case it is written, because
functions are lower case and macros upper case: NET_ARENA_SIZE is the arena's or that of a tensor ARENA. Names that
differ in nothing but their case are kept apart, since both functions and macros keep the tensor's own spelling.
Keywords of C and C++ need no care: what the C says is never the bare name.
"""

from __future__ import annotations

from .graph import identifier

NAME_LENGTH_MAX = 100  # characters of a library's name: those of its files stay below the 255 that file systems take
FUNCTIONS = ("init", "run", "reset", "step", "on_step")
STORES = ("arena", "own_arena", "no_own_arena", "state", "weights", "kernels", "size")
OWN_NAMES = frozenset((*FUNCTIONS, *STORES))
# A library's header would hide the system's, its sources meet those of the firmware, its target those of CMake.
HEADERS = """
    arm_acle arm_mve assert complex ctype errno fcntl fenv float inttypes iso646 limits locale malloc math memory poll
    pthread sched setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings
    tgmath threads time uchar unistd wchar wctype
"""
SOURCES = "cpu link main mcu program semihosting server startup uart"
TARGETS = "all clean edit_cache help install package rebuild_cache test"
FOREIGN_NAMES = frozenset(f"{HEADERS} {SOURCES} {TARGETS}".split())


def port_identifier(name: str) -> str:
    """Any text as a C identifier that can follow the library's name and an underscore."""
    cleaned = identifier(name)
    return f"t_{cleaned}" if cleaned.lower() in OWN_NAMES else cleaned


def library_identifier(name: str) -> str:
    """Any text as the name of a library: lower case, since macros start with the same name in upper case."""
    cleaned = identifier(name).lower()[:NAME_LENGTH_MAX]
    return f"{cleaned}_net" if cleaned in FOREIGN_NAMES else cleaned


def is_library_name(name: str) -> bool:
    """Whether functions NAME_x and macros NAME_X cannot meet, nor the files meet others'."""
    return (
        len(name) <= NAME_LENGTH_MAX and identifier(name) == name != name.upper() and name.lower() not in FOREIGN_NAMES
    )
