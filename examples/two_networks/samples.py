"""Print the inputs of compiled networks' reference.npz as a C header: samples.py FOLDER…"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

COUNT = 5


def main() -> None:
    print(f"#include <stdint.h>\n\n#define SAMPLES {COUNT}")
    for folder in map(Path, sys.argv[1:]):
        with np.load(folder / "reference.npz") as arrays:
            images = arrays["input/image"][:COUNT].reshape(COUNT, -1)
        print(f"\nstatic const int8_t {folder.name}_images[SAMPLES][{images.shape[1]}] = {{")
        for image in images:
            print("    {" + ", ".join(map(str, image)) + "},")
        print("};")


if __name__ == "__main__":
    main()
