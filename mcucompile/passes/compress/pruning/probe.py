"""Measures what other weights in some layers do to a network's outputs, running only what comes after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ....ir import Array, Graph, Node, Tensor
from ....reference import run_node, trace
from ...calibrate import Batch, Samples, count_of, runner
from ...output_error import before_squashing, relative_noise

MOST_SAMPLES = 32
MOST_NBYTES = 256 << 20
Changed = Mapping[Node, Sequence[Tensor]]  # a layer and other constants for it: weights, bias


@dataclass(frozen=True, eq=False)
class Part:
    """Some samples, and every activation of the unchanged network on them, by the tensors of the batched graph."""

    batch: Batch
    values: dict[Tensor, Array]


class Probe:
    """Outputs are taken before a final Softmax; there are as many samples as memory holds, up to MOST_SAMPLES."""

    def __init__(self, graph: Graph, samples: Samples) -> None:
        shaped = {t.name: samples[t.name].reshape(-1, *t.shape) for t in graph.inputs}
        few = spread_samples(shaped, MOST_NBYTES // (4 * sum(t.size for t in graph.activations())))
        run = runner(graph, few)
        self.graph = graph
        self.scores = [before_squashing(graph, t) for t in graph.outputs]
        self.parts = [self._part(run.batch(count_of(p)), p) for p in run.parts(few)]
        self.unchanged = self.outputs({})

    def _part(self, batch: Batch, samples: Samples) -> Part:
        values = trace(batch.graph, {t.name: v for t, v in batch.input_values(samples).items()})
        return Part(batch, values)

    def outputs(self, changed: Changed) -> list[Array]:
        """The scores of all samples, flat, for each output."""
        parts = [self._run(p, changed) for p in self.parts]
        return [np.concatenate([of_part[i].ravel() for of_part in parts]) for i in range(len(self.scores))]

    def error(self, changed: Changed) -> float:
        """Squared error relative to the outputs' variance; the mean over several outputs."""
        noises = [relative_noise(w, g) for w, g in zip(self.unchanged, self.outputs(changed), strict=True)]
        return float(np.mean(noises))

    def _run(self, part: Part, changed: Changed) -> list[Array]:
        values, dirty = dict(part.values), set[Tensor]()
        for node, twin in zip(self.graph.nodes, part.batch.graph.nodes, strict=True):
            if node in changed or dirty.intersection(twin.inputs):
                inputs = [twin.inputs[0], *changed[node]] if node in changed else twin.inputs
                run_node(Node(twin.op, inputs, twin.outputs, twin.source), values)
                dirty.update(twin.outputs)
        return [values[part.batch.twins[t]] for t in self.scores]


def spread_samples(samples: Samples, most: int) -> Samples:
    """At most MOST_SAMPLES and `most`, evenly spread, since files are often sorted by class."""
    total = count_of(samples)
    chosen = np.linspace(0, total - 1, max(1, min(total, MOST_SAMPLES, most))).round().astype(int)
    return {name: values[chosen] for name, values in samples.items()}
