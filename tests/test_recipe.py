"""Recipes: their two forms, what is wrong with them, and which layers they name."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import mcucompile
from mcucompile import recipe
from mcucompile.compression import compressed
from mcucompile.errors import CompileError
from mcucompile.frontend import load
from mcucompile.ir import Graph, Node
from mcucompile.passes.calibrate import Samples
from mcucompile.passes.compress import ALL, Change, Compression, Stage
from mcucompile.passes.compress.base import KEPT
from mcucompile.pipeline import PASSES_BEFORE, run_passes
from mcucompile.recipe import Applied, Recipe, is_required, parse_recipe, read_recipe

MODELS = Path(__file__).parent / "models"


@dataclass(frozen=True)
class Halve(Compression):
    """Every option that a pass may have."""

    amount: float
    criterion: Literal["l1", "l2"] = "l1"
    count: int = 4
    strict: bool = False
    rank: int | None = None

    name = "halve"
    stage = Stage.PRUNE
    example = "0.5"

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        return tuple(Change(n.output.name, n.source, "weights", "none", self.amount) for n in layers)


@dataclass(frozen=True)
class Late(Compression):
    name = "late"
    stage = Stage.CODE

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        return ()


@dataclass(frozen=True)
class Keep(Compression):
    """Finds every layer as it should be."""

    name = "keep"
    stage = Stage.QUANTIZE

    def apply(self, graph: Graph, layers: Sequence[Node], samples: Samples | None) -> tuple[Change, ...]:
        return tuple(Change(n.output.name, n.source, KEPT, "already few", 0.0) for n in layers)


@pytest.fixture(autouse=True)
def passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "ALL", (Halve, Keep, Late))


def only(given: Recipe) -> Compression:
    (request,) = given.requests
    return request.compression


def test_text() -> None:
    found = parse_recipe(" halve=0.4+criterion:l2+count:8+strict:on@conv*|fc1 ")
    assert only(found) == Halve(0.4, "l2", 8, True)
    assert found.requests[0].patterns == ("conv*", "fc1")


def test_an_option_may_have_its_name_everywhere() -> None:
    assert only(parse_recipe("halve=amount:0.25+rank:3")) == Halve(0.25, rank=3)


def test_tables() -> None:
    table = {"name": "halve", "amount": 0.4, "criterion": "l2", "strict": True, "layers": ["a", "b"]}
    found = parse_recipe([table, "late"])
    assert found.requests[0].compression == Halve(0.4, "l2", strict=True)
    assert found.requests[0].patterns == ("a", "b")


def test_passes_run_in_one_order() -> None:
    names = [r.compression.name for r in parse_recipe("late@a,halve=0.1,late@b,halve=0.2@a").requests]
    assert names == ["halve", "halve", "late", "late"]


@pytest.mark.parametrize("text", ["halve=0.4", "halve=0.4+criterion:l2+strict:on+rank:7@x|y*", "late", "late@z"])
def test_text_of_a_recipe_gives_it_again(text: str) -> None:
    found = parse_recipe(text)
    assert parse_recipe(found.texts()) == found
    assert found.texts() == (text,)


def test_numbers_and_names_survive() -> None:
    tables = [{"name": "halve", "amount": 1e20, "layers": ["a,b", "c|d"]}]
    found = parse_recipe(tables)
    assert only(found) == Halve(1e20)
    assert found.requests[0].patterns == ("a,b", "c|d")
    assert "+" not in str(parse_recipe("halve=1e20").requests[0])


WRONG = {
    "halve=0.5@": "layers cannot be",
    "halve=0.5@|a": "layers cannot be",
    "halve=1e400": "amount cannot be",
    "quarter=1": "no compression pass 'quarter'",
    "halve": "needs a value for 'amount'",
    "halve=much": "amount cannot be 'much'",
    "halve=nan": "amount cannot be 'nan'",
    "halve=0.4+criterion:l3": "criterion cannot be 'l3'",
    "halve=0.4+count:1.5": "count cannot be '1.5'",
    "halve=0.4+colour:red": "no option 'colour'",
    "halve=0.4+amount:0.5": "'amount' twice",
    "halve=0.4+0.5": "no option ''",
    "late=1": "late has no options",
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_texts(text: str) -> None:
    with pytest.raises(CompileError, match=WRONG[text]) as e:
        parse_recipe(text)
    assert e.value.code == "E0701"


WRONG_TABLES: list[object] = [
    {}, {"name": 3}, {"name": "halve", "amount": True}, {"name": "halve", "amount": 0.5, "count": 2.5},
    {"name": "halve", "amount": 0.5, "layers": ""}, {"name": "halve", "amount": 0.5, "layers": []},
    {"name": "halve", "amount": 0.5, "count": 1e400}, {"name": "halve", "amount": 10**400},
    {"name": "halve", "amount": [0.5]}, {"name": "halve", "amount": 0.5, "criterion": ["l1"]},
    {"name": "halve", "amount": 0.5, "layers": 3}, {"name": "halve", "amount": 0.5, "layers": [1]}, 7,
]  # fmt: skip


@pytest.mark.parametrize("table", WRONG_TABLES)
def test_wrong_tables(table: object) -> None:
    with pytest.raises(CompileError) as e:
        parse_recipe([table])  # type: ignore[list-item]
    assert e.value.code == "E0701"


def test_file(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text('[[pass]]\nname = "late"\n\n[[pass]]\nname = "halve"\namount = 0.5\nlayers = "conv*"\n')
    assert parse_recipe(read_recipe(file)).texts() == ("halve=0.5@conv*", "late")


@pytest.mark.parametrize("content", ["[[pass]", "pass = 3\n", "[[passes]]\nname='late'\n", "pass = [1]\n", "\xff"])
def test_wrong_files(tmp_path: Path, content: str) -> None:
    file = tmp_path / "recipe.toml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(CompileError) as e:
        read_recipe(file)
    assert e.value.code == "E0701"


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as e:
        read_recipe(tmp_path / "none.toml")
    assert e.value.code == "E0702"


def compiled(passes: str, model: str = "classifier.onnx", **options: str) -> mcucompile.Compiled:
    shape = (3, 16, 16) if model == "classifier.onnx" else ()
    rng = np.random.default_rng(0)
    samples = mcucompile.Samples({"image": rng.standard_normal((4, *shape)).astype(np.float32)}) if shape else None
    return mcucompile.compile(MODELS / model, "qemu-m4", passes=passes, calibration=samples, **options)


def test_layers_are_named_by_patterns() -> None:
    everything = compiled("halve=0.5").prepared.applied[0].changes
    assert len(everything) > 2
    first = everything[0]
    for pattern in (first.layer, first.source[0], first.layer[:-1] + "?"):
        assert [c.layer for c in compiled(f"halve=0.5@{pattern}").prepared.applied[0].changes] == [first.layer]


def code_of(passes: str, **options: str) -> str:
    with pytest.raises(CompileError) as e:
        compiled(passes, **options)
    return e.value.code


def test_a_pattern_may_be_for_outputs_alone() -> None:
    """The node named `second` makes `third`."""
    changes = compiled("halve=0.5").prepared.applied[0].changes
    by_source = next(c for c in changes if c.source[0] != c.layer)
    assert code_of(f"halve=0.5@%{by_source.source[0]}") == "E0206"
    assert [c.layer for c in compiled(f"halve=0.5@%{by_source.layer}").prepared.applied[0].changes] == [by_source.layer]


def test_a_pass_that_changes_nothing_is_noted() -> None:
    assert "late found nothing to change" in compiled("late").prepared.notes


def test_a_pass_that_keeps_all_layers_is_noted_and_changes_none() -> None:
    given = compiled("keep")
    assert [n for n in given.prepared.notes if "keep" in n] == [
        "keep found nothing to change: the weights of its layers are on few bits already, and are kept as they are"
    ]
    (record,) = (r for r in given.prepared.records if r.name == "keep")
    assert record.changes == 0 and len(record.details) > 2
    assert not any(layer.changes or layer.criteria for layer in given.effects[-1].layers)


@cache
def imported(model: str) -> Graph:
    graph = load(MODELS / model, {}).graph
    run_passes(graph, PASSES_BEFORE)
    return graph


def carried_out(passes: str, model: str = "classifier.onnx") -> list[Applied]:
    """Without compiling the network."""
    return compressed(copy.deepcopy(imported(model)), parse_recipe(passes).requests, None)


def names_of_layers() -> list[str]:
    return [c.source[0] for c in carried_out("halve=0.5")[0].changes]


def error_of(passes: str, model: str = "classifier.onnx") -> CompileError:
    with pytest.raises(CompileError) as e:
        carried_out(passes, model)
    return e.value


def test_a_layer_has_one_request_of_a_pass() -> None:
    """Of two, the first or the last would win, though their order is not to matter."""
    first, second, *_ = names_of_layers()
    for pair in ((f"halve=0.1@{first}", f"halve=0.2@{second}|{first}"), (f"halve=0.1@{first}", "halve=0.2@*")):
        for text in (",".join(pair), ",".join(reversed(pair))):
            error = error_of(text)
            assert error.code == "E0701" and first in error.where and all(p in error.why for p in pair)


@pytest.mark.parametrize(("pair", "model"), [
    (("encode=huffman", "encode=plain"), "classifier_qdq_int8.onnx"),
    (("quantize_weights=4+rounding:nearest", "quantize_weights=2+rounding:nearest"), "classifier.onnx"),
])  # fmt: skip
def test_a_layer_has_one_request_of_the_passes_that_there_are(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[str, str], model: str
) -> None:
    monkeypatch.setattr(recipe, "ALL", ALL)
    for a, b in (pair, pair[::-1]):
        error = error_of(f"{a}@*,{b}@*", model)
        assert error.code == "E0701" and error.where


@pytest.mark.parametrize("text", ["late,late", "halve=0.1,halve=0.2@x,halve=0.2"])
def test_one_request_of_a_pass_is_for_all_layers(text: str) -> None:
    with pytest.raises(CompileError, match="asked for twice for every layer") as e:
        parse_recipe(text)
    assert e.value.code == "E0701"


def test_a_request_without_patterns_is_for_what_others_leave() -> None:
    """In the same way wherever it stands, and whichever of the others comes first."""
    first, second, *rest = names_of_layers()
    texts = ["halve=0.1", f"halve=0.2@{first}", f"halve=0.3@{second}"]
    want = [(0.1, rest), (0.2, [first]), (0.3, [second])]
    for order in permutations(texts):
        applied = carried_out(",".join(order))
        assert [(a.changes[0].score, [c.source[0] for c in a.changes]) for a in applied] == want


def test_nothing_is_left_to_a_request() -> None:
    error = error_of("halve=0.1,halve=0.2@*")
    assert error.code == "E0206" and "halve=0.1 has no layer left" in error.what


def test_a_pass_that_no_layer_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Halve, "takes", classmethod(lambda cls, node: False))
    assert code_of("halve=0.5") == "E0206"


def test_a_pattern_without_a_layer() -> None:
    """The names are those of ONNX nodes, and each of them can be copied."""
    error, names = error_of("halve=0.5@nothing"), names_of_layers()
    assert error.code == "E0206"
    assert error.why == f"it could change: {', '.join(names)}" and "one of these names" in error.fix
    (request,) = carried_out(f"halve=0.5@{'|'.join(names)}")
    assert [c.source[0] for c in request.changes] == names


def test_a_pattern_that_is_a_part_of_a_name() -> None:
    """The layers are called stem, block1_depthwise and so on."""
    first, second, *_ = names_of_layers()
    for wrong, meant in ((first[1:].upper(), f"*{first[1:]}*"), (f"*{second[1:4].upper()}", f"*{second[1:4]}*")):
        assert error_of(f"halve=0.5@{wrong}").fix == f"perhaps {meant}"
        assert carried_out(f"halve=0.5@{meant}")


def test_a_value_that_is_missing_has_an_example() -> None:
    with pytest.raises(CompileError) as e:
        parse_recipe("halve")
    assert e.value.fix == "e.g. halve=0.5"


@pytest.mark.parametrize("kind", [k for k in ALL if any(map(is_required, fields(k)))])
def test_examples_can_be_copied(monkeypatch: pytest.MonkeyPatch, kind: type[Compression]) -> None:
    monkeypatch.setattr(recipe, "ALL", ALL)
    assert isinstance(only(parse_recipe(f"{kind.name}={kind.example}")), kind)


def test_a_quantized_network_has_no_real_weights() -> None:
    assert code_of("halve=0.5", model="classifier_qdq_int8.onnx") == "E0206"


def test_a_float_network_has_no_integer_weights() -> None:
    assert code_of("late", dtype="float32") == "E0206"


def test_effects_tell_of_every_pass() -> None:
    found = compiled("halve=0.5,late").effects
    assert [e.request for e in found] == ["", "halve=0.5", "late"]
    assert all(e.alpha == e.delta == 1.0 and e.flash == found[0].flash for e in found)  # these passes do nothing


def test_without_a_recipe_there_is_nothing_to_tell() -> None:
    assert compiled("").effects == ()


def test_the_order_of_all_passes_is_that_of_their_stages() -> None:
    stages = [list(Stage).index(c.stage) for c in ALL]
    assert stages == sorted(stages)
    assert len({c.name for c in ALL}) == len(ALL)


IDLE = {
    "quantize_weights=4+budget:0.3": "budget",
    "quantize_weights=auto+rounding:nearest+damping:0.1": "damping",
    "quantize_weights=4+rounding:nearest+ordered:on": "ordered",
    "prune_filters=amount:0.3+macs:0.3": "amount",
    "prune_neurons=0.3+macs:0.3": "amount",
    "prune_channels=0.3+macs:0.3": "amount",
    "prune_weights=0.5+criterion:magnitude+damping:0.1": "damping",
    "prune_blocks=0.5+criterion:magnitude+damping:0.1": "damping",
    "prune_nm=2+criterion:magnitude+damping:0.1": "damping",
    "cluster=16+hessian:off+compensate:off+damping:0.1": "damping",
    "product_quantize=16+hessian:off+damping:0.1": "damping",
    "low_rank=0.9+rank:3": "energy",
    "low_rank=rank:3+ratio:0.5": "ratio",
    "low_rank=ratio:0.5+budget:0.5": "budget",
    "low_rank=budget:0.5+vbmf:on": "vbmf",
    "separable=rank:3+spend:weights": "spend",
    "tucker=rank_in:4": "rank_in",
    "tucker=ratio:0.5+rank_in:4": "rank_in",
    "cp=vbmf:on": "vbmf",
    "tensor_train=vbmf:on": "vbmf",
    "low_rank=rank:3+data_aware:off+compensate:on": "compensate",
}


@pytest.mark.parametrize("text", IDLE)
def test_options_that_contradict_each_other(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(recipe, "ALL", ALL)
    with pytest.raises(CompileError, match=f": {IDLE[text]} has no effect") as e:
        parse_recipe(text)
    assert e.value.code == "E0701" and e.value.why


TOGETHER = [
    "quantize_weights=auto+budget:0.3+damping:0.1", "quantize_weights=auto+rounding:nearest+budget:0.3",
    "prune_filters=macs:0.3+rounds:2", "prune_weights=0.5+criterion:obd+damping:0.1",
    "tucker=rank:4+rank_in:3", "cluster=16+compensate:off+damping:0.1", "low_rank=rank:3+vbmf:off", "prune_filters=0.3",
    "low_rank=budget:0.5+spend:weights", "low_rank=rank:3+data_aware:off+compensate:off",
]  # fmt: skip


@pytest.mark.parametrize("text", TOGETHER)
def test_options_that_go_together(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(recipe, "ALL", ALL)
    assert len(parse_recipe(text).requests) == 1
