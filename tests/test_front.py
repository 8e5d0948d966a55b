"""The picture of size against accuracy."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from mcucompile.effects import Effect
from mcucompile.front import LETTER, front_svg, label_box, points_between

SVG = "{http://www.w3.org/2000/svg}"


def effect(request: str, flash: int, accuracy: float | None = None, decibels: float | None = None) -> Effect:
    return Effect(request, flash, flash, 100, 100, 100.0, 1.0, 1.0, decibels, accuracy)


def drawn(effects: list[Effect], title: str = "") -> ElementTree.Element:
    text = front_svg(effects, title)
    assert text is not None
    return ElementTree.fromstring(text)


def circles(svg: ElementTree.Element) -> list[tuple[float, float]]:
    return [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in svg.iter(f"{SVG}circle")]


THREE = [effect("", 90_000, 0.97), effect("prune_weights=0.8", 30_000, 0.95), effect("cluster=16", 50_000, 0.96)]


def test_there_is_a_circle_for_each_effect() -> None:
    assert len(circles(drawn(THREE))) == 3


def test_small_is_left_and_accurate_is_up() -> None:
    before, pruned, clustered = circles(drawn(THREE))
    assert pruned[0] < clustered[0] < before[0]
    assert pruned[1] > clustered[1] > before[1]  # y grows downwards


def test_distances_are_in_proportion() -> None:
    before, pruned, clustered = circles(drawn(THREE))
    assert (clustered[0] - pruned[0]) / (before[0] - pruned[0]) == pytest.approx(20 / 60, abs=1e-3)
    assert (clustered[1] - pruned[1]) / (before[1] - pruned[1]) == pytest.approx(1 / 2, abs=1e-3)


def test_the_way_goes_through_the_circles_in_order() -> None:
    svg = drawn(THREE)
    (way,) = svg.iter(f"{SVG}polyline")
    assert [tuple(map(float, p.split(","))) for p in way.attrib["points"].split()] == circles(svg)


def test_only_the_network_without_a_recipe_is_marked_as_first() -> None:
    assert [c.attrib["class"] for c in drawn(THREE).iter(f"{SVG}circle")] == ["first", "point", "point"]


def test_the_line_runs_through_no_label() -> None:
    """A long way from small to large, and one back: each label keeps off all of it."""
    effects = [
        effect("", 90_000, 0.97),
        effect("prune_weights=0.9", 30_000, 0.75),
        effect("encode=huffman", 40_000, 0.75),
    ]
    svg = drawn(effects)
    texts = [t for g in svg.iter(f"{SVG}g") for t in g.iter(f"{SVG}text")]
    boxes = [
        label_box(float(t.attrib["x"]), float(t.attrib["y"]), t.attrib["class"], LETTER * len(t.text or ""))
        for t in texts
    ]
    for x, y in points_between(circles(svg)):
        assert not any(left < x < right and top < y < bottom for left, top, right, bottom in boxes)


def test_the_axes_have_titles() -> None:
    texts = [t.text for t in drawn(THREE).iter(f"{SVG}text")]
    assert "flash, KB" in texts and "accuracy on the calibration samples, %" in texts


def test_titles_and_requests_are_escaped() -> None:
    title, request = 'a<b> & "c"', "cluster=16@<conv>&\"x\"|'y'"
    svg = drawn([effect("", 9000, 0.9), effect(request, 8000, 0.8)], title)
    texts = ["".join(t.itertext()) for t in svg.iter(f"{SVG}text")]
    assert svg.attrib["aria-label"] == title
    assert title in texts and request in texts
    assert f"{request}: 8,000 bytes of flash, 80, 1.00 times as fast" in [t.text for t in svg.iter(f"{SVG}title")]


def test_points_stay_within_the_picture() -> None:
    svg = drawn([effect("", 10_000_000, 1.0), effect("a", 1, 0.0)])
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    assert all(0 < x < width and 0 < y < height for x, y in circles(svg))


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_equal_effects_have_one_place(accuracy: float) -> None:
    first, second = circles(drawn([effect("", 4096, accuracy), effect("a", 4096, accuracy)]))
    assert first == second


def test_decibels_stand_for_accuracy_where_there_are_no_labels() -> None:
    svg = drawn([effect("", 9000, None, 40.0), effect("a", 8000, 0.9, 20.0)])
    assert any("signal-to-noise ratio, dB" in "".join(t.itertext()) for t in svg.iter(f"{SVG}text"))
    before, after = circles(svg)
    assert after[1] > before[1]


@pytest.mark.parametrize(
    "effects", [[effect("", 9000), effect("a", 8000)], [effect("", 9000, 0.9), effect("a", 8000, None, 20.0)]]
)
def test_nothing_is_drawn_where_neither_is_known_of_all(effects: list[Effect]) -> None:
    assert front_svg(effects) is None
