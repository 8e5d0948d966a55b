"""What criteria judge units by: the network's weights and, where there are samples, what its layers read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ....ir import Array, Graph, Node
from ....ops.weighted import Weighted
from ...calibrate import Samples, count_of, runner
from ..hessian import Moments, enough_samples, has_rows, input_moments, needed_samples, quadratic, weight_rows
from .dependencies import ELSEWHERE, Family
from .probe import Probe

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """A network of real numbers before anything is removed from it. `samples` are None where there are none."""

    graph: Graph
    samples: Samples | None

    def needed(self, what: str) -> Samples:
        """Raises E0201 without samples."""
        return needed_samples(self.samples, what, "choose a criterion that looks at weights alone: l1, l2")

    @cached_property
    def moments(self) -> dict[Node, Moments]:
        """Of what every layer reads."""
        return self.moments_of(self.needed("looking at activations"))

    @cached_property
    def probe(self) -> Probe:
        return Probe(self.graph, self.needed("measuring the network's outputs"))

    @cached_property
    def half_moments(self) -> dict[Node, Moments]:
        """Of every second sample, for fits that the others shall judge."""
        return self.moments_of(every_second(self.needed("fitting layers"), 0))

    @cached_property
    def judge(self) -> Probe:
        """On the other samples."""
        return Probe(self.graph, every_second(self.needed("measuring the network's outputs"), 1))

    def moments_of(self, samples: Samples) -> dict[Node, Moments]:
        return input_moments(self.graph, {n for n in self.graph.nodes if has_rows(n)}, samples)

    @cached_property
    def zeros(self) -> dict[Node, Array]:
        """Of what every layer reads, the share of zeros in each channel."""
        samples = enough_samples(self.graph, self.needed("counting zero activations"))
        run, total = runner(self.graph, samples), count_of(samples)
        layers = [n for n in self.graph.nodes if has_rows(n)]
        shares = {n: np.zeros(n.inputs[0].shape[-1]) for n in layers}
        for part in run.parts(samples):
            values = run.trace(part)
            for n in layers:
                x = values[n.inputs[0]]
                shares[n] += (x == 0).mean(axis=tuple(range(x.ndim - 1))) * (count_of(part) / total)
        return shares


def every_second(samples: Samples, first: int) -> Samples:
    """All of them where there is one only."""
    return {name: values[first::2] if len(values) > 1 else values for name, values in samples.items()}


def unit_filters(family: Family, node: Node, with_bias: bool = False) -> Reals:
    """The weights of a producer that go with each unit: [units, weights of a unit]."""
    op, (_, weight, bias) = node.op, node.inputs
    assert isinstance(op, Weighted) and weight.const is not None and bias.const is not None
    rows = np.moveaxis(weight.const, op.weight_axis, 0).reshape(weight.shape[op.weight_axis], -1)
    rows = np.hstack([rows, bias.const[:, None]]) if with_bias else rows
    return by_unit(family.of[node.output], rows.astype(np.float64), family.units)


def unit_columns(family: Family, node: Node) -> Reals:
    """The weights of a consumer that read each unit: [units, weights of a unit]."""
    weight = node.inputs[1].const
    assert weight is not None
    columns = np.moveaxis(weight, -1, 0).reshape(weight.shape[-1], -1)
    return by_unit(family.of[node.inputs[0]], columns.astype(np.float64), family.units)


def by_unit(of: Array, rows: Reals, units: int) -> Reals:
    """Rows, one per channel, joined to one per unit."""
    order = np.argsort(of, kind="stable")[int((of == ELSEWHERE).sum()) :]
    return rows[order].reshape(units, -1)


def interaction(family: Family, node: Node, moments: Moments) -> Reals:
    """How units add up in the sums of a consumer: [units, units], relative to the sums' variance.

    The error of leaving units S out is the sum of the entries [S, S], when the bias follows:
    entry [c, d] = sum over outputs of w_c' E[x_c x_d'] w_d, centred.
    """
    weights = weight_rows(node)[0]
    product = (weights.T @ weights) * moments.covariance[0]
    of = np.resize(family.of[node.inputs[0]], len(product))  # channels come innermost
    member = (of[:, None] == np.arange(family.units)).astype(np.float64)
    signal: Reals = (member.T @ product @ member) / max(float(product.sum()), 1e-30)
    return signal


def interactions(family: Family, evidence: Evidence) -> Reals:
    """The mean over the family's consumers."""
    found = [interaction(family, n, evidence.moments[n]) for n in family.consumers]
    return np.asarray(np.mean(found, axis=0))


def spreads(node: Node, moments: Moments) -> Reals:
    """The standard deviation of every output channel before its activation."""
    variances = quadratic(weight_rows(node), moments.covariance)
    return np.sqrt(np.maximum(variances, 0.0)).ravel()


def average(parts: Iterable[Array]) -> Reals:
    """The mean of scores from several layers, each relative to its own mean."""
    scaled = [np.asarray(p, np.float64) / max(float(np.mean(p)), 1e-30) for p in parts]
    return np.asarray(np.mean(scaled, axis=0))
