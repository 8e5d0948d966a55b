"""A Zephyr module that CONFIG_MCUCOMPILE_NAME turns on, with an application."""

from __future__ import annotations

from ..ir import DType
from ..target.cores import Isa
from .example import main_c
from .library import Format, Library

# What Zephyr's Kconfig calls cores with these instructions. Armv8-M has DSP instructions where the part has them.
DEPENDS = {
    Isa.SCALAR: "",
    Isa.MAINLINE: "ARMV7_M_ARMV8_M_MAINLINE",
    Isa.DSP: "CPU_CORTEX_M4 || CPU_CORTEX_M7 || ARMV8_M_DSP",
    Isa.MVE: "ARMV8_1_M_MVEI",
}


def files(library: Library) -> dict[str, bytes]:
    prints_floats = any(port.dtype is DType.F32 for port in library.program.outputs)
    return {
        "zephyr/module.yml": library.render("zephyr/module.yml.j2"),
        "zephyr/Kconfig": library.render("zephyr/Kconfig.j2", depends=DEPENDS[library.isa]),
        "zephyr/CMakeLists.txt": library.render("zephyr/CMakeLists.txt.j2"),
        "examples/zephyr/CMakeLists.txt": library.render("zephyr/example.txt.j2"),
        "examples/zephyr/prj.conf": library.render("zephyr/prj.conf.j2", prints_floats=prints_floats),
        **main_c(library),
    }


FORMAT = Format(
    "zephyr", 'add "{folder}" to ZEPHYR_EXTRA_MODULES or to the manifest, then CONFIG_MCUCOMPILE_{NAME}=y',
    "`west build -b BOARD examples/zephyr`", files,
)  # fmt: skip
