"""Least squares for what is left of a layer: new weights and bias that give its sums back as nearly as possible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....ir import Array, Node, Tensor, constant
from ..hessian import Moments, weight_rows, weights_from_rows
from .dependencies import Family
from .evidence import Reals

RIDGE = 0.1  # of the mean variance of the inputs, where there are as many inputs as rows of samples


def without_units(family: Family, units: Array) -> dict[Node, list[Tensor]]:
    """The consumers' constants with zeros in the place of the units: what removing them means."""
    found: dict[Node, list[Tensor]] = {}
    for node in family.consumers:
        _, weight, bias = node.inputs
        assert weight.const is not None
        stays = ~np.isin(family.of[node.inputs[0]], units)
        found[node] = [replace(weight, const=weight.const * stays.astype(weight.const.dtype)), bias]
    return found


def refitted(family: Family, units: Array, moments: dict[Node, Moments]) -> dict[Node, list[Tensor]]:
    """The same with the other weights fitted to the sums that were, on the layer's own inputs alone."""
    found: dict[Node, list[Tensor]] = {}
    for node in family.consumers:
        stays = ~np.isin(np.resize(family.of[node.inputs[0]], moments[node].covariance.shape[-1]), units)
        weights = weight_rows(node)[0]
        covariance = moments[node].covariance[0]
        share = RIDGE * len(covariance) / moments[node].rows
        fitted = closest(weights, stays, covariance, share)
        found[node] = with_rows(node, fitted, moments[node].bias_change(weights[None], fitted[None]))
    return found


def closest(weights: Reals, stays: Array, covariance: Reals, share: float) -> Reals:
    """Rows that use only the inputs that stay, and whose sums are nearest to those of `weights`; zero elsewhere.

    `share` as in `ridge`, which draws them to `weights`.
    """
    kept, gone = np.flatnonzero(stays), np.flatnonzero(~stays)
    result = np.where(stays, weights, 0.0)
    inner = covariance[np.ix_(kept, kept)]
    inner[np.diag_indices_from(inner)] += ridge(inner, share)
    result[:, kept] += np.linalg.solve(inner, covariance[np.ix_(kept, gone)] @ weights[:, gone].T).T
    return result


def ridge(covariance: Reals, share: float) -> float:
    """What to add to the diagonal: a share of its mean; 1 where the inputs never vary."""
    level = float(np.trace(covariance)) / max(len(covariance), 1)
    return share * level if level > 0 else 1.0


def with_rows(node: Node, rows: Reals, bias_change: Reals) -> list[Tensor]:
    """New constants of a layer: weights given as a matrix, and the old bias with something added."""
    _, weight, bias = node.inputs
    assert bias.const is not None
    values = weights_from_rows(node, rows.astype(np.float32))
    moved = (bias.const + bias_change).astype(np.float32)
    return [replace(constant(weight.name, values), encoding=weight.encoding), constant(bias.name, moved)]
