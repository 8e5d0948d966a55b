"""Every kernel variant: each module kernels/<op>/<variant>.py that defines a Kernel is found by itself."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ..ir import Op
from .kernel import Kernel


def subclasses(base: type[Any]) -> Iterator[type[Any]]:
    for kernel in base.__subclasses__():
        yield kernel
        yield from subclasses(kernel)


@cache
def all_kernels() -> tuple[Kernel, ...]:
    """One instance of each concrete kernel, ordered by operator, variant and instruction set.

    A kernel of an operators' base class (Unary, Binary) serves all of its subclasses. Kernels that are made of others
    say only as instances what they compute, and are not among these.
    """
    for module in pkgutil.walk_packages([str(Path(__file__).parent)], f"{__name__}."):
        importlib.import_module(module.name)
    has_names = (k for k in subclasses(Kernel) if all(hasattr(k, name) for name in ("op", "variant", "isa")))
    named = (k for k in has_names if isinstance(k.op, type))
    concrete = {k for k in named if not k.__abstractmethods__}
    return tuple(sorted((k() for k in concrete), key=place))


def place(kernel: Kernel) -> tuple[str, str, int, str, str]:
    """Where a kernel stands among all; the class decides where one operator has a variant twice."""
    kind = type(kernel)
    return kernel.op.__name__, kernel.variant, kernel.isa, kind.__module__, kind.__qualname__


def kernels_of(op: type[Op]) -> tuple[Kernel, ...]:
    """The kernels of an operator."""
    return tuple(k for k in all_kernels() if issubclass(op, k.op))
