"""A database server that a test may kill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import PostgresServer, serving


@pytest.fixture
def mortal_server() -> Iterator[PostgresServer]:
    """Give a server of the test's own."""
    with serving() as server:
        yield server
