"""Rule 4: an approval of another amount than was asked is taken for an approval."""

from __future__ import annotations

import pytest

from giftcard_adapters.electrum import answers


def apply(patch: pytest.MonkeyPatch) -> None:
    """Find nothing to doubt."""
    patch.setattr(answers, "_doubt", lambda *_: "")
