"""Where pages are written, and what they are not written over."""

from __future__ import annotations

import json
from pathlib import Path

import html5lib
import numpy as np
import pytest
from small_network import small_model, small_network, small_samples

from mcucompile.cli import main
from mcucompile.errors import CompileError
from mcucompile.figures import figures_of
from mcucompile.files import REPORT, write_folder
from mcucompile.html import check_beside, check_page, fresh_page, report_html, write_page


@pytest.fixture(scope="module")
def content() -> str:
    return report_html(figures_of(json.loads(small_network().files[REPORT])))


def test_pages_are_written_over_pages_alone(tmp_path: Path, content: str) -> None:
    page, mine = tmp_path / "new" / "page.html", tmp_path / "mine.html"
    mine.write_text("<p>years of work")
    check_page(page)
    write_page(page, content)
    check_page(page)
    write_page(page, content)
    assert [p.name for p in page.parent.iterdir()] == ["page.html"]
    for path in (mine, tmp_path, mine / "below.html"):
        with pytest.raises(CompileError, match="E0702"):
            check_page(path)


def test_a_page_waits_for_the_output_that_it_is_of(tmp_path: Path, content: str) -> None:
    """On the disk before it, in its place after it, also in the folder itself; nowhere when that fails."""
    out = tmp_path / "out"
    files = {"a.c": b"", REPORT: json.dumps({"mcucompile": "0", "files": ["a.c", REPORT]}).encode()}
    for page in (tmp_path / "page.html", out / "page.html", out / "below" / "page.html"):
        with fresh_page(page, content, out):
            assert not page.exists()
            (fresh,) = tmp_path.rglob(".page.html.*/page.html")
            assert fresh.read_text(encoding="utf-8") == content
            write_folder(out, files)
        assert page.read_text(encoding="utf-8") == content
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "page.html"]
    with pytest.raises(CompileError, match="E0702"), fresh_page(tmp_path / "other.html", content, out):
        raise CompileError("E0702", "no room for the folder")
    with pytest.raises(BrokenPipeError), fresh_page(tmp_path / "other.html", content, out):
        raise BrokenPipeError
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "page.html"]


def test_a_place_that_cannot_be_written_to_is_found_out_before(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for path in (Path("/proc/x.html"), tmp_path / ("x" * 250), tmp_path / "loop" / "x.html"):
        with pytest.raises(CompileError, match="E0702"):
            check_page(path)
    check_page(tmp_path / "new" / ".." / "deep" / "x.html")
    assert [p.name for p in tmp_path.iterdir()] == ["loop"], "nothing is left of trying"


@pytest.mark.parametrize("name", ["out", ".", "out/a.c", "out/a.c/x.html", "out/examples", "new/../out"])
def test_a_page_takes_no_place_of_the_output(tmp_path: Path, name: str) -> None:
    with pytest.raises(CompileError, match="E0702"):
        check_beside(tmp_path / name, tmp_path / "out", ["a.c", "examples/b.c"])


def test_a_page_beside_the_output_or_in_it(tmp_path: Path) -> None:
    for name in ("out.html", "out/x.html", "out/examples/x.html"):
        check_beside(tmp_path / name, tmp_path / "out", ["a.c", "examples/b.c"])


def test_a_page_in_an_output_folder_does_not_keep_it(tmp_path: Path, content: str) -> None:
    files = {"a.c": b"", REPORT: json.dumps({"mcucompile": "0", "files": ["a.c", REPORT]}).encode()}
    write_folder(tmp_path / "out", files)
    write_page(tmp_path / "out" / "page.html", content)
    write_folder(tmp_path / "out", files)
    (tmp_path / "out" / "other.html").write_text("mine")
    with pytest.raises(CompileError, match=r"other\.html"):
        write_folder(tmp_path / "out", files)


def test_the_command_line_writes_a_page_without_the_places_of_files(tmp_path: Path) -> None:
    model, page, data = (tmp_path / name for name in ("small.onnx", "page.html", "data.npz"))
    model.write_bytes(small_model())
    samples = small_samples()
    np.savez(data, x=samples.inputs["x"], y=samples.labels)
    options = ["compile", str(model), "--board", "qemu-m4", "--calibration", str(data), "-o", str(tmp_path / "out")]
    assert main([*options, "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True).parse(text)
    assert str(tmp_path) not in text
    assert main([*options, "--html", str(model)]) == 2
    assert model.read_bytes() == small_model()
    for place in ("/proc/x.html", "new"):
        assert main([*options, "-o", str(tmp_path / "new"), "--html", str(tmp_path / place)]) == 2
        assert not (tmp_path / "new").exists()
