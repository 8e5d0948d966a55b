"""The file pyocd.yaml, which pyOCD reads wherever it is started; of what is wrong in it pyOCD says nothing useful."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...errors import CompileError

NAMES = ("pyocd.yaml", "pyocd.yml", ".pyocd.yaml", ".pyocd.yml")  # of these it takes the first


def check_settings() -> None:
    """Raises E0702 for a file that is no YAML, or does not give options by their names."""
    from yaml import YAMLError, safe_load  # type: ignore[import-untyped]

    path = settings_file()
    if path is None:
        return
    try:
        with path.open() as file:
            content = safe_load(file)
    except (YAMLError, ValueError) as e:
        raise bad_settings(str(e)) from e
    except OSError:
        return  # pyOCD goes on without a file that it may not read
    if not _is_table(content):
        raise bad_settings("it is not of the form `option: value`")
    probes = (content or {}).get("probes")
    if not _is_table(probes) or not all(map(_is_table, (probes or {}).values())):
        raise bad_settings("`probes` is not of the form `id: {option: value}`")


def settings_file() -> Path | None:
    folder = Path(os.environ.get("PYOCD_PROJECT_DIR") or Path.cwd())
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def bad_settings(why: str) -> CompileError:
    where = str(settings_file() or "")
    return CompileError("E0702", "pyOCD's settings cannot be read", where, why, "mend the file, or start elsewhere")


def _is_table(value: Any) -> bool:
    """What is left empty will do."""
    return value is None or isinstance(value, dict)
