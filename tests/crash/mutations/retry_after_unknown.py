"""Rule 3: a request without an answer is sent again where the provider promises no idempotency."""

from __future__ import annotations

import pytest

from giftcard_adapters.contract import Ending
from giftcard_gateway import lifecycle


def apply(patch: pytest.MonkeyPatch) -> None:
    """End every unknown by sending the same again."""
    patch.setattr(lifecycle, "ending", lambda *_: Ending.RESEND)
