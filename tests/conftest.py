"""Fixtures that tests of several folders share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SHARED_MODELS = Path(os.environ.get("MCUCOMPILE_MODELS", Path(__file__).parents[2] / "shared" / "models"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.fixture(autouse=True)
def no_real_board(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board that happens to be plugged in is not found, and so neither programmed nor asked."""
    if request.node.get_closest_marker("board") is None:
        monkeypatch.setattr("serial.tools.list_ports.comports", list)


def pytest_configure() -> None:
    """What is printed shall not depend on how wide a terminal the tests, or their workers, were started from."""
    os.environ.pop("COLUMNS", None)


@pytest.fixture(scope="session")
def shared_model() -> Callable[[str], Path]:
    """The path of a real network by its name; skips where the collection is not installed.

    The networks are too large for the repository; MCUCOMPILE_MODELS names the folder that holds them.
    """

    def find(name: str) -> Path:
        path = SHARED_MODELS / f"{name}.onnx"
        if not path.is_file():
            pytest.skip(f"{path.name} is not here: set MCUCOMPILE_MODELS to the folder of the real networks")
        return path

    return find
