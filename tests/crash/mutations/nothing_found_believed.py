"""Rule 8: a request that cannot be found yet is taken for one that never was."""

from __future__ import annotations

import pytest

from giftcard_gateway.ledger import settling


def apply(patch: pytest.MonkeyPatch) -> None:
    """Let every request have settled at once."""
    patch.setattr(settling, "is_over", lambda _entry, _settling, _at: True)
