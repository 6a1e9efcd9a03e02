"""One fixture for all journals: each test that asks for `place` or `journal` runs once on every kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from giftcard_gateway.journal.contract import Journal
from giftcard_gateway.journal.postgres.journal import Postgres
from tests.journal.places import Place, Server, file
from tests.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "inline", pytest.param("postgres", marks=pytest.mark.postgres)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Give an empty database of each kind."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return await server_place(server)
    return file(request.param, tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database without a schema, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/journal.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return await server.create_database()


@pytest.fixture
async def journal(place: Place) -> AsyncIterator[Journal]:
    """Give a started journal on an empty database of each kind."""
    started = place.journal()
    await started.start()
    yield started
    await started.close()


async def server_place(server: PostgresServer) -> Server:
    """Return a new database with the schema in place."""
    url = await server.create_database()
    await Postgres(url).upgrade()
    return Server(url)
