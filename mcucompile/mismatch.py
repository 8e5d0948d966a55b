"""What counts as a difference between two tensors: for integers any bit, for computed floats more than a tolerance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .ir import Array, Graph, Tensor

FUNCTION_ULP = 8  # what exponentials, hyperbolic tangents and divisions of the host and of the C may differ by


@dataclass(frozen=True)
class Mismatch:
    """The first differing element of a tensor, in the first sample that differs."""

    tensor: str
    source: str
    sample: int
    differing: int
    size: int
    first: int
    expected: float
    found: float

    def __str__(self) -> str:
        return (
            f"%{self.tensor} ('{self.source}'), sample {self.sample}: {self.differing} of {self.size} values differ, "
            f"first at {self.first}: expected {self.expected:g}, found {self.found:g}"
        )


def float_tolerance(graph: Graph) -> int:
    """Within how many units in the last place of a tensor's largest value a float32 network's values are equal.

    Host and device add the same products in another order. A sum of n terms rounds n times, each time by up to half a
    unit in a random direction, so that two orders differ by about sqrt(n) units at most (Higham and Mary, "A new
    approach to probabilistic rounding error analysis", 2019); layers add up likewise. 0 for a network
    that computes on integers only, whose floats at the ends are exact too.
    """
    real = [n for n in graph.nodes if not any(t.dtype.is_integer for t in [*n.activations(), *n.outputs])]
    if not real:
        return 0
    terms = sum(n.op.macs(n) / max(1, sum(t.size for t in n.outputs)) for n in real)
    return FUNCTION_ULP + math.ceil(math.sqrt(terms))


def unit_of(expected: Array) -> float:
    """The unit in the last place of the largest finite magnitude in a float32 tensor."""
    return float(np.spacing(np.float32(np.abs(expected[np.isfinite(expected)]).max(initial=1e-30))))


def ulp_errors(found: Array, expected: Array) -> Array:
    """Differences in units of `expected`, see `unit_of`; infinite for a stray NaN."""
    with np.errstate(invalid="ignore"):
        errors = np.abs(found.astype(np.float64) - expected.astype(np.float64)) / unit_of(expected)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    return np.where(same, 0.0, np.where(np.isnan(errors), np.inf, errors))


def ulp_distance(found: Array, expected: Array) -> float:
    """The largest of `ulp_errors`."""
    return float(ulp_errors(found, expected).max(initial=0.0))


def differs(found: Array, expected: Array, ulp: int) -> Array:
    """Where two tensors differ: in any bit, or, for floats with a tolerance, by more than `ulp`."""
    if ulp and expected.dtype == np.float32:
        return np.asarray(ulp_errors(found, expected) > ulp)
    as_bits = expected.dtype.str.replace("f", "u")
    return np.asarray(found.view(as_bits) != expected.view(as_bits))


def first_mismatch(
    tensor: Tensor, source: str, sample: int, found: Array, expected: Array, ulp: int = 0
) -> Mismatch | None:
    where = np.flatnonzero(differs(found, expected, ulp))
    if not where.size:
        return None
    at = int(where[0])
    values = float(expected.ravel()[at]), float(found.ravel()[at])
    return Mismatch(tensor.name, source, sample, where.size, expected.size, at, *values)
