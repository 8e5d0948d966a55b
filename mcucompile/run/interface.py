"""What the outside of a generated library looks like: its name, its inputs and outputs, what each step writes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import CompileError
from ..ir.program import Port, Program

LABEL_OUTPUT = 0x80000000


@dataclass(frozen=True)
class Block:
    """A graph input or output: `NAME_<name>()` points to its `nbytes`."""

    name: str
    nbytes: int


@dataclass(frozen=True)
class StepOutput:
    """What output number `output` of step `step` was after the step had run."""

    step: int
    output: int
    data: bytes


@dataclass(frozen=True)
class Interface:
    """`events` are the calls of the hook in one run, in order: (step, output of that step, nbytes).

    `regions`: which of the board's regions for the arena has each piece of it; () where it is one piece. `arena_nbytes`
    is of all pieces.
    """

    name: str
    inputs: tuple[Block, ...]
    outputs: tuple[Block, ...]
    events: tuple[tuple[int, int, int], ...]
    regions: tuple[int, ...] = ()
    arena_nbytes: int = 0

    @classmethod
    def of(cls, program: Program) -> Interface:
        events = tuple((s.index, i, port.nbytes) for s in program.steps for i, port in enumerate(s.outputs))
        regions = tuple(bank.region for bank in program.banks)
        ports = (_blocks(program.inputs), _blocks(program.outputs))
        return cls(program.name, *ports, events, regions, program.arena_nbytes)

    def check_inputs(self, inputs: Sequence[bytes]) -> None:
        """Raises E0202 when the number or the sizes differ from the network's inputs."""
        given, expected = [len(data) for data in inputs], [block.nbytes for block in self.inputs]
        if given != expected:
            raise CompileError("E0202", f"the network's inputs have {expected} bytes, the data has {given}")

    def decode_sample(self, records: Iterable[tuple[int, bytes]]) -> tuple[list[StepOutput], list[bytes]]:
        """One sample's records (label, data), as a batch writes them: what the steps wrote, and the outputs."""
        trace: list[StepOutput] = []
        outputs: list[bytes] = []
        for label, data in records:
            if label >= LABEL_OUTPUT:
                outputs.append(data)
            else:
                output = 0 if not trace or trace[-1].step != label else trace[-1].output + 1
                trace.append(StepOutput(label, output, data))
        return trace, outputs

    def decode_batch(self, stream: bytes) -> list[tuple[list[StepOutput], list[bytes]]]:
        """All samples of a batch. Raises E0608 when the stream is not what the network should have written."""
        records = list(_records(stream))
        samples, start = [], 0
        for end in (i + 1 for i, (label, _) in enumerate(records) if label == LABEL_OUTPUT + len(self.outputs) - 1):
            samples.append(self.decode_sample(records[start:end]))
            start = end
        expected = [block.nbytes for block in self.outputs]
        if start != len(records) or any([len(data) for data in outputs] != expected for _, outputs in samples):
            raise CompileError("E0608", "the network's outputs are not those that its description names")
        return samples


def _blocks(ports: Iterable[Port]) -> tuple[Block, ...]:
    return tuple(Block(port.name, port.nbytes) for port in ports)


def _records(stream: bytes) -> Iterable[tuple[int, bytes]]:
    at = 0
    while at < len(stream):
        if len(stream) < at + 8:
            raise CompileError("E0608", "the network's results are cut off")
        label, nbytes = struct.unpack_from("<II", stream, at)
        data = stream[at + 8 : at + 8 + nbytes]
        if len(data) != nbytes:
            raise CompileError("E0608", "the network's results are cut off")
        yield label, data
        at += 8 + nbytes
