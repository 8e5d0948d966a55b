"""What verify and profile print: what ran the network, and what is known of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from small_network import small_network

from mcucompile import show, show_effects, show_runs
from mcucompile.api import Compiled
from mcucompile.connection import port_of
from mcucompile.figures import figures_of
from mcucompile.files import REPORT
from mcucompile.html import report_html
from mcucompile.metrics import Metrics
from mcucompile.parser import parser
from mcucompile.profile import Profile
from mcucompile.report import Json
from mcucompile.run import ports
from mcucompile.run.flash import Flashed
from mcucompile.run.ran_on import RanOn, at_port, clock_note, emulated
from mcucompile.saved import Reference
from mcucompile.target.board import load_board
from mcucompile.target.flashing import UsbId
from mcucompile.verify import Fit, Verification

FIRMWARE: Any = SimpleNamespace(library_code_nbytes=3000, library_flash_nbytes=7000)
PORT = "/dev/ttyACM0"


@pytest.fixture(scope="module")
def network() -> Compiled:
    return small_network()


def verified(ran_on: RanOn | None, **more: Any) -> Verification:
    fit = Fit(9000, 65536, 3000, 4096, 1024)
    return Verification("a-board", 20, 10, None, 0, 0, {}, FIRMWARE, fit, 200, ran_on=ran_on, elf_sha256="ab12", **more)


def shown(show: Any, *what: Any) -> str:
    show(Console(file=(text := io.StringIO()), width=160), *what)
    return text.getvalue()


def page(network: Compiled, verification: Json | None = None, profile: Json | None = None) -> str:
    return report_html(figures_of(json.loads(network.files[REPORT]), verification, profile))


@pytest.mark.parametrize(
    ("ran_on", "text", "emulator", "port"),
    [
        (emulated(load_board("netduino-plus-2")), "on QEMU's model of netduino-plus-2: every byte", "qemu", None),
        (emulated(load_board("qemu-m4")), "on qemu-m4 (emulated): every byte", "qemu", None),
        (at_port(load_board("blue-pill"), PORT, 72_000_000), f"on the board blue-pill at {PORT}: every", None, PORT),
    ],
    ids=["part", "virtual", "port"],
)
def test_what_ran_the_network_is_told(
    network: Compiled, ran_on: RanOn, text: str, emulator: str | None, port: str | None
) -> None:
    v = verified(ran_on)
    assert f"small {text}" in shown(show_runs.verification, network, v, {})
    found = show_runs.verification_json(network, v, {})["ran_on"]
    assert (found["emulator"], found["port"]) == (emulator, port)


def test_what_was_only_built_ran_nowhere(network: Compiled) -> None:
    v = verified(None)
    text = shown(show_runs.verification, network, v, {})
    assert "small for a-board: built" in text and " on " not in text.splitlines()[0]
    found = show_runs.verification_json(network, v, {})
    assert (found["ran"], found["ran_on"], found["equal"]) == (False, None, None)


def test_a_clock_that_did_not_start_is_noted(network: Compiled) -> None:
    board = load_board("netduino-plus-2")
    slow, right = at_port(board, PORT, 16_000_000), at_port(board, PORT, 168_000_000)
    note = clock_note(board, slow)
    assert note == "the board runs at 16 MHz, not at the 168 MHz of its file: its oscillator or PLL did not start"
    assert clock_note(board, right) == clock_note(board, emulated(board)) == ""
    assert f"note: {note}" in shown(show_runs.verification, network, verified(slow, note=note), {})
    found = show_runs.verification_json(network, verified(slow, note=note), {})
    assert note in found["notes"]
    assert f"<li>{note}</li>" in page(network, found)


def test_another_program_than_that_of_flash_is_told(network: Compiled) -> None:
    ran_on = emulated(load_board("netduino-plus-2"))
    flashed = Flashed("a-board", "pyocd", "a probe", "ab12", "0badc0de", 100, None, True, 1.0)
    for hooks in (False, True):
        for more in ({}, {"flashed": flashed}):
            v = verified(ran_on, hooks=hooks, **more)
            text = shown(show_runs.verification, network, v, {})
            assert ("SHA-256 ab12 (with hooks for each layer)" in text) == hooks and "SHA-256 ab12" in text
            found = show_runs.verification_json(network, v, {})
            assert found["hooks"] is hooks
            assert (", with hooks for each layer" in page(network, found)) == hooks


@pytest.mark.parametrize("name", ["netduino-plus-2", "microbit-v1", "stm32vldiscovery", "lm3s6965evb", "blue-pill"])
@pytest.mark.parametrize("given", [[], ["--port", PORT]], ids=["found", "named"])
def test_a_programmed_board_is_verified_and_no_emulator(
    name: str, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `flash` says comes next means a real port, whether an adapter's, a named one or that of the board's USB."""
    board = load_board(name)
    plugged = [ports.UsbPort(PORT, usb, "", "") for usb in board.usb[:1]]
    monkeypatch.setattr(ports, "usb_ports", lambda: plugged)
    options, _ = show_runs.same_board(board, PORT if given else None)
    args = parser().parse_args(["verify", "out", *(PORT if word == "PORT" else word for word in options)])
    assert port_of(args, board) == PORT


def plugged_in(monkeypatch: pytest.MonkeyPatch, *found: tuple[str, str]) -> None:
    plugged = [ports.UsbPort(device, UsbId(*(int(n, 16) for n in usb.split(":"))), "", "") for device, usb in found]
    monkeypatch.setattr(ports, "usb_ports", lambda: plugged)


def test_a_board_found_by_its_usb_id_needs_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged_in(monkeypatch, (PORT, "0483:374b"))
    assert show_runs.same_board(load_board("nucleo-f446re"), None) == ([], "")


@pytest.mark.parametrize("name", ["raspberry-pi-pico", "nucleo-f446re", "microbit-v1", "blue-pill"])
def test_a_port_is_asked_for_where_none_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a Pico's with an adapter: the USB id in its file is that of the Debug Probe."""
    board = load_board(name)
    plugged_in(monkeypatch, ("/dev/ttyUSB0", "0403:6001"))
    options, remark = show_runs.same_board(board, None)
    assert options == ["--port", "PORT"]
    assert remark.endswith("PORT is that of an adapter on the pins of the board's UART")
    assert all(str(usb) in remark for usb in board.usb)


def test_one_of_several_ports_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged_in(monkeypatch, (PORT, "0483:374b"), ("/dev/ttyACM1", "0483:374b"))
    options, remark = show_runs.same_board(load_board("nucleo-f446re"), None)
    assert (options, remark) == (["--port", "PORT"], "PORT is one of /dev/ttyACM0, /dev/ttyACM1")


def test_the_port_of_a_boot_loader_is_not_the_one_to_verify_at(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged_in(monkeypatch)
    options, remark = show_runs.same_board(load_board("arduino-nano-33-ble"), "/dev/ttyACM0")
    assert options == ["--port", "PORT"]
    assert remark.startswith("PORT is that of an adapter")


def profiled(cycles: int | None, ran_on: RanOn, note: str = "") -> Profile:
    return Profile("a-board", (), 900_000, cycles, FIRMWARE, ran_on, note)


def test_estimated_cycles_are_told_as_time_too(network: Compiled) -> None:
    assert network.board.clock_hz == 25_000_000
    board = emulated(network.board)
    text = shown(show_runs.profile, network, profiled(1_050_000, board))
    assert "estimated cycles: 1,050,000, ≈ 42.0 ms at 25 MHz, without wait states; code" in text
    assert " ms at" not in shown(show_runs.profile, network, profiled(None, board, "no plugin"))


def test_compile_tells_the_time_that_the_cost_model_predicts(network: Compiled) -> None:
    report = {"clock_hz": 168_000_000, "steps": [{"cycles": 840_000}, {"cycles": 571_200}], "wait_states": 0}
    assert "predicts 1,411,200 cycles: ≈ 8.4 ms at 168 MHz, without wait states." in shown(show_runs.speed, report)
    report["wait_states"] = 5
    said = "predicts 1,411,200 cycles: ≈ 8.4 ms at best at 168 MHz, without the 5 wait states of the flash."
    assert said in shown(show_runs.speed, report)


def test_a_broken_network_is_warned_of() -> None:
    """By the error of all that a recipe did, else by that of quantizing; the reference has none of either."""
    quantized = {"quantization": {"chosen": {"decibels": 9.0}}}
    assert "WARNING: the outputs are far" in shown(show_effects.doubt, quantized, ())
    assert "9.0 dB, an error of 35.48 % of" in " ".join(shown(show_effects.doubt, quantized, ()).split())
    last = SimpleNamespace(decibels=20.0)
    assert shown(show_effects.doubt, quantized, [last]) == "" == shown(show_effects.doubt, {"quantization": None}, ())


@pytest.mark.parametrize(("name", "wait_states"), [("nucleo-l4r5zi", 5), ("stm32vldiscovery", 0), ("qemu-m4", 0)])
def test_wait_states_are_those_of_the_boards_file(name: str, wait_states: int) -> None:
    assert small_network(board=name).report["wait_states"] == wait_states


def test_metrics_that_are_not_known_have_no_column(network: Compiled) -> None:
    v = verified(emulated(network.board))
    folder = replace(network, saved=Reference({}, {}))
    for c, metrics, words in (
        (network, Metrics(accuracy=0.65), "The model came quantized"),
        (folder, Metrics(accuracy=0.65), "not in a compiled folder: to compare with it, too, give the model's .onnx"),
        (network, Metrics(*[0.5] * 6), ""),
    ):
        text = shown(show_runs.verification, c, v, {"scores": metrics})
        assert (" rmse " in text) == (metrics.rmse is not None)
        assert ("accuracy" in text) == (metrics.accuracy is not None)
        assert "float accuracy" not in text
        found = show_runs.verification_json(c, v, {"scores": metrics})
        assert words in text and words in found["metrics_note"] and bool(words) == bool(found["metrics_note"])
        assert found["metrics"]["scores"]["rmse"] == metrics.rmse, "data has every key"


FOLDED = (
    "m/activation/Relu;m/batch_normalization/FusedBatchNormV3;m/conv2d/BiasAdd/ReadVariableOp/resource;m/conv2d/BiasAdd;"
    "m/conv2d/Conv2D1"
)


def test_fused_nodes_are_counted_and_the_first_of_them_named_in_short() -> None:
    names = [f"{FOLDED}_prequant", FOLDED, *(f"Relu__{i}" for i in range(5, 38, 3))]
    told = "13 nodes fused into others, without a tensor of their own: conv2d, Relu__5, Relu__8, Relu__11, …"
    assert show_runs.fused_text(names) == told
    assert show_runs.fused_text(["a/pad"]) == "1 node fused into others, without a tensor of their own: a/pad"
    assert len(show_runs.fused_text(["x" * 300] * 2)) < 140


def test_fused_nodes_are_all_in_the_data(network: Compiled) -> None:
    names = [f"Relu__{i}" for i in range(30)]
    c = replace(network, report={**network.report, "fused": names})
    v = replace(verified(emulated(network.board)), layers_compared=3, layer_samples=1)
    assert "30 nodes fused into others" in shown(show_runs.verification, c, v, {})
    assert show_runs.verification_json(c, v, {})["layers_fused"] == names


def layer_of_profile(index: int) -> Any:
    step = SimpleNamespace(
        index=index, source=(f"net/depthwise_conv2d_{index}/Conv",), op="depthwise_conv2d", variant="planes.dsp",
        macs=72_000, scratch_nbytes=128, cycles=133_000,
    )  # fmt: skip
    return SimpleNamespace(
        step=step,
        instructions=103_456 + index,
        per_mac=1.4,
        cycles=140_000,
        prediction_error=-0.05,
        flash_nbytes=1_088,
        code_nbytes=88,
    )


@pytest.mark.parametrize("width", [80, 100])
def test_a_narrow_profile_keeps_what_it_is_for(width: int, network: Compiled) -> None:
    layers = tuple(map(layer_of_profile, range(12)))
    p = replace(profiled(1_680_000, emulated(network.board)), layers=layers)
    show_runs.profile(Console(file=(out := io.StringIO()), width=width), network, p)
    text = out.getvalue()
    assert "instructions" in text and all(f"{103_456 + i:,}" in text for i in range(12))
    assert "planes.dsp" not in text and "no room for: kernel" in text


def test_the_error_of_the_cost_model_is_called_so(network: Compiled) -> None:
    p = replace(profiled(1_680_000, emulated(network.board)), layers=(layer_of_profile(0),))
    text = shown(show_runs.profile, network, p)
    assert "model error" in text and "−5.0 %" in text


def test_shares_are_told_in_percent_as_on_the_page(network: Compiled) -> None:
    metrics = Metrics(rmse=0.25, mae=0.125, l2r=0.5, nse=-0.75, cos=0.875, agreement=0.96, accuracy=0.99)
    v = verified(emulated(network.board))
    words = shown(show_runs.verification, network, v, {"scores": metrics}).split("against the", 1)[1]
    assert all(text in words for text in ("99.0 %", "96.0 %", "0.25", "−0.75", "0.875"))
    assert "0.99" not in words
    verification = show_runs.verification_json(network, v, {"scores": metrics})
    assert verification["metrics"]["scores"]["accuracy"] == 0.99
    assert "99.0 %" in page(network, verification)


def test_compile_tells_flash_with_and_without_code(network: Compiled) -> None:
    report = {**network.report, "constants": 27_708, "flash": 40_676}
    text = shown(show.compiled, report, load_board("nucleo-l4r5zi"))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "flash: constants 27,708 1.3 %" in lines and "flash: with code, estimated 40,676 1.9 %" in lines
