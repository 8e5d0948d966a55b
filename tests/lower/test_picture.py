import re
from xml.etree import ElementTree

import pytest

from mcucompile.ir import Placement
from mcucompile.lower.picture import memory_map_svg, used_nbytes

SVG = "{http://www.w3.org/2000/svg}"
PLACEMENTS = (
    Placement("image", 100, 200, -1, 0),
    Placement("hidden", 0, 200, 0, 1),
    Placement("scratch", 300, 100, 0, 0),
    Placement("<scores>", 200, 100, 1, 2),
)
STEPS = ("conv & relu", "dense")


def boxes(svg: str) -> dict[str, dict[str, str]]:
    """Name -> attributes of the rectangles that are buffers."""
    found = {}
    for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect"):
        tip = rect.findtext(f"{SVG}title")
        if tip and "share" not in tip:
            found[tip.split(":")[0]] = dict(rect.attrib)
    return found


def test_every_buffer_has_a_box_of_its_kind() -> None:
    kinds = {name: box["class"] for name, box in boxes(memory_map_svg(PLACEMENTS, STEPS, 400)).items()}
    assert kinds == {
        "image": "box input",
        "hidden": "box tensor",
        "scratch": "box scratch",
        "<scores>": "box output",
    }


def test_boxes_stand_where_the_bytes_are() -> None:
    # 400 bytes are drawn 400 pixels high, so one byte is one pixel; half a pixel of air on each side.
    made = boxes(memory_map_svg(PLACEMENTS, STEPS, 400))
    bottom = {name: float(box["y"]) + float(box["height"]) for name, box in made.items()}
    assert {name: round(bottom["hidden"] - y) for name, y in bottom.items()} == {
        "image": 100,
        "hidden": 0,
        "scratch": 300,
        "<scores>": 200,
    }
    assert [float(made[name]["height"]) for name in ("image", "scratch")] == [199, 99]
    # Columns: inputs, two steps, outputs. hidden spans the two in the middle, scratch the first of these.
    assert made["hidden"]["x"] == made["scratch"]["x"]
    width = {name: float(box["width"]) + 2 for name, box in made.items()}
    assert width["hidden"] == pytest.approx(2 * width["scratch"])


def test_shared_bytes_are_marked() -> None:
    svg = memory_map_svg(PLACEMENTS, STEPS, 400)
    assert re.findall("<title>(.*share.*)</title>", svg) == ["image and hidden share 100 bytes"]


def test_the_arena_and_the_busiest_step_are_named() -> None:
    svg = memory_map_svg(PLACEMENTS, STEPS, 400, title="net")
    assert "arena 400 bytes; busiest: 0 conv &amp; relu with 400 in use<" in svg
    assert "with 400 in use, the other 12 align them<" in memory_map_svg(PLACEMENTS, STEPS, 412)
    assert "with 400 in use<" in memory_map_svg(PLACEMENTS, STEPS, 500)
    assert ">net<" in svg


def test_used_bytes_count_shared_ones_once() -> None:
    assert used_nbytes(PLACEMENTS[:3]) == 400
    assert used_nbytes(PLACEMENTS[1:2]) == 200
    assert used_nbytes([]) == 0
    nested = [Placement("a", 0, 10, 0, 0), Placement("b", 2, 2, 0, 0), Placement("c", 5, 7, 0, 0)]
    assert used_nbytes(nested) == 12


def test_the_same_text_every_time() -> None:
    assert memory_map_svg(PLACEMENTS, STEPS, 400) == memory_map_svg(list(PLACEMENTS), list(STEPS), 400)


@pytest.mark.parametrize("steps", [0, 1, 200])
def test_any_number_of_steps_is_well_formed(steps: int) -> None:
    placements = [Placement(f"a_rather_long_name_{k}", 16 * (k % 2), 16, k - 1, k) for k in range(steps + 1)]
    svg = memory_map_svg(placements, [f"some/very/long/name/of/a/node_{k}" for k in range(steps)], 32)
    assert len(boxes(svg)) == steps + 1
    width = float(ElementTree.fromstring(svg).attrib["width"])
    assert all(float(b["x"]) + float(b["width"]) <= width for b in boxes(svg).values())


def test_nothing_to_draw() -> None:
    ElementTree.fromstring(memory_map_svg((), (), 0))


def test_it_has_colours_for_dark_pages_and_needs_no_other_file() -> None:
    svg = memory_map_svg(PLACEMENTS, STEPS, 400)
    assert "prefers-color-scheme:dark" in svg
    assert set(re.findall(r'https?://[^"\s]+', svg)) == {"http://www.w3.org/2000/svg"}
