"""Puts AcmeCards through the suite every adapter is put through, and plays its golden exchanges."""

from __future__ import annotations

from pathlib import Path

import pytest
from giftcard_acme_cards.descriptor import SUBJECT

from giftcard_conformance import Case, cases, goldens


@pytest.mark.parametrize("case", [*cases(SUBJECT)], ids=lambda case: case.name)
async def test_conforms(case: Case) -> None:
    """The adapter keeps the one rule the case names."""
    await case.run()


@pytest.mark.parametrize("case", [*goldens(Path(__file__).parent / "golden")], ids=lambda case: case.name)
async def test_golden(case: Case) -> None:
    """The adapter sends exactly the golden request and understands the reply as the golden says."""
    await case.run()
