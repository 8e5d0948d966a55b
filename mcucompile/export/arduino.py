"""An Arduino library of the flat layout of Arduino's library specification, with one sketch."""

from __future__ import annotations

from .example import checked_sample
from .library import Format, Library

NAME_LENGTH = 63  # the specification's limit for names of libraries and of sketches
ENDING = "_minimal"


def files(library: Library) -> dict[str, bytes]:
    sketch = library.name[: NAME_LENGTH - len(ENDING)] + ENDING
    return {
        "library.properties": library.render("arduino/library.properties.j2", title=library.name[:NAME_LENGTH]),
        f"examples/{sketch}/{sketch}.ino": library.render("arduino/sketch.ino.j2", **checked_sample(library)),
    }


FORMAT = Format(
    "arduino", "put {folder} into the sketchbook's libraries/ and #include <{name}.h>",
    "the library's sketch among the examples; it tells at 115,200 baud", files,
)  # fmt: skip
