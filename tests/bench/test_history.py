"""The layouts that are measured beside each other: each lives through what is measured."""

from __future__ import annotations

import asyncpg
import pytest

from tests.bench.history.layouts import LAYOUTS, Layout
from tests.bench.history.life import BATCH, SETTINGS, cost, fill, lay_out
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
async def test_each_layout_takes_a_life(postgres_server: PostgresServer, layout: Layout) -> None:
    """Each is filled, written in, claimed from and purged, and its first month is gone then."""
    session = await asyncpg.connect(await postgres_server.create_database(), server_settings=SETTINGS)
    await lay_out(session, layout)
    await fill(session, layout, 600)
    costs = await cost(session, layout, 600, BATCH * 4)
    await session.close()
    assert costs.figures["WAL bytes a transaction"] > 0
    assert costs.figures["purge of a month, rows"] == pytest.approx(600 * 31 / 400, abs=1)
