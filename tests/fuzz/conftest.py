"""What the doors opened is put away when their tests are over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz import http_edge


@pytest.fixture(scope="session", autouse=True)
def _put_away() -> Iterator[None]:
    yield
    http_edge.close()
