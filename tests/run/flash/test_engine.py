"""What several engines hold a part at."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobs import job

from mcucompile.errors import CompileError
from mcucompile.run.flash.engine import check_chip_id


@pytest.mark.parametrize("board", ["stm32f4-discovery", "netduino-plus-2"])
def test_ids_of_all_revisions(tmp_path: Path, board: str) -> None:
    """0x413 by ST's RM0090; parts of revision A read 0x411 by the errata sheet ES0182, with 0x2000 as the revision."""
    made = job(tmp_path, board)
    for word in (0x10076413, 0x20006411):
        check_chip_id(made, word)
    with pytest.raises(CompileError) as caught:
        check_chip_id(made, 0x10006421)
    assert caught.value.code == "E0805"
