"""PlatformIO packs it, where it is installed; and what it would compile are the library's sources alone."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

from building import run

KEYS = {
    "name",
    "version",
    "description",
    "keywords",
    "frameworks",
    "platforms",
    "headers",
    "build",
    "examples",
    "export",
}


def manifest(folder: Path) -> dict[str, object]:
    found = json.loads((folder / "library.json").read_text())
    assert isinstance(found, dict)
    return found


def test_manifest(folder: Path) -> None:
    found = manifest(folder)
    assert found.keys() == KEYS, "with a licence, packing would need the network"
    assert found["name"] == "net"
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(found["version"]))
    assert (folder / str(found["headers"])).is_file()


def test_only_the_library_is_compiled(folder: Path) -> None:
    build = manifest(folder)["build"]
    assert isinstance(build, dict)
    assert (build["srcDir"], build["includeDir"]) == (".", ".")
    patterns = [re.fullmatch(r"\+<(.+)>", rule)[1] for rule in build["srcFilter"]]  # type: ignore[index]
    paths = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix in (".c", ".cpp", ".ino")]
    chosen = {path for path in paths for pattern in patterns if fnmatch.fnmatch(path, pattern)}
    assert chosen == {"net.c", "net_kernels.c", "net_weights.c"}


def test_package(folder: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    home = {**os.environ, "PLATFORMIO_CORE_DIR": str(tmp_path / "home"), "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no"}
    (tmp_path / "packed").mkdir()
    run(tool("pio"), "pkg", "pack", folder, "-o", str(tmp_path / "packed") + os.sep, env=home)
    (package,) = (tmp_path / "packed").iterdir()
    assert package.name.startswith("net-") and package.name.endswith(".tar.gz")
    with tarfile.open(package) as archive:
        names = set(archive.getnames())
    sources = {f"net{part}.{kind}" for part in ("", "_kernels", "_weights") for kind in "ch"}
    assert names - {"library.properties"} == {*sources, "library.json", "examples/minimal/main.c"}
