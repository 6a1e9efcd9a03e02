"""The frozen rounds in small: one sale and one void, thawed at two moments."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.frozen.rounds import HOLDS_S, lay
from tests.providers.cells import BY_NAME

pytestmark = pytest.mark.crash


async def test_a_request_that_its_reversal_overtook_moves_nothing(tmp_path: Path) -> None:
    """Whatever a provider that stood still handles first, its books say in the end what our states say."""
    async with lay(tmp_path) as table:
        for name in ("electrum-Redeem", "electrum-Void"):
            for hold_s in HOLDS_S:
                ended = await table.play(BY_NAME[name], hold_s)
                assert ended.is_right, ended
                assert ended.state == "REVERSED"
