"""The C functions, types and macros that kernels share: templates/lib/c/NAME.h defines NAME.

A library has those that it uses. Kernels and snippets name them mcu_* and MCU_*; in a library these begin with the
network's name, so that two networks' sources can be one translation unit.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

from ..resources import folder

MENTION = re.compile(r"\b(?:mcu|MCU)_\w+")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@cache
def snippets() -> dict[str, str]:
    """Name -> definition."""
    return {path.stem: path.read_text() for path in sorted((folder("templates") / "lib" / "c").glob("*.h"))}


def used_snippets(text: str) -> list[str]:
    """The names of all that C text uses, each behind those that it uses itself."""
    found: dict[str, None] = {}
    for name in dict.fromkeys(MENTION.findall(COMMENT.sub("", text))):
        if name in snippets():
            others = used_snippets(snippets()[name].replace(name, ""))
            found.update(dict.fromkeys([*others, name]))
    return list(found)


def private_prefix(network: str, taken: Collection[str]) -> str:
    """What stands for mcu_. `taken`: tensors with functions of their own, which may have the name of a snippet."""
    names = {"arena", "own_arena"} | {name.partition("_")[2] for name in snippets()}
    return f"{network}_" if names.isdisjoint(taken) else f"{network}_own_"


def with_prefix(text: str, prefix: str) -> str:
    """C text with the network's names of the snippets."""

    def renamed(match: re.Match[str]) -> str:
        head, _, rest = match[0].partition("_")
        if match[0] not in snippets():
            return match[0]
        return (prefix.upper() if head == "MCU" else prefix) + rest

    return MENTION.sub(renamed, text)
