"""Compiled folders side by side."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import html5lib
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_network import CLASSES, small_network, small_samples

import mcucompile
from mcucompile.api import Compiled
from mcucompile.cli import main
from mcucompile.compare import Comparison, Part, Place, comparison, comparison_json, labels, places
from mcucompile.errors import CompileError
from mcucompile.figures import Figures, figures_of
from mcucompile.front import Dot
from mcucompile.html import comparison_html, less_important, places_table, variants_table
from mcucompile.html.comparison import kernels_text, unbeaten
from mcucompile.resources import folder

VARIANTS = {"plain": {}, "small": {"effort": "-Os"}, "pruned": {"passes": "prune_filters=0.5"}}


@pytest.fixture(scope="module")
def compiled() -> dict[str, Compiled]:
    return {name: small_network(**options) for name, options in VARIANTS.items()}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folders(compiled: dict[str, Compiled], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    top = tmp_path_factory.mktemp("variants")
    for name, c in compiled.items():
        c.write(top / name)
    return [top / name for name in compiled]


def run_json(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, Any]:
    code = main(["compare", *map(str, argv), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_figures_are_the_programs(
    compiled: dict[str, Compiled], folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = run_json(capsys, *folders)
    assert code == 0
    assert [v["label"] for v in found["variants"]] == list(VARIANTS)
    for c, v in zip(compiled.values(), found["variants"], strict=True):
        assert (v["flash"], v["constants"], v["arena"]) == (
            c.program.flash_nbytes, c.program.weight_nbytes, c.program.arena_nbytes,
        )  # fmt: skip
        assert v["macs"] == sum(s.macs for s in c.program.steps)
        assert v["cycles"] == sum(round(s.cycles) for s in c.program.steps)
        assert v["seconds"] == pytest.approx(v["cycles"] / c.board.clock_hz)


def test_accuracy_on_the_calibration_samples_is_that_of_the_reference(
    compiled: dict[str, Compiled], folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    samples = small_samples()
    for c, v in zip(compiled.values(), run_json(capsys, *folders)[1]["variants"], strict=True):
        (scores,) = c.expected(c.stored_inputs(samples)).values()
        assert samples.labels is not None
        assert v["accuracy"] == (scores.reshape(-1, CLASSES).argmax(axis=1) == samples.labels).mean()


def test_accuracy_on_other_data(
    compiled: dict[str, Compiled], folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = small_samples(seed=9)
    (scores,) = compiled["plain"].expected(compiled["plain"].stored_inputs(samples)).values()
    labels = scores.reshape(-1, CLASSES).argmax(axis=1)
    labels[:5] = (labels[:5] + 1) % CLASSES
    np.savez(tmp_path / "data.npz", x=samples.inputs["x"], y=labels)
    _, found = run_json(capsys, folders[0], folders[1], "--data", tmp_path / "data.npz")
    assert found["samples"] == "data.npz"
    assert [v["accuracy"] for v in found["variants"]] == [0.75, 0.75]


def test_accuracy_for_a_board_of_ones_own(
    compiled: dict[str, Compiled], folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose file is not asked for."""
    shutil.copy(folder("boards") / "qemu-m4.toml", tmp_path / "mine.toml")
    compiled["plain"].for_board(str(tmp_path / "mine.toml")).write(tmp_path / "out")
    samples = small_samples(seed=9)
    np.savez(tmp_path / "data.npz", x=samples.inputs["x"], y=samples.labels)
    code, found = run_json(capsys, folders[0], tmp_path / "out", "--data", tmp_path / "data.npz")
    assert (code, [v["board"] for v in found["variants"]]) == (0, ["qemu-m4", "mine"])
    (scores,) = compiled["plain"].expected(compiled["plain"].stored_inputs(samples)).values()
    wanted = (scores.reshape(-1, CLASSES).argmax(axis=1) == samples.labels).mean()
    assert [v["accuracy"] for v in found["variants"]] == [wanted, wanted]


def test_the_network_is_held_to_reference_npz(folders: list[Path], tmp_path: Path) -> None:
    """So that the accuracy is that of what was compiled."""
    np.savez(tmp_path / "data.npz", x=small_samples().inputs["x"], y=np.zeros(20, int))
    shutil.copytree(folders[0], tmp_path / "out")
    arrays = dict(np.load(tmp_path / "out" / "reference.npz"))
    arrays["output/y"][3, 0, 0] ^= 1
    np.savez(tmp_path / "out" / "reference.npz", **arrays)
    with pytest.raises(CompileError, match="are not the network's") as e:
        comparison([folders[0], tmp_path / "out"], tmp_path / "data.npz")
    assert e.value.code == "E0703"


def test_data_without_labels_is_refused(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "data.npz", x=small_samples().inputs["x"])
    code, found = run_json(capsys, *folders, "--data", tmp_path / "data.npz")
    assert (code, found["error"]["code"]) == (2, "E0202")
    assert found["error"]["what"] == "data.npz has no labels" and "'y'" in found["error"]["fix"]


def test_a_network_of_one_number_has_no_accuracy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "data.npz", x=np.ones((2, 1, 4), np.float32), y=np.zeros(2, int))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])
    weights = numpy_helper.from_array(np.ones((4, 1), np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for effort in ("-O2", "-Os"):
        c = mcucompile.compile(model.SerializeToString(), "qemu-m4", dtype="float32", effort=effort)
        c.write(tmp_path / effort[1:])
    code, found = run_json(capsys, tmp_path / "O2", tmp_path / "Os", "--data", tmp_path / "data.npz")
    assert (code, found["error"]["code"]) == (2, "E0202")
    assert "one number" in found["error"]["why"]


def test_layers_that_differ_are_told_largest_change_first(folders: list[Path]) -> None:
    found = comparison(folders)
    changes = [found.change(p) for p in found.differing]
    assert changes and changes == sorted(changes, reverse=True)
    assert {n for p in found.places for n in p.nodes} == {"block/conv", "block/relu", "head/gemm"}
    assert comparison([folders[0], folders[0]]).differing == []


def layered(*layers: tuple[tuple[str, ...], int, int]) -> Figures:
    """A network of dense layers: nodes, cycles, constants."""
    steps = [
        {"index": i, "op": "dense", "kernel": "k", "source": list(source), "shapes": "dense: a -> b", "macs": 1,
         "constants": constants, "code": 10, "cycles": cycles}
        for i, (source, cycles, constants) in enumerate(layers)
    ]  # fmt: skip
    return figures_of({
        "schema": 4, "mcucompile": "0", "name": "n", "model": {"file": "m", "sha256": "0"}, "calibration": None,
        "board": "b", "core": "c", "clock_hz": 1000, "wait_states": 0, "board_memory": {"flash": 1000, "ram": 1000},
        "options": {}, "resolved": {"dtype": "int8"}, "constants": sum(x[2] for x in layers), "flash": 500,
        "memory": {"arena": 10, "lower_bound": 10, "buffers": []}, "macs": len(layers), "steps": steps,
        "quantization": None, "quality": {"decibels": None, "accuracy": None}, "passes": [], "compression": [],
        "notes": [],
    })  # fmt: skip


def test_layers_that_share_a_node_are_one_place() -> None:
    first = layered((("a", "b"), 100, 40), (("c",), 50, 20), (("gone",), 7, 1))
    second = layered((("a",), 30, 5), (("b", "a2"), 40, 6), (("c",), 50, 20))
    found = {p.nodes: p for p in places([first, second])}
    assert set(found) == {("a", "b", "a2"), ("c",), ("gone",)}
    assert found["a", "b", "a2"].parts == (Part(("dense k",), 1, 40, 100), Part(("dense k", "dense k"), 2, 11, 70))
    assert found["gone",].parts == (Part(("dense k",), 1, 1, 7), None)
    assert not found["c",].differs


def test_networks_without_common_nodes_are_told(folders: list[Path]) -> None:
    first, second = layered((("a",), 60, 10)), layered((("b",), 30, 10))
    assert "no node" in Comparison(("1", "2"), (first, second), places([first, second])).note
    inserted = (((), 5, 0),)
    first, second = layered((("a",), 60, 10), *inserted), layered((("b",), 30, 10), *inserted)
    assert "different models" in Comparison(("1", "2"), (first, second), places([first, second])).note
    assert comparison(folders).note == ""


def test_layers_of_different_models_are_left_out() -> None:
    """Names that converters number, such as Relu__5, are in both by chance."""
    first = layered((("a",), 60, 10), (("b",), 50, 10), (("Relu__5",), 7, 0))
    second = replace(
        layered((("c",), 30, 10), (("d",), 20, 10), (("Relu__5",), 9, 0)), origin=replace(first.origin, sha256="1")
    )
    c = Comparison(("1", "2"), (first, second), places([first, second]))
    assert c.note == "these are different models, which have few nodes in common: only totals compare"
    assert places_table(c).rows == ()
    page = comparison_html(c)
    assert c.note in page and "No layer differs" not in page and "are the same in all" not in page
    same = Comparison(("1", "2"), (first, replace(second, origin=first.origin)), c.places)
    assert same.note == "" and len(places_table(same).rows) == 5


@pytest.mark.parametrize(("width", "gone"), [(80, ["Kernels", "pruned: constants"]), (200, [])])
def test_the_comparison_fits_the_terminal(
    width: int, gone: list[str], folders: list[Path], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["compare", str(folders[0]), str(folders[2])]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= width
    assert [name in text.replace("no room for", "\0").split("\0")[0] for name in gone] == [False] * len(gone)
    assert "pruned: cycles" in text and "block/conv" in text.replace(": conv", "/conv")


def test_the_base_of_differences_goes_after_the_differences(folders: list[Path]) -> None:
    """Where a narrow terminal has no room for all columns."""
    less = less_important(comparison(folders[:2]))
    first, second = (f"{label}: constants" for label in labels(folders[:2]))
    assert less == ["Kernels", second, first]


def test_another_model_with_the_same_names_is_told(folders: list[Path]) -> None:
    first = layered((("a",), 60, 10))
    second = replace(first, origin=replace(first.origin, sha256="1"))
    found = Comparison(("1", "2"), (first, second), places([first, second]))
    assert comparison_json(found)["same_model"] is False
    assert "names" in found.note
    assert comparison_json(comparison(folders))["same_model"] is True


def test_what_nobody_knows_has_no_row(folders: list[Path]) -> None:
    first = layered((("a",), 60, 10))
    known = replace(first, accuracy=0.5, decibels=20.0)
    names = [[row[0] for row in variants_table(Comparison(("1", "2"), (first, v), ())).texts] for v in (first, known)]
    assert set(names[1]) - set(names[0]) == {"Accuracy on the calibration samples", "SNR of the outputs, against float"}


def test_accuracies_on_different_data_are_told(folders: list[Path], tmp_path: Path) -> None:
    shutil.copytree(folders[0], tmp_path / "out")
    path = tmp_path / "out" / "report.json"
    text = path.read_text()
    sha = json.loads(text)["calibration"]["sha256"]
    path.write_text(text.replace(sha, "0" * 64))
    assert comparison(folders).samples == "the calibration samples"
    assert comparison([folders[0], tmp_path / "out"]).samples == "each one's own calibration samples"


def test_change_is_a_share_of_the_first_ones_total() -> None:
    first, second = layered((("a",), 60, 10), (("b",), 40, 90)), layered((("a",), 30, 10), (("b",), 40, 50))
    c = Comparison(("1", "2"), (first, second), places([first, second]))
    assert [(p.nodes, c.change(p)) for p in c.differing] == [(("b",), pytest.approx(0.4)), (("a",), pytest.approx(0.3))]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/x/a", "/x/b"], ("a", "b")),
        (["/x/one/out", "/x/two/out"], ("one/out", "two/out")),
        (["/x/out", "/x/out", "/x/b"], ("out", "out (2)", "b")),
    ],
)
def test_labels_tell_folders_apart(paths: list[str], expected: tuple[str, ...]) -> None:
    assert labels([Path(p) for p in paths]) == expected


def test_tables_tell_differences_from_the_first(folders: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    first, second = layered((("a",), 60, 10)), layered((("a",), 30, 12))
    c = Comparison(("one", "two"), (first, second), places([first, second]))
    rows = {row[0]: row[1:] for row in variants_table(c).texts}
    assert rows["of it constants"] == ["10", "12 (+20.0 %)"]
    assert rows["Cycles, estimated"] == ["60", "30 (−50.0 %)"]
    assert rows["Latency, estimated"] == ["≈ 60.0 ms", "≈ 30.0 ms"]
    assert places_table(c).texts == [["a", "dense k", "60", "10", "30 (−30)", "12 (+2)"]]
    assert main(["compare", *map(str, folders)]) == 0
    assert "layers that are the same in all" in capsys.readouterr().out


def test_each_variant_has_its_kernel() -> None:
    """Three variants, of which two have the same: which ones, the order tells."""
    parts = [Part((f"dense {k}",), 1, 2, 3) for k in ("a", "b", "a")]
    assert kernels_text(Place(("n",), tuple(parts))) == "dense a → dense b → dense a"
    assert kernels_text(Place(("n",), (parts[0], None, parts[1]))) == "dense a → – → dense b"
    assert kernels_text(Place(("n",), (parts[0], parts[2]))) == "dense a"


def test_the_front_joins_those_that_none_beats() -> None:
    dots = [Dot(n, flash, quality, "") for n, flash, quality in
            (("big", 90, 95.0), ("worse", 80, 70.0), ("small", 40, 80.0), ("same", 40, 75.0))]  # fmt: skip
    assert [d.label for d in unbeaten(dots)] == ["small", "big"]


def test_the_page(folders: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "compare.html"
    assert main(["compare", *map(str, folders), "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True).parse(text)
    assert text == comparison_html(comparison(folders))
    assert str(folders[0].parent) not in text
    (svg,) = [ElementTree.fromstring(s) for s in [text[text.index("<svg") : text.index("</svg>") + 6]]]
    assert len([e for e in svg.iter() if e.tag.endswith("circle")]) == 3


def test_a_line_is_spoken_of_where_there_is_one(folders: list[Path]) -> None:
    """Not where the first is the smallest and the most accurate one."""
    found = comparison(folders)
    for growth, has_line in ((1, False), (-1, True)):
        variants = [replace(v, accuracy=1 - i / 10, flash=100 + growth * i) for i, v in enumerate(found.variants)]
        text = comparison_html(replace(found, variants=tuple(variants)))
        assert ("<polyline" in text) == has_line
        assert ("The line joins" in text) == has_line


def test_hostile_labels_change_no_element(folders: list[Path]) -> None:
    found = comparison(folders)
    hostile = Comparison(("<script>x</script>", "\u202e\n'\"", "y" * 999), found.variants, found.places)
    parse = html5lib.HTMLParser(strict=True).parse
    tags = [[e.tag for e in parse(comparison_html(c)).iter()] for c in (found, hostile)]
    assert len(set(map(len, tags))) == 1 and tags[0] == tags[1]


def refused(*paths: Path) -> CompileError:
    with pytest.raises(CompileError) as e:
        comparison(paths)
    return e.value


def test_what_is_no_output_is_refused(folders: list[Path], tmp_path: Path) -> None:
    assert refused(folders[0]).code == "E0701"
    for make in (lambda p: None, lambda p: p.write_text("{"), lambda p: p.write_text("[1]")):
        make(tmp_path / "report.json")
        error = refused(folders[0], tmp_path)
        assert error.code == "E0703" and str(tmp_path) in error.what and "report.json" in error.why


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("schema", 2, "schema 2; this version reads"), ("schema", None, "schema None"), ("flash", "big", "is no integer"),
     ("steps", [{}], "steps[0].index"), ("quality", None, "quality is no object")],
)  # fmt: skip
def test_reports_of_another_form_are_refused(
    folders: list[Path], tmp_path: Path, key: str, value: object, said: str
) -> None:
    shutil.copytree(folders[0], tmp_path / "out")
    path = tmp_path / "out" / "report.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    error = refused(folders[1], tmp_path / "out")
    assert error.code == "E0703" and said in str(error) and "compile the model again" in error.fix


def test_another_version_with_the_same_schema_is_read(folders: list[Path], tmp_path: Path) -> None:
    shutil.copytree(folders[0], tmp_path / "out")
    path = tmp_path / "out" / "report.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mcucompile": "99.0"}))
    assert len(comparison([folders[0], tmp_path / "out"]).variants) == 2
