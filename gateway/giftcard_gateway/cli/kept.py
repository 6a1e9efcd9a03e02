"""Refuses commands that are for a tenant of another cell than the one they work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.access.cells import cell_of
from giftcard_gateway.cli.faults import CannotDo

if TYPE_CHECKING:
    from giftcard_gateway.config import Settings


def demand_kept(settings: Settings, tenant: str | None) -> None:
    """Raise CannotDo for a tenant of another cell than the one that the settings have served."""
    cell = cell_of(settings)
    if cell is not None and tenant is not None and not cell.keeps(tenant):
        raise CannotDo(
            f"--tenant {tenant} is in the cell {cell.home_of(tenant)}, and server.cell is {cell.name}"
        )
