"""Everything in a model file that cannot be compiled, as one error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import CompileError

SHOWN = 100


@dataclass(frozen=True)
class Problem:
    """What cannot be compiled (a node, an input), why not, and what to do instead."""

    where: str
    reason: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" + (f" ({self.fix})" if self.fix else "")


def report(problems: Sequence[Problem]) -> CompileError:
    """One E0103 that lists them all."""
    lines = [str(p) for p in problems[:SHOWN]]
    lines += [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    count = "one thing" if len(problems) == 1 else f"{len(problems)} things"
    first = next((p.fix for p in problems if p.fix), "replace these operators, or export the model differently")
    return CompileError(
        "E0103", f"the model has {count} that cannot be compiled", problems[0].where, why="\n".join(lines), fix=first
    )
