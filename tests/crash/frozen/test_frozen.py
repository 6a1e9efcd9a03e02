"""The rounds in small: one sale and one void, thawed at two moments, and one in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.frozen.rounds import HOLDS_S, Step, lay
from tests.providers.cells import BY_NAME

pytestmark = pytest.mark.crash


async def test_a_request_that_its_reversal_overtook_moves_nothing(tmp_path: Path) -> None:
    """Whatever a provider that stood still handles first, its books say in the end what our states say."""
    async with lay(tmp_path) as table:
        for name in ("electrum-Redeem", "electrum-Void"):
            for hold_s in HOLDS_S:
                ended = await table.play(BY_NAME[name], Step.REQUEST, hold_s)
                while ended.is_right and ended.state == "FAILED":  # on a slow machine it was never sent
                    ended = await table.play(BY_NAME[name], Step.REQUEST, hold_s)
                assert ended.is_right, ended
                assert ended.state == "REVERSED"


async def test_advices_reach_a_provider_that_stood_still(tmp_path: Path) -> None:
    """A decision made while the provider stands still, or another answers for it, is kept in the end."""
    sale = BY_NAME["electrum-Redeem"]
    async with lay(tmp_path) as table:
        for step, state in ((Step.CONFIRM, "CONFIRMED"), (Step.REVERSE, "REVERSED")):
            for ended in (await table.play(sale, step, HOLDS_S[0]), await table.interrupt(sale, step, 0)):
                assert ended.is_right, ended
                assert ended.state == state
