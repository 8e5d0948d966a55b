"""Print inputs and outputs of compiled networks' reference.npz as a C header: samples.py FOLDER…"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

COUNT = 5


def main() -> None:
    print(f"#include <stdint.h>\n\n#define SAMPLES {COUNT}")
    for folder in map(Path, sys.argv[1:]):
        with np.load(folder / "reference.npz") as arrays:
            print_array(f"{folder.name}_images", arrays["input/image"][:COUNT])
            print_array(f"{folder.name}_expected", arrays["output/scores"][:COUNT])


def print_array(name: str, samples: np.ndarray) -> None:
    rows = samples.reshape(COUNT, -1)
    print(f"\nstatic const int8_t {name}[SAMPLES][{rows.shape[1]}] = {{")
    for row in rows:
        print("    {" + ", ".join(map(str, row)) + "},")
    print("};")


if __name__ == "__main__":
    main()
