"""Plays every golden exchange of every provider of this repository.

What is played is JSON below golden/; how, is in `giftcard_conformance.golden`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from giftcard_conformance import Case, goldens

FOLDER = Path(__file__).parent / "golden"


@pytest.mark.parametrize("case", [*goldens(FOLDER)], ids=lambda case: case.name)
async def test_golden(case: Case) -> None:
    """The adapter sends exactly the golden request and understands the reply as the golden says."""
    await case.run()
