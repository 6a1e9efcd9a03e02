"""Which cell a tenant's transactions are kept in, and whether this process serves it (decision 0070).

A process serves one cell: its journal is that cell's, and what is of another cell is refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.access.metadata import EVERY_TENANT, TENANT
from giftcard_gateway.config.settings import DEFAULT_CELL
from giftcard_gateway.errors import CellNotServed, InvalidRequest
from giftcard_gateway.ledger.tenants import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from giftcard_gateway.config.settings import Settings


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """The cell that a process serves, beside others."""

    name: str
    homes: Mapping[str, str]
    """The cell of each tenant that names one."""
    leaving: frozenset[str] = frozenset()
    """Tenants that no cell serves, because they are moved into another."""

    def home_of(self, tenant: str) -> str:
        """Return the name of a tenant's cell; empty for one that names none, which none serves.

        A tenant that the settings lost would else be new in the default cell, and its ids with it.
        """
        return self.homes.get(tenant, DEFAULT_CELL if tenant == DEFAULT_TENANT else "")

    def keeps(self, tenant: str) -> bool:
        """Tell whether a tenant's transactions are in this cell."""
        return self.home_of(tenant) == self.name

    def serves(self, tenant: str) -> bool:
        """Tell whether anything of a tenant is taken here: its transactions are in this cell, and stay."""
        return tenant not in self.leaving and self.keeps(tenant)

    def demand(self, tenant: str) -> None:
        """Raise CellNotServed for a tenant of another cell or of none, or that leaves this one.

        Raises InvalidRequest for every tenant at once.
        """
        if tenant == EVERY_TENANT:
            fault = (
                "must name one tenant here: this gateway serves one cell, and * would leave out the others"
            )
            raise InvalidRequest([(TENANT, fault)])
        if not self.serves(tenant):
            raise CellNotServed(cell=self.home_of(tenant))


def cell_of(settings: Settings) -> Cell | None:
    """Return the cell that the settings have this process serve; None where there is one journal for all."""
    if not settings.cells:
        return None
    homes = {tenant: one.cell for tenant, one in settings.tenants.items()}
    leaving = frozenset(tenant for tenant, one in settings.tenants.items() if one.leaving)
    return Cell(name=settings.server.cell, homes=homes, leaving=leaving)
