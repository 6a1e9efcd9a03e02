"""Keeps a process from serving a tenant whose transactions are in another cell than the settings say.

An id that is known in one cell would be new in another, and its money would move twice (rule 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.errors import OperatorError
from giftcard_gateway.journal.contract import RowQuery
from giftcard_gateway.journal.stores import open_journal

if TYPE_CHECKING:
    from giftcard_gateway.access.cells import Cell
    from giftcard_gateway.config.settings import Settings
    from giftcard_gateway.journal.contract import Journal

_BATCH = 500


class CellUnread(OperatorError):
    """Another cell cannot tell whether it has transactions of a new tenant; the text says which, and why."""


class TenantMoved(OperatorError):
    """A tenant's transactions are in another cell than the settings say; the text says whose, and where."""


async def must_be_at_home(journal: Journal, settings: Settings, cell: Cell) -> None:
    """Raise TenantMoved where a tenant that names a cell has transactions in another one.

    Other cells are asked only for tenants that have nothing here yet, so one that is away keeps no gateway of
    another from starting, unless a tenant is new. Raises CellUnread where such a cell cannot be read.
    """
    fresh = []
    for tenant, home in cell.homes.items():
        is_here = bool(await journal.list(RowQuery(tenant=tenant, limit=1)))
        if is_here and home != cell.name:
            raise TenantMoved(_sentence(tenant, home, cell.name))
        if not is_here and home == cell.name:
            fresh.append(tenant)
    for name, place in settings.cells.items() if fresh else ():
        if name == cell.name:
            continue
        other = open_journal(place)
        try:
            found = await _found(other, fresh)
        except OperatorError as fault:
            raise CellUnread(
                f"the cell {name} cannot tell whether it has transactions of {', '.join(fresh)},"
                f" who have none in {cell.name} yet: {fault}"
            ) from None
        for tenant in found:
            raise TenantMoved(_sentence(tenant, cell.name, name))


async def _found(other: Journal, tenants: list[str]) -> list[str]:
    """Return which of these tenants have transactions in a journal that this process does not serve."""
    if not other.is_shared:
        return await _found_beside(other, tenants)
    await other.start()
    try:
        return [one for one in tenants if await other.list(RowQuery(tenant=one, limit=1))]
    finally:
        await other.close()


async def _found_beside(other: Journal, tenants: list[str]) -> list[str]:
    """Do the same where one process may have it open: it is read beside that one, and so read whole."""
    if not (await other.schema()).found:
        return []
    wanted, last = set(tenants), ""
    while rows := await other.rows_after(last, _BATCH):
        if here := wanted.intersection(row.tenant for row in rows):
            return sorted(here)
        last = rows[-1].transaction_id
    return []


def _sentence(tenant: str, home: str, found: str) -> str:
    return (
        f"tenants.{tenant}.cell is {home}, and the tenant has transactions in the cell {found}:"
        " a tenant that has any cannot change its cell, because its ids would be taken for new"
    )
