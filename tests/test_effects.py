"""What a recipe costs and gains, of the network and of its layers: against compiling twice, and by hand."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mcucompile import api
from mcucompile.api import Compiled
from mcucompile.data import Samples
from mcucompile.effects import Effect
from mcucompile.ir import (
    Argument,
    Array,
    CArray,
    DType,
    Graph,
    KernelInstance,
    Node,
    Placement,
    Port,
    Program,
    Step,
    Tensor,
    code_by_function,
    code_by_step,
    constant,
    shared_out,
)
from mcucompile.layer_effects import layer_effects, layers_of, occupied
from mcucompile.ops.dense import Dense
from mcucompile.passes.calibrate import observe, runner
from mcucompile.passes.channels.cut import cut
from mcucompile.passes.compress import Change
from mcucompile.passes.equalize import equalize
from mcucompile.passes.output_error import goal
from mcucompile.passes.tensor_errors import gains_of, scores_decibels, tensor_noises

DIGITS = Path(__file__).parent.parent / "examples" / "digits"
CLASSIFIER = Path(__file__).parent / "models" / "classifier.onnx"
RECIPE = ("prune_filters=0.3+rounds:1", "low_rank=rank:8@block4_pointwise*", "cluster=12", "encode=huffman")


def images(count: int) -> Samples:
    data = np.load(DIGITS / "test.npz")
    return Samples({"image": data["image"][:count]}, data["y"][:count])


@cache
def compiled(count: int) -> Compiled:
    """Digits with the first `count` requests of the recipe."""
    return api.compile(
        DIGITS / "digits.onnx", "qemu-m4", calibration=images(40), passes=list(RECIPE[:count]),
        ranges="minmax", equalize="off", correct_bias="off",
    )  # fmt: skip


def entries() -> tuple[Effect, ...]:
    return compiled(len(RECIPE)).effects


def cycles(c: Compiled) -> float:
    return sum(s.cycles for s in c.program.steps)


def share_right(c: Compiled) -> float:
    """Of the calibration images, by the reference."""
    scores = c.expected(c.stored_inputs(images(40)))[c.graph.outputs[0].name]
    return float((scores.reshape(40, -1).argmax(axis=1) == images(40).labels).mean())


@pytest.mark.parametrize("count", [0, 2, 4])
def test_each_entry_is_what_two_compilations_give(count: int) -> None:
    """The network with the first requests alone, compiled by itself, and the one without any."""
    found, now, before = entries()[count], compiled(count), compiled(0)
    assert found.request == ("", *RECIPE)[count]
    assert (found.constants, found.arena) == (now.report["constants"], now.program.arena_nbytes)
    assert found.macs == now.report["macs"]
    assert found.alpha == before.program.flash_nbytes / now.program.flash_nbytes
    assert found.delta == pytest.approx(cycles(before) / cycles(now))
    assert found.accuracy == pytest.approx(share_right(now))


@pytest.mark.parametrize(("limit", "share"), [("ram", 0.9), ("flash_budget", 0.95)])
def test_the_last_entry_is_the_program_within_its_limits(limit: str, share: float) -> None:
    free = compiled(1).program
    limits = {"ram": int(share * free.arena_nbytes), "flash_budget": int(share * free.flash_nbytes)}
    c = api.compile(
        DIGITS / "digits.onnx", "qemu-m4", calibration=images(40), passes=list(RECIPE[:1]), ranges="minmax",
        equalize="off", correct_bias="off", ram=limits["ram"] if limit == "ram" else None,
        flash_budget=limits["flash_budget"] if limit == "flash_budget" else None,
    )  # fmt: skip
    found, program = c.effects[-1], c.program
    assert (program.arena_nbytes, program.flash_nbytes) != (free.arena_nbytes, free.flash_nbytes)
    assert (found.flash, found.arena, found.cycles) == (program.flash_nbytes, program.arena_nbytes, cycles(c))
    assert sum(layer.flash for layer in found.layers) == pytest.approx(found.flash)


def test_the_recipe_does_something() -> None:
    flash, macs = [e.flash for e in entries()], [e.macs for e in entries()]
    assert flash[0] > flash[1] > flash[2] > flash[4]
    assert macs[0] > macs[1] > macs[2] == macs[4]
    assert entries()[0].alpha == entries()[0].delta == 1.0


def test_signal_to_noise_is_that_of_the_two_networks_outputs() -> None:
    c = compiled(len(RECIPE))
    assert c.prepared.real is not None
    want = goal(runner(c.prepared.real, images(40).inputs), images(40).inputs).decibels(c.prepared.graph)
    assert entries()[-1].decibels == pytest.approx(want)


@pytest.mark.parametrize("count", range(len(RECIPE) + 1))
@pytest.mark.parametrize("name", ["constants", "flash", "macs", "cycles"])
def test_layers_add_up_to_the_network(count: int, name: str) -> None:
    effect = entries()[count]
    assert sum(getattr(x, name) for x in effect.layers) == pytest.approx(getattr(effect, name), abs=0, rel=1e-12)
    assert all(x.flash == x.constants + x.code for x in effect.layers)
    assert max(x.arena for x in effect.layers) <= effect.arena


def test_layers_say_who_changed_them() -> None:
    first, last = entries()[0], entries()[-1]
    assert [x.layer for x in first.layers] == [x.layer for x in last.layers]
    assert not any(x.changes for x in first.layers)
    (split,) = (x for x in entries()[2].layers if x.steps == 2)
    assert "block4" in split.layer and split.changes == 1
    assert [x.changes for x in entries()[2].layers if x is not split] == [0] * (len(first.layers) - 1)


def test_layers_that_lost_channels_have_a_ratio() -> None:
    """The classifier in front of the Softmax has what the network has."""
    for effect in entries():
        assert all(x.decibels is not None for x in effect.layers)
        classifier = next(x for x in effect.layers if "classifier" in x.layer)
        assert classifier.decibels == pytest.approx(effect.decibels)


def test_the_report_holds_it() -> None:
    c = compiled(len(RECIPE))
    written = json.loads(c.files["report.json"])["compression"]
    assert [e["request"] for e in written] == ["", *RECIPE]
    layer = written[-1]["layers"][0]
    assert layer["flash"] == entries()[-1].layers[0].flash
    assert layer["criteria"] == ["huffman"]


def test_progress_names_what_begins() -> None:
    heard: list[str] = []
    samples = Samples({"image": np.random.default_rng(0).standard_normal((4, 3, 16, 16)).astype(np.float32)})
    c = api.compile(
        CLASSIFIER, "qemu-m4", calibration=samples, passes="prune_weights=0.5,cluster", ranges="minmax",
        equalize="off", correct_bias="off", progress=heard.append,
    )  # fmt: skip
    assert heard == ["reading the model", "prune_weights=0.5", "quantizing", "cluster", "choosing kernels"]
    assert c.effects
    assert heard[5:] == [
        "measuring the network without the recipe", "measuring prune_weights=0.5", "measuring cluster",
        "comparing with the float network",
    ]  # fmt: skip


def test_what_several_have_is_divided_once() -> None:
    """7 bytes of two users: 4 and 3; what one alone has is its own."""
    assert shared_out({"a": 7, "b": 5, "c": 2}, [{"a"}, {"b"}, {"a", "b"}, set()]) == [4, 3, 5, 0]
    assert shared_out({"a": 7, "c": 2}, [{"a", "c"}, {"a"}]) == [6, 3]


def test_functions_beside_a_kernels_own_are_its_code() -> None:
    """What compilers make of its static functions; none of a kernel whose name begins alike, or of the library."""
    symbols = {"n_conv_1": 100, "n_conv_1_multiply": 40, "n_conv_1.part.0": 6, "n_conv_1_copy.constprop.0": 8,
               "n_conv_12": 30, "n_conv_1_2": 20, "n_conv_1_2_copy": 2, "n_run": 50, "main": 9}  # fmt: skip
    assert code_by_function(symbols, ["n_conv_1", "n_conv_12", "n_conv_1_2", "n_inlined"]) == {
        "n_conv_1": 154, "n_conv_12": 30, "n_conv_1_2": 22, "n_inlined": 0,
    }  # fmt: skip


LOOP = KernelInstance("loop", "loop", 0, "", code_nbytes=11)
DENSE = KernelInstance("dense", "dense", 0, "", (LOOP,), code_nbytes=100)
POOL = KernelInstance("pool", "pool", 0, "", code_nbytes=30)


def step(index: int, kernel: KernelInstance, source: tuple[str, ...], *constants: str) -> Step:
    output = Port(f"t{index}", DType.I8, (1, 4), 0)
    arguments = tuple(Argument("const int8_t", constant=name) for name in constants)
    return Step(index, kernel, arguments, (output,), source, "", kernel.template, "", 10, 0, 8, 50.0)


def program(*steps: Step, placements: tuple[Placement, ...] = ()) -> Program:
    names = dict.fromkeys(a.constant for s in steps for a in s.arguments if a.constant)
    arrays = tuple(CArray(name, DType.I8, np.zeros(int(name[1:]), np.int8)) for name in names)
    return Program("net", (), (), steps, arrays, placements, 64, 64)


BEFORE = program(
    step(0, DENSE, ("conv", "relu"), "w40", "z5"),
    step(1, POOL, ("pool",)),
    step(2, DENSE, ("fc",), "w60", "z5"),
)  # fmt: skip
AFTER = program(  # conv is a chain, the pool is gone, fc has one more operator, and there is one of no node
    step(0, DENSE, ("conv",), "w10"),
    step(1, DENSE, ("conv", "relu"), "w12"),
    step(2, DENSE, ("fc", "bias"), "w60"),
    step(3, POOL, ()),
)  # fmt: skip


def test_a_chain_is_its_layer_and_a_removed_layer_is_named() -> None:
    layers = layers_of([BEFORE, AFTER])
    assert [x.name for x in layers] == ["conv + relu", "pool", "fc", "t3"]
    before = layer_effects(BEFORE, layers, {}, ())
    after = layer_effects(AFTER, layers, {"t1": 20.0}, [Change("t1", ("relu",), "rank", "energy", 0.9)], before)
    assert [x.steps for x in before] == [1, 1, 1, 0]
    assert [x.steps for x in after] == [2, 0, 1, 1]
    # The function and the loop that it calls, 111 bytes, are two steps', then three's; so are the constants z5.
    assert [(x.constants, x.code) for x in before] == [(43, 56), (0, 30), (62, 55), (0, 0)]
    assert [(x.constants, x.code) for x in after] == [(22, 34 + 4 + 33 + 4), (0, 0), (60, 33 + 3), (0, 30)]
    assert sum(x.flash for x in before) == BEFORE.flash_nbytes == 40 + 5 + 60 + 100 + 11 + 30
    assert [x.alpha for x in after] == [99 / 97, None, 117 / 96, 0.0]
    assert [x.delta for x in after] == [0.5, None, 1.0, 0.0]
    assert [(x.changes, x.criteria) for x in after] == [(1, ("energy",)), (0, ()), (0, ()), (0, ())]
    assert [x.decibels for x in after] == [20.0, None, None, None]


def test_steps_bear_the_same_part_of_a_function() -> None:
    assert code_by_step(AFTER.steps) == [34 + 4, 33 + 4, 33 + 3, 30]
    assert code_by_step(AFTER.steps, {"dense": 7, "pool": 4, "unused": 1}) == [3, 2, 2, 4]


def test_the_reports_steps_add_up_to_what_there_is() -> None:
    """Functions, tables and codes that steps share are in all of them a part."""
    now = compiled(len(RECIPE))
    total = {key: sum(s[key] for s in now.report["steps"]) for key in ("constants", "code", "cycles")}
    assert total["constants"] == now.report["constants"]
    assert total["constants"] + total["code"] == now.report["flash"]
    assert total["cycles"] == cycles(now) == entries()[-1].cycles
    assert sum(k.code_nbytes for s in now.program.steps for k in s.kernel.with_parts) > total["code"], "some is shared"
    assert [s.weight_nbytes for s in now.program.steps] == [s["constants"] for s in now.report["steps"]]


def test_memory_that_buffers_share_counts_once() -> None:
    """Live in step 1: [0, 8), [4, 12) and [32, 40)."""
    live = (Placement("a", 0, 8, -1, 1), Placement("b", 4, 8, 1, 2), Placement("c", 32, 8, 0, 3))
    steps = (step(0, POOL, ("a",)), step(1, POOL, ("b",)))
    assert occupied(program(*steps, placements=(*live, Placement("d", 12, 8, 2, 2))), steps[1]) == 20


def dense_chain() -> tuple[Graph, dict[str, Array]]:
    """Two layers; the first one's channels differ a hundredfold."""
    rng = np.random.default_rng(0)
    x, y, z = Tensor("x", (1, 6)), Tensor("y", (1, 8)), Tensor("z", (1, 5))
    w = rng.normal(size=(8, 6)) * np.logspace(-1, 1, 8)[:, None]
    first = Node(Dense(), [x, constant("w", w.astype(np.float32)), constant("b", np.ones(8, np.float32))], [y])
    v = constant("v", rng.normal(size=(5, 8)).astype(np.float32))
    second = Node(Dense(), [y, v, constant("c", np.ones(5, np.float32))], [z])
    return Graph("net", [x], [z], [first, second]), {"x": rng.normal(size=(20, 1, 6)).astype(np.float32)}


def test_a_stretched_channel_is_no_error() -> None:
    """Equalization changes no output, but every channel in between, by the factor that is found again."""
    graph, samples = dense_chain()
    seen = observe(runner(graph, samples), samples)
    reach = {t: o.reach for t, o in seen.items() if o.reach is not None}
    equal = equalize(graph, reach)
    assert equal is not None
    gains = gains_of(graph, equal, samples)
    w, stretched = graph.nodes[0].inputs[1].const, equal.nodes[0].inputs[1].const
    assert w is not None and stretched is not None
    np.testing.assert_allclose(gains["y"], stretched[:, 0] / w[:, 0], rtol=1e-4)
    plain, undone = tensor_noises(graph, [(equal, {}), (equal, gains)], samples)
    assert plain["y"].decibels < 10 < 100 < undone["y"].decibels
    assert undone["z"].decibels > 100


def test_channels_that_are_left_are_compared_with_themselves() -> None:
    """Channels 1 and 6 go, then the fifth of those left, which was 5; the others are what they were."""
    graph, samples = dense_chain()
    pruned = copy.deepcopy(graph)
    y = pruned.nodes[0].output
    for gone in ([1, 6], [4]):
        cut(pruned, {t: ~np.isin(np.arange(t.shape[-1]), gone if t is y else []) for t in pruned.activations()})
    assert y.kept == (0, 2, 3, 4, 7)
    (noises,) = tensor_noises(graph, [(pruned, {})], samples)
    assert noises["y"].decibels > 100 > 30 > noises["z"].decibels


def test_ratio_by_hand() -> None:
    """An offset of 1 on every score: the noise is 1 a value, the signal the variance."""
    graph, samples = dense_chain()
    c = graph.nodes[1].inputs[2].const
    assert c is not None
    other = replace(graph, nodes=[graph.nodes[0], replace(graph.nodes[1])])
    other.nodes[1].inputs = [*graph.nodes[1].inputs[:2], constant("c", c + 1)]
    values = runner(graph, samples).outputs(samples)[graph.outputs[0]]
    (noises,) = tensor_noises(graph, [(other, {})], samples)
    assert scores_decibels(graph, noises) == pytest.approx(10 * np.log10(values.var()), abs=1e-3)
