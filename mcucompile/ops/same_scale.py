"""What operators that only move or compare values have in common: they never rescale."""

from __future__ import annotations

import numpy as np

from ..ir import NO_CLIP, Array, Arrays, Clip, Node, Op, ScaleRule, integer_clip
from .fixed_point import TFLITE_TYPES


class SameScale(Op):
    """Base of operators whose activations all share one scale and zero point; quantization puts a Requantize elsewhere.

    On stored integers they do what they do on real ones. An operator with a `clip` limits the result.
    """

    scales = ScaleRule.TIED
    tflite_types = TFLITE_TYPES

    def reference_int(self, node: Node, *stored: Array) -> Arrays:
        quants = {t.quant for t in [*node.inputs, *node.outputs]}
        assert len(quants) == 1, f"{node.where} does not rescale"
        clip: Clip = getattr(self, "clip", NO_CLIP)
        results = self.reference(*stored)
        return results if clip == NO_CLIP else tuple(np.clip(r, *integer_clip(clip, node)) for r in results)
