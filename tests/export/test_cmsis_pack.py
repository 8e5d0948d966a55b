"""The description holds to what its schema says of the elements in it, and the archive to the format of packs."""

from __future__ import annotations

import io
import os
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from building import WARNINGS, machine, run, runs_right

from mcucompile.api import Compiled
from mcucompile.export import exported
from mcucompile.target.cores import CORES

# Of Open-CMSIS-Pack's PACK.xsd 1.7.32: the children of an element that we use, and which of them it cannot do without.
CHILDREN = {
    "package": ({"vendor", "name", "description", "url", "releases"},
                {"requirements", "keywords", "taxonomy", "conditions", "components"}),
    "requirements": (set(), {"languages"}), "languages": ({"language"}, set()), "language": (set(), set()),
    "releases": ({"release"}, set()), "release": (set(), set()),
    "keywords": ({"keyword"}, set()), "keyword": (set(), set()),
    "taxonomy": ({"description"}, set()), "description": (set(), set()),
    "conditions": ({"condition"}, set()), "condition": (set(), {"description", "accept"}), "accept": (set(), set()),
    "components": (set(), {"component"}), "component": ({"description", "files"}, set()),
    "files": ({"file"}, set()), "file": (set(), set()),
    "vendor": (set(), set()), "name": (set(), set()), "url": (set(), set()),
}  # fmt: skip
CORE = r"Cortex-M(0\+?|1|23|3|33|35P|4|52|55|7|85)"
ATTRIBUTES = {
    "package": {"schemaVersion": r"\d+\.\d+(\.\d+)?"},
    "language": {"name": "C", "version": r"\d+"},
    "release": {"version": r"\d+\.\d+\.\d+"},
    "condition": {"id": r".+"},
    "accept": {"Dcore": CORE, "Ddsp": "NO_DSP|DSP", "Dmve": "NO_MVE|MVE|FP_MVE"},
    "component": {
        "Cvendor": r"[A-Za-z0-9][A-Za-z0-9\s-]{1,31}", "Cclass": r"[A-Za-z0-9][\w+()'/\s.-]{1,31}",
        "Cgroup": r"[A-Za-z0-9][\w+()'/\s.-]{1,31}", "Csub": r"([A-Za-z0-9][\w+():/ .-]{0,31})?",
        "Cversion": r"\d+\.\d+\.\d+", "condition": r".+",
    },
    "description": {"Cclass": r"[A-Za-z0-9][\w+()'/\s.-]{1,31}", "Cgroup": r"[A-Za-z0-9][\w+()'/\s.-]{1,31}"},
    "file": {"category": "header|source", "name": r"[\w./-]+", "attr": "template", "select": r".+"},
}  # fmt: skip
SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"


def check(element: ET.Element) -> None:
    needed, more = CHILDREN[element.tag]
    assert needed <= {child.tag for child in element} <= needed | more, element.tag
    for key, value in element.attrib.items():
        if key != SCHEMA_LOCATION:
            assert re.fullmatch(ATTRIBUTES[element.tag][key], value), (element.tag, key, value)
    for child in element:
        check(child)


def description(compiled: Compiled) -> ET.Element:
    return ET.fromstring(exported(["cmsis-pack"], compiled.library)["mcucompile.net.pdsc"])


def archive(compiled: Compiled) -> zipfile.ZipFile:
    files = exported(["cmsis-pack"], compiled.library)
    (name,) = (path for path in files if path.endswith(".pack"))
    package = ET.fromstring(files["mcucompile.net.pdsc"])
    version = package.find("releases/release").attrib["version"]  # type: ignore[union-attr]
    assert name == f"{package.findtext('vendor')}.{package.findtext('name')}.{version}.pack"
    return zipfile.ZipFile(io.BytesIO(files[name]))


@pytest.mark.parametrize("board", ["qemu-m0", "qemu-m3", "qemu-m4", "qemu-m55"])
def test_description_has_the_schema(compiled: Compiled, board: str) -> None:
    found = description(compiled.for_board(board))
    check(found)
    conditions = {c.attrib["id"] for c in found.iter("condition")}
    (component,) = found.iter("component")
    assert {component.attrib["condition"]} == conditions if conditions else "condition" not in component.attrib


def test_schema_itself(compiled: Compiled) -> None:
    if "MCUCOMPILE_PACK_XSD" not in os.environ:
        pytest.skip("set MCUCOMPILE_PACK_XSD to a copy of Open-CMSIS-Pack's PACK.xsd, which no package brings")
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed")
    schema = etree.XMLSchema(etree.parse(os.environ["MCUCOMPILE_PACK_XSD"]))
    for board in ("qemu-m0", "qemu-m3", "qemu-m4", "qemu-m55"):
        files = exported(["cmsis-pack"], compiled.for_board(board).library)
        schema.assertValid(etree.fromstring(files["mcucompile.net.pdsc"]))


def accepts(compiled: Compiled, **device: str) -> bool:
    """A condition holds when one of its filters does; what a device does not state fits none that asks for it."""
    filters = list(description(compiled).iter("accept"))
    return not filters or any(all(device.get(k) == v for k, v in f.attrib.items()) for f in filters)


def test_component_is_offered_where_its_instructions_are(compiled: Compiled) -> None:
    assert accepts(compiled, Dcore="Cortex-M0")
    m3, m4, m55 = (compiled.for_board(board) for board in ("qemu-m3", "qemu-m4", "qemu-m55"))
    assert [accepts(c, Dcore="Cortex-M0+") for c in (m3, m4, m55)] == [False] * 3
    assert [accepts(c, Dcore="Cortex-M3") for c in (m3, m4, m55)] == [True, False, False]
    assert [accepts(c, Dcore="Cortex-M7") for c in (m3, m4, m55)] == [True, True, False]
    assert [accepts(c, Dcore="Cortex-M33", Ddsp="NO_DSP") for c in (m3, m4, m55)] == [True, False, False]
    assert [accepts(c, Dcore="Cortex-M33", Ddsp="DSP") for c in (m3, m4, m55)] == [True, True, False]
    assert [accepts(c, Dcore="Cortex-M55", Dmve="FP_MVE") for c in (m3, m4, m55)] == [True] * 3
    assert not accepts(m55, Dcore="Cortex-M55", Dmve="NO_MVE")


def test_archive(compiled: Compiled) -> None:
    with archive(compiled) as pack:
        assert pack.testzip() is None
        names = pack.namelist()
        assert [n for n in names if "/" not in n and n.endswith(".pdsc")] == ["mcucompile.net.pdsc"]
        assert len(set(names)) == len(names)
        assert {info.date_time for info in pack.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        files = [f.attrib["name"] for f in ET.fromstring(pack.read("mcucompile.net.pdsc")).iter("file")]
        assert set(files) <= set(names)
        assert pack.read("net_kernels.c") == compiled.files["net_kernels.c"]


def test_component_builds(
    compiled: Compiled, for_m4: Compiled, tmp_path: Path, tool: Callable[[str], str],
) -> None:  # fmt: skip
    """As a pack manager and a project do: unpack, compile the sources with the headers' folder, add the template."""
    flags = WARNINGS.split()
    arm = (tool("arm-none-eabi-gcc"), *CORES["cortex-m4f"].gcc_flags, "--specs=nosys.specs")
    for network, compiler, kind in ((compiled, (tool("gcc"),), "host"), (for_m4, arm, "arm")):
        folder = tmp_path / kind
        with archive(network) as pack:
            pack.extractall(folder)
        listed = [f.attrib for f in description(network).iter("file")]
        sources = [folder / f["name"] for f in listed if f["category"] == "source"]
        includes = {f"-I{(folder / f['name']).parent}" for f in listed if f["category"] == "header"}
        run(*compiler, *flags, *includes, *sources, "-o", folder / "program")
        assert machine(folder / "program") == kind
    runs_right(tmp_path / "host" / "program")


@pytest.mark.parametrize(("board", "device"), [("qemu-m0", "ARMCM0"), ("qemu-m4", "ARMCM4"), ("qemu-m55", "ARMCM55")])
def test_project_of_the_example(compiled: Compiled, board: str, device: str, tmp_path: Path) -> None:
    """Keys of CMSIS-Toolbox's format for solutions; every path leads somewhere; the component is that of the pack."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    network = compiled.for_board(board)
    network.write(tmp_path / "out")
    folder = tmp_path / "out" / "examples" / "cmsis-pack"
    solution = yaml.safe_load((folder / "minimal.csolution.yml").read_text())["solution"]
    assert solution.keys() == {
        "created-for", "compiler", "packs", "target-types", "build-types", "projects", "output-dirs",
    }  # fmt: skip
    assert solution["target-types"] == [{"type": device, "device": f"ARM::{device}"}]
    assert all(path.startswith("build/") for path in solution["output-dirs"].values())
    (own,) = [pack for pack in solution["packs"] if "path" in pack]
    assert (folder / own["path"] / f"{own['pack'].replace('::', '.')}.pdsc").is_file()
    (entry,) = solution["projects"]
    project = yaml.safe_load((folder / entry["project"]).read_text())["project"]
    assert project.keys() == {"groups", "components", "misc", "rte"}
    assert all((folder / f["file"]).is_file() for group in project["groups"] for f in group["files"])
    (component,) = description(network).iter("component")
    vendor, *parts = (component.attrib[key] for key in ("Cvendor", "Cclass", "Cgroup", "Csub"))
    assert {"component": f"{vendor}::{':'.join(parts)}"} in project["components"]


def test_description_says_which_cores(compiled: Compiled) -> None:
    """Formats whose fields know no cores have it in words."""
    for board, cores in (("qemu-m0", "any core"), ("qemu-m4", "Cortex-M4, M7")):
        files = exported(["arduino", "platformio"], compiled.for_board(board).library)
        for name in ("library.json", "library.properties"):
            text = files[name].decode()
            assert cores in text and ("does not compile" in text) == (board != "qemu-m0")
