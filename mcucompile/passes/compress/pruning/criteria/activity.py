"""Criteria that look at a channel's values on the samples."""

from __future__ import annotations

from ..dependencies import Family
from ..evidence import Evidence, Reals, average, spreads
from .criterion import Scoring


class AveragePercentageOfZeros(Scoring):
    """The share of values that are not zero where they are read, behind Relu (APoZ, Hu et al. 2016).

    Without a Relu nothing is ever zero and all units score alike.
    """

    name = "apoz"

    def scores(self, family: Family, evidence: Evidence) -> Reals:
        shares = [family.per_unit(n.inputs[0], 1.0 - evidence.zeros[n]) for n in family.consumers]
        return average(shares)


class BatchnormScale(Scoring):
    """The factor of a batch normalization (network slimming, Liu et al. 2017), read from what a channel does.

    Its factor is folded into the weights before, here or by the exporter. But behind a normalization a channel's
    standard deviation is that factor's magnitude, so the deviation on the samples, before the activation, is taken;
    that is defined for layers without a normalization too.
    """

    name = "batchnorm"

    def scores(self, family: Family, evidence: Evidence) -> Reals:
        return average(
            family.per_unit(n.output, spreads(n, evidence.moments[n]))
            for n in family.producers
            if n in evidence.moments
        )
