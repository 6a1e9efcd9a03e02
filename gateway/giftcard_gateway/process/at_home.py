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


class CellUnread(OperatorError):
    """Another cell cannot tell whether it has transactions of a new tenant; the text says which, and why."""


class TenantMoved(OperatorError):
    """A tenant's transactions are in another cell than the settings say; the text says whose, and where."""


async def must_be_at_home(journal: Journal, settings: Settings, cell: Cell) -> None:
    """Raise TenantMoved where a tenant has transactions in another cell than it names, or in two.

    Who leaves its cell is served by none, and may be in two. Raises CellUnread where another cell cannot be
    read and a tenant has nothing here yet; else one that is away keeps no gateway of another from starting.
    """
    known: list[str] = []
    fresh: list[str] = []
    for tenant, home in cell.homes.items():
        if tenant in cell.leaving:
            continue
        is_here = bool(await journal.list(RowQuery(tenant=tenant, limit=1)))
        if is_here and home != cell.name:
            raise TenantMoved(_sentence(tenant, home, cell.name))
        if home == cell.name:
            (known if is_here else fresh).append(tenant)
    for name, place in settings.cells.items() if known or fresh else ():
        if name == cell.name:
            continue
        try:
            found = await _found(open_journal(place), [*known, *fresh])
        except OperatorError as fault:
            if not fresh:
                continue
            raise CellUnread(
                f"the cell {name} cannot tell whether it has transactions of {', '.join(fresh)},"
                f" who have none in {cell.name} yet: {fault}"
            ) from None
        for tenant in found:
            told = _half_moved if tenant in known else _sentence
            raise TenantMoved(told(tenant, cell.name, name))


async def _found(other: Journal, tenants: list[str]) -> list[str]:
    """Return which of these tenants have transactions in a journal that this process does not serve."""
    if not other.is_shared:
        # Read beside the one process that may have it open.
        is_there = bool((await other.schema()).found)
        return await _with_any(other, tenants) if is_there else []
    await other.start()
    try:
        return await _with_any(other, tenants)
    finally:
        await other.close()


async def _with_any(journal: Journal, tenants: list[str]) -> list[str]:
    return [one for one in tenants if await journal.list(RowQuery(tenant=one, limit=1))]


def _sentence(tenant: str, home: str, found: str) -> str:
    return (
        f"tenants.{tenant}.cell is {home}, and the tenant has transactions in the cell {found}:"
        " a tenant that has any cannot change its cell, because its ids would be taken for new"
    )


def _half_moved(tenant: str, home: str, found: str) -> str:
    return (
        f"the tenant {tenant} has transactions in two cells, {home} and {found}, and its ids could be taken"
        " for new: give it back the cell that it came from, with leaving = true, and run `cells move` again"
    )
