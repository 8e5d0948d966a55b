"""A CMSIS-Pack: its description, and the archive that pack managers install.

The archive's entries carry no time of day, so that the same library gives the same bytes. A release's date is optional,
and left out for the same reason; so is a pack's URL, which a pack that no server offers leaves empty.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from ..target.cores import Isa
from .example import MAIN, main_c
from .library import Format, Library

VENDOR = "mcucompile"
FOLDER = "examples/cmsis-pack"
COMPONENT_LENGTH = 32  # the schema's limit for each part of a component's name
FIRST_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip archive can hold
PLAIN_FILE = 0o100644 << 16
WITH_HELIUM = ("Cortex-M52", "Cortex-M55", "Cortex-M85")
# The cores that have the instructions, as filters of a condition; Armv8-M has those for DSP where the part has them.
ACCEPTED: Mapping[Isa, tuple[Mapping[str, str], ...]] = {
    Isa.SCALAR: (),
    Isa.MAINLINE: tuple(
        {"Dcore": core} for core in ("Cortex-M3", "Cortex-M4", "Cortex-M7", "Cortex-M33", "Cortex-M35P", *WITH_HELIUM)
    ),
    Isa.DSP: (
        {"Dcore": "Cortex-M4"},
        {"Dcore": "Cortex-M7"},
        {"Dcore": "Cortex-M33", "Ddsp": "DSP"},
        {"Dcore": "Cortex-M35P", "Ddsp": "DSP"},
        *({"Dcore": core} for core in WITH_HELIUM),
    ),
    Isa.MVE: tuple({"Dcore": core, "Dmve": kind} for core in WITH_HELIUM for kind in ("MVE", "FP_MVE")),
}


def files(library: Library) -> dict[str, bytes]:
    """The description alone serves as a pack where it lies, too."""
    description = library.render(
        "cmsis_pack/pack.pdsc.j2",
        vendor=VENDOR,
        accepted=ACCEPTED[library.isa],
        example=MAIN,
        component=library.name[:COMPONENT_LENGTH],
    )
    own = {f"{VENDOR}.{library.name}.pdsc": description, **main_c(library)}
    more = {"vendor": VENDOR, "component": library.name[:COMPONENT_LENGTH], "device": device(library)}
    project = {
        f"{FOLDER}/minimal.csolution.yml": library.render("cmsis_pack/csolution.yml.j2", **more),
        f"{FOLDER}/minimal.cproject.yml": library.render("cmsis_pack/cproject.yml.j2", **more),
    }
    archive = f"{VENDOR}.{library.name}.{library.version}.pack"
    return {**own, **project, archive: zipped({**own, **library.c_files})}


def device(library: Library) -> str:
    """The generic device of ARM::Cortex_DFP with the core: of cortex-m0plus ARMCM0P."""
    return library.core.cpu.upper().replace("CORTEX-", "ARMC").replace("PLUS", "P")


def zipped(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            entry = zipfile.ZipInfo(path, FIRST_OF_ZIP)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, PLAIN_FILE, 3
            archive.writestr(entry, content)
    return stream.getvalue()


FORMAT = Format(
    "cmsis-pack", f"install {{folder}}/{VENDOR}.{{name}}.*.pack and select Machine Learning:Network:{{name}}; where "
    "one of the same version is installed, remove it first or force the new one (cpackget add --force-reinstall)",
    "`cbuild minimal.csolution.yml --packs` in `examples/cmsis-pack`, or the component's template",
    files,
)  # fmt: skip
