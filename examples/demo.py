"""Compile the digits network, run it on an emulated Cortex-M4, and say what came out. Run with `make demo`."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

import mcucompile
from mcucompile.show import table

DIGITS = Path(__file__).parent / "digits"
OUTPUT = Path("build") / "digits"
BOARD = "qemu-m4"


def main() -> int:
    """Exit code 0 when every byte that the device answered equals the reference."""
    console = Console(highlight=False)
    console.print(f"Compiling {DIGITS.name}/digits.onnx to int8 for {BOARD} …")
    compiled = mcucompile.compile(DIGITS / "digits.onnx", BOARD, calibration=DIGITS / "calibration.npz")
    compiled.write(OUTPUT)
    samples = compiled.samples_from(DIGITS / "test.npz")
    console.print(f"Running it on {samples.count} images of handwritten digits …")
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("images", total=samples.count)
        result = compiled.verify(samples, progress=lambda done, _: progress.update(task, completed=done))
    profile = compiled.profile()
    metrics = next(iter(compiled.metrics(result.outputs, samples).values()))
    flash = result.firmware.library_flash_nbytes
    per_mac = profile.total / sum(step.macs for step in compiled.program.steps)
    rows = [
        ("accuracy, float network", f"{100 * (metrics.real_accuracy or 0):.1f} %", "on the host"),
        ("accuracy, device", f"{100 * (metrics.accuracy or 0):.1f} %", "int8, on the emulated Cortex-M4"),
        ("bytes as predicted", "all" if result.ok else "NOT ALL", "device against the reference"),
        ("flash", f"{flash:,} bytes", f"{compiled.program.weight_nbytes:,} of it constants"),
        ("RAM", f"{compiled.program.arena_nbytes:,} bytes", f"and {result.stack_nbytes} bytes of stack"),
        ("instructions per image", f"{profile.total:,}", f"counted; {per_mac:.2f} per multiplication"),
    ]
    console.print(table(f"Handwritten digits on {BOARD}", ("", "", ""), rows))
    console.print(f"The C is in {OUTPUT}/: start with {compiled.name}.h; memory.svg shows the RAM.")
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main())
