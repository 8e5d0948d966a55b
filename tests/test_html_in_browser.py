"""Pages of compiled networks in a real browser: no complaints, the page's own script, tips and sorting."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from test_html import HOSTILE, VERIFIED, page_of, report_of_recipe, with_names

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return report_of_recipe()


def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None) or os.environ.get("MCUCOMPILE_BROWSER")
    if not found:
        pytest.skip("needs a browser: apt-get install chromium, or MCUCOMPILE_BROWSER with the path of one")
    return found


def browse(tmp_path: Path, page: str, *options: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    fixed = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
             f"--user-data-dir={tmp_path}/profile", "--virtual-time-budget=1000")  # fmt: skip
    command = [browser(), *fixed, *options, f"file://{tmp_path}/page.html"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def png_rows(path: Path) -> tuple[int, int, list[bytes]]:
    """Width, height, and the filtered rows of an 8-bit picture."""
    data = path.read_bytes()
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    chunks, at = b"", 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        chunks += data[at + 8 : at + 8 + size] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + size
    raw, stride = zlib.decompress(chunks), 1 + width * {2: 3, 6: 4}[kind]
    return width, height, [raw[i * stride : (i + 1) * stride] for i in range(height)]


def test_a_browser_shows_the_page_without_complaints(tmp_path: Path, report: dict[str, Any]) -> None:
    page = page_of(with_names(report, HOSTILE), verification=VERIFIED)
    shot = tmp_path / "shot.png"
    done = browse(tmp_path, page, "--window-size=1000,1600", f"--screenshot={shot}")
    assert complaints(done) == []
    width, height, rows = png_rows(shot)
    assert (width, height) == (1000, 1600)
    assert len(set(rows)) > 200, "there is more than an empty page"


def test_a_browser_runs_the_pages_script_and_no_other(tmp_path: Path, report: dict[str, Any]) -> None:
    page = page_of(report)
    done = browse(tmp_path, page.replace("</main>", "<script>document.title = 'hacked'</script></main>"), "--dump-dom")
    assert "<button" in done.stdout, "the page's script makes columns sortable"
    assert "hacked</title>" not in done.stdout
    assert len(complaints(done)) == 1 and "Content Security Policy" in complaints(done)[0]


ACTIONS = """
const at = (node, x, y) => node.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: x, clientY: y}));
const tip = document.getElementById('tip'), table = document.querySelector('table.sortable');
at(document.querySelector('.mm .box title').parentNode, 300, 300);
console.log('tip', tip.hidden, tip.textContent);
at(document.body, 1, 1);
console.log('tip', tip.hidden);
for (let i = 0; i < 2; i++) {
  table.querySelectorAll('th button')[3].click();
  console.log('order', ...[...table.tBodies[0].rows].map(row => row.cells[0].textContent));
}
"""


def test_tips_are_shown_and_layers_sorted(tmp_path: Path, report: dict[str, Any]) -> None:
    steps = [{**s, "cycles": 400 if i else 100} for i, s in enumerate(report["steps"])]
    page = re.sub("<meta http-equiv[^>]*>", "", page_of({**report, "steps": steps}))
    done = browse(tmp_path, page.replace("</body>", f"<script>{ACTIONS}</script></body>"), "--dump-dom")
    shown, hidden, down, up = (line.split('"')[1] for line in complaints(done))
    first = report["memory"]["buffers"][0]
    assert shown.startswith(f"tip false {first['name']}: {first['nbytes']:,} bytes at {first['offset']:,}")
    assert (hidden.strip(), down, up) == ("tip true", "order 1 0", "order 0 1")


NAMES = ["conv", "10/conv", "3d/pool", "2", "conv2", "block"]
BY_NAME = """
const table = document.querySelector('table.sortable');
for (let i = 0; i < 2; i++) {
  table.querySelectorAll('th button')[1].click();
  console.log('order', ...[...table.tBodies[0].rows].map(row => row.cells[1].querySelector('bdi').textContent));
}
"""


def test_names_that_begin_with_digits_are_sorted_as_names(tmp_path: Path, report: dict[str, Any]) -> None:
    steps = [{**report["steps"][0], "index": i, "source": [name]} for i, name in enumerate(NAMES)]
    page = re.sub("<meta http-equiv[^>]*>", "", page_of({**report, "steps": steps}))
    done = browse(tmp_path, page.replace("</body>", f"<script>{BY_NAME}</script></body>"), "--dump-dom")
    down, up = (line.split('"')[1] for line in complaints(done))
    assert up == "order 2 3d/pool 10/conv block conv conv2"
    assert down == "order conv2 conv block 10/conv 3d/pool 2"


NARROW = """
const tables = [...document.querySelectorAll(".layers, .passes, .facts")];
const wide = tables.filter(t => t.scrollWidth > t.parentNode.clientWidth);
const cut = [...document.querySelectorAll('caption')].filter(c => c.getBoundingClientRect().right > innerWidth);
console.log('narrow', innerWidth, document.querySelectorAll('.facts').length, wide.length, cut.length);
"""


def test_narrow_screens_cut_neither_tables_nor_captions(tmp_path: Path, report: dict[str, Any]) -> None:
    page = re.sub("<meta http-equiv[^>]*>", "", page_of(report, verification=VERIFIED))
    page = page.replace("</body>", f"<script>{NARROW}</script></body>")
    (line,) = complaints(browse(tmp_path, page, "--window-size=400,900", "--dump-dom"))
    assert line.split('"')[1].split()[2:] == ["1", "0", "0"], line
