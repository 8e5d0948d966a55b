"""What a compilation can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from .ir import Numerics, Shape
from .recipe import NOTHING, Recipe


class NetworkType(Enum):
    """What the network computes in. AUTO keeps a quantized file as it is and makes a float file int8."""

    AUTO = "auto"
    INT8 = "int8"
    INT16X8 = "int16x8"
    FLOAT32 = "float32"


class BoundaryType(Enum):
    """What the caller hands over: stored integers, or floats that the library quantizes itself."""

    INT8 = "int8"
    FLOAT = "float"


class Effort(Enum):
    """What is optimized: nothing (portable kernels only), size, or speed."""

    O0 = "-O0"
    OS = "-Os"
    O2 = "-O2"


class Ranges(Enum):
    """How the range of an activation is taken from the values seen."""

    AUTO = "auto"
    MINMAX = "minmax"
    PERCENTILE = "percentile"
    MSE = "mse"
    ENTROPY = "entropy"


class Switch(Enum):
    """A pass that can be forced either way; AUTO measures whether it helps."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True)
class Options:
    """Compilation options; `ram` is the arena's limit in bytes, None for what the board has.

    `flash_budget` is the limit of constants and code, the latter estimated, in bytes; None for what the board has.
    `recipe` are the compression passes asked for, `export` the formats whose files the output folder gets.
    """

    dtype: NetworkType = NetworkType.AUTO
    io: BoundaryType = BoundaryType.INT8
    numerics: Numerics = Numerics.ONNX
    effort: Effort = Effort.O2
    ram: int | None = None
    ranges: Ranges = Ranges.AUTO
    equalize: Switch = Switch.AUTO
    correct_bias: Switch = Switch.AUTO
    prove: bool = False
    flash_budget: int | None = None
    recipe: Recipe = NOTHING
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    export: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """For the report: names and numbers only; the recipe in the form of --passes."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("recipe", "shapes")}
        values = {k: v.value if isinstance(v, Enum) else v for k, v in given.items()}
        return {**values, "passes": list(self.recipe.texts()), "shapes": dict(self.shapes)}
