"""What becomes of an event whose account is kept in another cell than the one served."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from giftcard_gateway.access.cells import Cell
from tests.gateway.webhooks.edge import open_edge
from tests.world.app import edge_of


@pytest.mark.parametrize(
    ("cell", "leaving", "status"), [("eu", (), 503), ("default", ("default",), 503), ("default", (), 200)]
)
async def test_an_event_of_another_cell_s_account_comes_again(
    cell: str, leaving: tuple[str, ...], status: int
) -> None:
    """Where the account's tenant is kept in another cell, or soon, it is not kept, nor refused for good."""
    async with open_edge() as edge:
        edge_of(edge.app).cell = Cell(name=cell, homes={}, leaving=frozenset(leaving))
        answer = await edge.post("gr4vy", edge.event_of("gr4vy"))
        assert answer.status_code == status
        assert len(await edge.kept()) == (status == HTTPStatus.OK)
