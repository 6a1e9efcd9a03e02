"""A database server that a test may kill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgres import PostgresServer


@pytest.fixture
def mortal_server() -> Iterator[PostgresServer]:
    """Give a server of the test's own."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()
