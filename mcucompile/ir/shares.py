"""What several steps have in common, divided among them: so their parts add up to what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .program import CArray, Step


def shared_out(sizes: Mapping[str, int], users: Sequence[Iterable[str]]) -> list[int]:
    """Bytes by user: what several of them have is divided evenly, odd bytes going to the first ones."""
    result = [0] * len(users)
    having = [set(names) for names in users]
    for name, nbytes in sizes.items():
        of = [i for i, names in enumerate(having) if name in names]
        for k, i in enumerate(of):
            result[i] += nbytes // len(of) + (k < nbytes % len(of))
    return result


def constants_by_step(steps: Sequence[Step], arrays: Iterable[CArray]) -> list[int]:
    """Bytes of the constants that each step reads."""
    return shared_out({c.name: c.nbytes for c in arrays}, [{a.constant or "" for a in s.arguments} for s in steps])


def code_by_step(steps: Sequence[Step], sizes: Mapping[str, int] | None = None) -> list[int]:
    """Bytes of the C functions that each step needs, with those that its kernel calls.

    `sizes`: bytes by function; without them as the cost model estimated them.
    """
    functions = [s.kernel.with_parts for s in steps]
    estimated = {k.function: k.code_nbytes for of_step in functions for k in of_step}
    return shared_out(estimated if sizes is None else sizes, [{k.function for k in of_step} for of_step in functions])


def code_by_function(symbols: Mapping[str, int], functions: Iterable[str]) -> dict[str, int]:
    """Bytes of each kernel's function with those of its own that C compilers leave beside it, by the linked `symbols`.

    Their names begin with the kernel's: `conv2d_3_multiply`, `conv2d_3.part.0`. What belongs to none of the functions
    (NAME_run, what kernels of any kind call) is left out.
    """
    result = dict.fromkeys(functions, 0)
    for name, nbytes in symbols.items():
        owner = max((f for f in result if name == f or name.startswith((f"{f}_", f"{f}."))), key=len, default=None)
        if owner is not None:
            result[owner] += nbytes
    return result
