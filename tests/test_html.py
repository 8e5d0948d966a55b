"""Pages of compiled networks: valid, self-contained, escaped, readable, and shown by a browser without complaints."""

from __future__ import annotations

import copy
import json
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest
from small_network import small_network

from mcucompile.api import compile, load_compiled
from mcucompile.cli import figures_from
from mcucompile.entry import Misread
from mcucompile.figures import figures_of
from mcucompile.files import REPORT
from mcucompile.html import report_html
from mcucompile.html.page import named_as_layers
from mcucompile.resources import folder

H = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "<script>alert('conv')</script>\"'><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}]]>-->",
    "\u202egpj.\u05d0\u05d1 relu\nnext\u2028line\x07\x1b[31m",
    "head/" + "very_long_" * 500,
)


def report_of_recipe() -> dict[str, Any]:
    """So that every section is there."""
    return json.loads(small_network(passes="prune_weights=0.5").files[REPORT])


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return report_of_recipe()


EMULATED = {"text": "QEMU's model of a-board", "emulator": "qemu", "port": None, "clock_hz": None}
AT_PORT = {
    "text": "the board a-board at /dev/ttyACM0",
    "emulator": None,
    "port": "/dev/ttyACM0",
    "clock_hz": 16_000_000,
}
VERIFIED = {
    "ran": True, "ran_on": EMULATED, "hooks": False, "equal": True, "verdict": "every byte equals the reference",
    "samples": 20, "over_serial": 10,
    "mismatch": None, "layers_compared": 3, "layer_samples": 10, "constants": 4000, "code": 3000, "stack": 200,
    "library_flash": 7000, "notes": ["a <b>note</b>"],
    "fit": {"flash_nbytes": 9000, "board_flash_nbytes": 65536, "ram_nbytes": 6000, "board_ram_nbytes": 4096,
            "stack_nbytes": 2048},
    "metrics_note": "",
    "metrics": {"y": {"rmse": 0.25, "mae": 0.125, "l2r": 0.5, "nse": 0.75, "cos": 0.875, "agreement": 0.9,
                      "accuracy": 0.65, "real_accuracy": 0.7}},
}  # fmt: skip


def page_of(report: dict[str, Any], **more: Any) -> str:
    return report_html(figures_of(report, **more))


def parsed(page: str) -> Element:
    """By a parser that refuses what the HTML standard calls an error."""
    document: Element = html5lib.HTMLParser(strict=True).parse(page)
    return document


def text_of(element: Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def section(document: Element, name: str) -> Element:
    return next(e for e in document.iter(f"{H}section") if e.get("id") == name)


def with_names(report: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The report with other names of ONNX nodes, wherever there are any."""
    result = copy.deepcopy(report)
    known = sorted({s for step in result["steps"] for s in step["source"]})
    others = dict(zip(known, names * len(known), strict=False))
    listed = [*result["steps"], *result["quantization"]["layers"], *(d for p in result["passes"] for d in p["details"])]
    for entry in listed:
        entry["source"] = [others.get(s, s) for s in entry.get("source", [])]
    for effect in result["compression"]:
        effect["request"] = names[0]
        for layer in effect["layers"]:
            layer["layer"] = names[0]
    result["notes"], result["model"]["file"] = list(names), names[0]
    return result


@pytest.mark.parametrize("more", [{}, {"verification": VERIFIED}], ids=["compiled", "verified"])
def test_a_page_is_valid_html_of_its_own(report: dict[str, Any], more: dict[str, Any]) -> None:
    page = page_of(report, **more)
    document = parsed(page)
    ids = [e.get("id") for e in document.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    for link in document.iter(f"{H}a"):
        assert link.get("href", "").removeprefix("#") in ids
    assert set(re.findall(r"https?://[^\"'\s<)]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|img|iframe|object)\b|@import|url\((?!#)", page)


def test_the_same_figures_give_the_same_bytes(report: dict[str, Any]) -> None:
    assert page_of(report) == page_of(copy.deepcopy(report))


def test_hostile_names_change_no_element(report: dict[str, Any]) -> None:
    plain, hostile = (parsed(page_of(with_names(report, n))) for n in (("a", "b", "c"), HOSTILE))
    tags = [[e.tag for e in d.iter() if e.tag != f"{SVG}text"] for d in (plain, hostile)]  # labels where there is room
    assert tags[0] == tags[1]
    assert not [key for e in hostile.iter() for key in e.attrib if str(key).startswith("on")]
    assert "<script>alert('conv')</script>" in text_of(section(hostile, "summary"))
    shown = "".join(hostile.itertext())
    assert not set(shown) & set("\u202e\u2028\x07\x1b"), "what could change the direction or move a cursor is replaced"
    assert max(map(len, re.findall(r"(?:very_long_)+", page_of(with_names(report, HOSTILE))))) <= 300


def test_a_browser_is_told_to_run_no_script_but_the_pages(report: dict[str, Any]) -> None:
    page = page_of(report)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[\w+/=]{44}'$", policy.replace("&#43;", "+"))


def test_tables_and_pictures_can_be_heard(report: dict[str, Any]) -> None:
    document = parsed(page_of(report, verification=VERIFIED))
    for table in document.iter(f"{H}table"):
        assert text_of(next(table.iter(f"{H}caption"))).strip()
        assert all(th.get("scope") for th in table.iter(f"{H}th"))
    pictures = list(document.iter(f"{SVG}svg"))
    assert len(pictures) == 2
    assert all(p.get("role") == "img" and p.get("aria-label") for p in pictures)
    assert document.get("lang") == "en"
    assert [h.tag for h in document.iter(f"{H}h1")] == [f"{H}h1"]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_differ_enough(scheme: int) -> None:
    """WCAG 2.2 level AA: 4.5 for text, 3 for parts of graphics."""
    css = (folder("templates") / "report" / "style.css").read_text()
    colours = dict(re.findall(r"--([\w-]+):(#\w{6})", css.split(":root{")[1 + scheme].split("}")[0]))
    for back in ("back", "soft-back"):
        for name in ("text", "soft", "link", "good", "bad"):
            assert contrast(colours[name], colours[back]) >= 4.5, (name, back)
        for name in ("cycles", "constants", "code", "arena", "stack", "rest"):
            assert contrast(colours[name], colours[back]) >= 3, (name, back)


def test_the_summary_holds_figures_against_the_boards_limits(report: dict[str, Any]) -> None:
    report = {**report, "clock_hz": 10_000_000, "flash": 9000, "constants": 6000,
              "board_memory": {"flash": 12_000, "ram": 100_000}}  # fmt: skip
    report["steps"] = [{**s, "cycles": 50_000} for s in report["steps"]]
    text = text_of(section(parsed(page_of(report)), "summary"))
    assert "9,000 of 12,000 bytes: 75.0 % of the board's" in text
    assert "constants: 6,000 bytes" in text and "code, estimated: 3,000 bytes" in text
    seconds = 50_000 * len(report["steps"]) / 10_000_000
    assert f"Latency, estimated ≈ {1e3 * seconds:.1f} ms" in text
    assert "Not verified" in text


def test_the_verdict_and_its_metrics_are_shown(report: dict[str, Any]) -> None:
    document = parsed(page_of(report, verification=VERIFIED))
    summary, accuracy = text_of(section(document, "summary")), text_of(section(document, "accuracy"))
    assert "Verified" in summary and "Every byte equals the reference." in summary
    assert "6,000 of 4,096 bytes: 146.5 % of the board's" in summary
    states = [e.get("class") for e in document.iter(f"{H}section") if "card" in str(e.get("class"))]
    assert states[:3] == ["card good", "card plain", "card bad"], "more RAM than the board has is marked"
    assert "65.0 % 70.0 % 90.0 % 0.25 0.125 50.00 % 0.75 0.875" in accuracy
    assert "a <b>note</b>" in summary


def test_what_ran_the_network_is_told(report: dict[str, Any]) -> None:
    emulated = parsed(page_of(report, verification=VERIFIED))
    board = parsed(page_of(report, verification={**VERIFIED, "ran_on": AT_PORT}))
    built = {**VERIFIED, "ran": False, "ran_on": None, "equal": None, "metrics": {}}
    for document, where, accuracy in (
        (emulated, "on QEMU's model of a-board", "Accuracy, emulated 65.0 %"),
        (board, "on the board a-board at /dev/ttyACM0", "Accuracy on the board 65.0 %"),
    ):
        summary = text_of(section(document, "summary"))
        assert f"Ran {where}." in text_of(next(document.iter(f"{H}header")))
        assert f"20 samples {where}, 10 of them" in summary and accuracy in summary
        assert f"Outputs {where} against" in text_of(section(document, "accuracy"))
    assert "Ran on" not in text_of(parsed(page_of(report, verification=built)))


def test_metrics_that_are_not_known_have_no_column(report: dict[str, Any]) -> None:
    whole = text_of(section(parsed(page_of(report, verification=VERIFIED)), "accuracy"))
    assert "ACC of float" in whole and "NSE: Nash" in whole
    metrics = {"y": {key: 0.65 if key == "accuracy" else None for key in VERIFIED["metrics"]["y"]}}
    verified = {**VERIFIED, "metrics": metrics, "metrics_note": "There is no float network."}
    text = text_of(section(parsed(page_of(report, verification=verified)), "accuracy"))
    assert (
        "against the labels Output ACC y 65.0 % ACC: share of samples whose largest output is the label. There" in text
    )
    assert "RMSE" not in text and "NSE" not in text and "There is no float network." in text


def with_decibels(report: dict[str, Any], decibels: float, **more: Any) -> dict[str, Any]:
    return {**report, "quality": {"decibels": decibels, "accuracy": None}, **more}


def test_a_network_that_a_recipe_broke_is_warned_of(report: dict[str, Any]) -> None:
    """20 dB is a tenth: 6 dB is 10 ** -0.3 of the signal."""
    broken, sound = (parsed(page_of(with_decibels(report, d))) for d in (6.0, 12.0))
    (warning,) = [e for e in broken.iter(f"{H}p") if e.get("role") == "alert"]
    assert text_of(warning).startswith("Warning: The outputs are far from the original float network's")
    assert "6.0 dB" in text_of(warning) and "50.12 %" in text_of(warning)
    assert not [e for e in sound.iter(f"{H}p") if e.get("role") == "alert"]
    cards = [[e.get("class") for e in d.iter(f"{H}section") if "card" in str(e.get("class"))] for d in (broken, sound)]
    assert [c[4] for c in cards] == ["card bad", "card plain"]


def test_what_errors_are_against_is_told(report: dict[str, Any]) -> None:
    compressed = text_of(section(parsed(page_of(with_decibels(report, 6.0))), "accuracy"))
    assert "against the compressed network in floats, as it was before quantizing" in compressed
    assert "Against the original float network the outputs have 6.0 dB, an error of 50.12 %" in compressed
    options = {**report["options"], "passes": []}
    plain = text_of(section(parsed(page_of(with_decibels(report, 6.0, compression=[], options=options))), "accuracy"))
    assert "against the same network in floats" in plain and "original" not in plain


def test_a_folder_for_another_board_has_the_passes_of_its_model(tmp_path: Path) -> None:
    """Its twin is quantized and compressed, so that other passes change something when it is compiled again."""
    first = small_network(passes="prune_weights=0.5")
    first.write(tmp_path / "out")
    again = load_compiled(tmp_path / "out", "qemu-m0")
    f = figures_from(Namespace(model=tmp_path / "out"), again, None, None)
    assert [p.name for p in f.passes if p.changes] != [p["name"] for p in again.report["passes"] if p["changes"]]
    assert [p.name for p in f.passes] == [p["name"] for p in first.report["passes"]]
    assert (f.board, f.is_compressed, f.origin.options["passes"]) == ("qemu-m0", True, ["prune_weights=0.5"])
    assert "passes, options and errors are told as of compiling for qemu-m4" in text_of(parsed(report_html(f)))


def test_the_memory_map_has_the_names_of_the_layers(report: dict[str, Any]) -> None:
    """By number, as the table has them; tensors' names where no layer writes, or one writes several."""
    buffers = [
        {"name": name, "offset": 0, "nbytes": 64, "first": first, "last": first + 1}
        for name, first in (("x", -1), ("t", 0), ("t scratch", 0), ("a", 1), ("b", 1))
    ]
    found = figures_of({**report, "memory": {**report["memory"], "buffers": buffers}})
    assert [b.name for b in named_as_layers(found)] == [
        "x",
        "0 block",
        "0 block scratch",
        "a",
        "b",
    ]
    picture = text_of(section(parsed(report_html(found)), "memory"))
    assert "0 block: 64 bytes at 0, live from 0 conv2d to 1 dense" in picture


def test_scores_before_a_softmax_are_called_so(report: dict[str, Any]) -> None:
    last = {**report["steps"][-1], "op": "softmax"}
    steps = [*report["steps"][:-1], last, {**last, "op": "reshape"}]
    text = text_of(parsed(page_of(with_decibels(report, 12.0, steps=steps))))
    assert "Signal-to-noise ratio of the scores before the Softmax, on the calibration samples." in text
    assert "in the first table of the scores before the Softmax" in text
    assert "scores before" not in text_of(parsed(page_of(with_decibels(report, 12.0))))


def test_an_estimate_without_wait_states_is_the_best_case(report: dict[str, Any]) -> None:
    steps, clock = [{**s, "cycles": 50_000} for s in report["steps"]], {"clock_hz": 10_000_000}
    ms = f"Latency, estimated ≈ {5 * len(steps):.1f} ms"
    found = [text_of(parsed(page_of({**report, **clock, "steps": steps, "wait_states": n}))) for n in (0, 5)]
    assert f"{ms} at best" not in found[0] and f"{ms} at best" in found[1]
    assert "Wait states: the flash's 5 are not in it." in found[1]


def test_columns_of_figures_are_explained(report: dict[str, Any]) -> None:
    text = text_of(section(parsed(page_of(report, verification=VERIFIED)), "accuracy"))
    for name in ("ACC", "ACC of float", "Same largest", "RMSE", "MAE", "L2r", "NSE", "COS", "This layer alone"):
        assert f"{name}: " in text, name
    without = text_of(section(parsed(page_of(report)), "accuracy"))
    assert "L2r: |y − r| / |r|" in without and "With all before: " in without


def test_a_difference_is_told(report: dict[str, Any]) -> None:
    mismatch = {"tensor": "t", "source": "<conv>", "sample": 3, "differing": 2, "size": 10, "first": 7,
                "expected": 5.0, "found": 6.0}  # fmt: skip
    verified = {**VERIFIED, "equal": False, "verdict": "the outputs DIFFER from the reference", "mismatch": mismatch}
    summary = text_of(section(parsed(page_of(report, verification=verified)), "summary"))
    assert "Different" in summary and "<conv>" in summary and "2 of 10" in summary


def test_cycles_and_instructions_of_a_profile_replace_the_models(report: dict[str, Any]) -> None:
    layers = [
        {"index": s["index"], "cycles": 1000 + s["index"], "instructions": 77, "code": 500} for s in report["steps"]
    ]
    profile = {"instructions": 4321, "cycles": 5_000_000, "code": 900, "note": "", "layers": layers, "ran_on": EMULATED}
    document = parsed(page_of(report, profile=profile))
    assert "4,321 instructions, counted exactly" in text_of(section(document, "summary"))
    assert "50.0 % 1,001" in text_of(section(document, "layers"))
    counted = {**profile, "cycles": None, "layers": [{**x, "cycles": None} for x in layers], "note": "no plugin"}
    document = parsed(page_of(report, profile=counted))
    assert "4,321 instructions" in text_of(section(document, "summary")) and "no plugin" in text_of(document)
    assert "Instructions" in text_of(section(document, "layers"))


def test_what_a_board_measured_is_no_estimate(report: dict[str, Any]) -> None:
    latency = {"runs": 11, "least": 990, "median": 1000, "most": 1200, "clock_hz": 1_000_000, "counter": "DWT"}
    layers = [{"index": s["index"], "cycles": 400, "instructions": None, "code": 500} for s in report["steps"]]
    profile = {"instructions": None, "cycles": 1000, "code": 900, "note": "", "layers": layers, "latency": latency,
               "ran_on": AT_PORT}  # fmt: skip
    document = parsed(page_of(report, profile=profile))
    text = text_of(section(document, "summary"))
    assert "Latency, measured 1.0 ms The median of 11 runs, from 990 µs to 1.2 ms. 1,000 cycles at 1 MHz." in text
    assert "Cycles, measured" in text_of(section(document, "layers"))
    document = parsed(page_of(report, verification={**VERIFIED, "latency": latency}))
    assert "Latency, measured 1.0 ms" in text_of(section(document, "summary"))
    assert "Cycles, estimated" in text_of(section(document, "layers")), "verify measures no layers"


def test_code_of_layers_is_estimated_unless_a_profile_measured_it(report: dict[str, Any]) -> None:
    layers = [{"index": s["index"], "cycles": 400, "instructions": 77, "code": 500} for s in report["steps"]]
    profile = {"instructions": 900, "cycles": 1000, "code": 900, "note": "", "layers": layers, "ran_on": EMULATED}
    estimated, linked = ({}, {"verification": VERIFIED}), ({"profile": profile},)
    for more in (*estimated, *linked):
        text = text_of(section(parsed(page_of(report, **more)), "layers"))
        assert ("code , estimated; what layers share is divided among them." in text) == (more in estimated)
        assert ("code , as linked; what layers share is divided among them." in text) == (more in linked)


def test_a_recipe_is_told_layer_by_layer(report: dict[str, Any]) -> None:
    text = text_of(section(parsed(page_of(report)), "compression"))
    first, last = report["compression"][0]["layers"], report["compression"][-1]["layers"]
    assert len(first) == 2
    for a, b in zip(first, last, strict=True):
        assert f"prune_weights {a['flash']:,} {b['flash']:,} {b['alpha']:.2f} {a['cycles']:,.0f}" in text
    with pytest.raises(Misread, match="compression lists"):
        page_of({**report, "compression": [{**report["compression"][0], "layers": []}, *report["compression"][1:]]})


def test_bars_have_the_length_of_their_figures(report: dict[str, Any]) -> None:
    steps = [{**s, "cycles": 400 if i else 100} for i, s in enumerate(report["steps"])]
    rows = section(parsed(page_of({**report, "steps": steps})), "layers").find(f".//{H}tbody")
    assert rows is not None
    bars = [next(s for s in row.iter(f"{H}span") if s.get("class") == "cycles") for row in rows]
    assert [b.get("style") for b in bars] == ["width:25%", *["width:100%"] * (len(bars) - 1)]


def test_passes_say_why(report: dict[str, Any]) -> None:
    text = text_of(section(parsed(page_of(report)), "passes"))
    (change, *_) = next(p["details"] for p in report["passes"] if p["name"] == "prune_weights")
    assert f"{change['before']:,} {change['after']:,}" in text
    assert change["source"] == ["block/conv", "block/relu"]
    assert "block: conv + relu" in text
    assert change["criterion"] in text and "Found nothing to change" in text


def test_a_pass_that_changed_something_once_is_not_told_to_be_idle(report: dict[str, Any]) -> None:
    one = {**report["passes"][0], "details": []}
    ran = [{**one, "name": n, "changes": c} for n, c in (("fuse_clip", 3), ("fuse_clip", 0), ("fuse_pad", 0))]
    text = text_of(section(parsed(page_of({**report, "passes": ran})), "passes"))
    assert text.endswith("Found nothing to change: fuse_pad.")


def test_options_are_shown_as_they_are_given(report: dict[str, Any]) -> None:
    given = {"export": ["cmake", "arduino"], "passes": ["cluster=16@a"], "shapes": {"x": [1, 3], "y": [2]}, "ram": 4096}
    text = text_of(section(parsed(page_of({**report, "options": {**report["options"], **given}})), "origin"))
    for shown in ("export cmake, arduino", "passes cluster=16@a", "shapes x=1, 3; y=2", "ram 4096"):
        assert f"Option {shown}" in text


def test_what_computes_nothing_has_no_error(report: dict[str, Any]) -> None:
    layers = report["quantization"]["layers"]
    view = {**layers[-1], "op": "reshape", "alone": None, "cumulative": 144.9}
    text = text_of(section(parsed(page_of({**report, "quantization": {
        **report["quantization"], "layers": [*layers[:-1], view, layers[-1]]}})), "accuracy"))  # fmt: skip
    assert "reshape" not in text and "144.9" not in text


def test_hundreds_of_steps_give_a_page_that_can_be_used(report: dict[str, Any]) -> None:
    steps = [
        {**report["steps"][i % 2], "index": i, "source": [f"block{i}/a_rather_long_name/Conv"]} for i in range(400)
    ]
    buffers = [
        {"name": f"buffer_{i}", "offset": 64 * (i % 2), "nbytes": 64, "first": i - 1, "last": i} for i in range(401)
    ]
    many = {**report, "steps": steps, "memory": {**report["memory"], "buffers": buffers}}
    details = [
        {
            **report["passes"][0],
            "name": "prune_weights",
            "changes": 5000,
            "details": [
                {"layer": f"l{i}", "source": [], "unit": "weights", "criterion": "l2", "score": 1.0}
                for i in range(5000)
            ],
        }
    ]
    page = page_of({**many, "passes": details})
    parsed(page)
    assert len(page.encode()) < 1 << 20
    assert "and 4,800 more, which report.json lists" in page


def test_a_report_of_another_form_is_refused(report: dict[str, Any]) -> None:
    for key in ("steps", "memory", "clock_hz", "quality", "passes", "options"):
        for wrong in (None, "text", [1]):
            with pytest.raises(Misread):
                page_of({**report, key: wrong})
    for number in (float("inf"), float("nan"), -(10**400), True, "1"):
        with pytest.raises(Misread):
            page_of({**report, "quality": {"decibels": number, "accuracy": None}})
        with pytest.raises(Misread):
            page_of({**report, "clock_hz": number})


def test_a_real_network_gives_a_small_page(shared_model: Callable[[str], Path]) -> None:
    compiled = compile(shared_model("mlperf_kws_dscnn_int8"), "nucleo-l4r5zi")
    page = page_of(json.loads(compiled.files[REPORT]))
    parsed(page)
    assert len(page.encode()) < 1 << 18
