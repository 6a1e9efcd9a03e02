"""Telemetry that is looked at, for tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world.seen import Seen


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Open telemetry that is looked at, and close it."""
    opened = Seen()
    yield opened
    opened.telemetry.close()
