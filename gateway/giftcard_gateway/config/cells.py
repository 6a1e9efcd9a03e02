"""The cells of a configuration: which there are, which one this process serves, and what is wrong with them.

Nothing outside of this room knows that there are several journals: once read, `journal` is the served cell's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from giftcard_gateway.config.settings import DEFAULT_CELL, Settings
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.ledger.tenants import DEFAULT_TENANT


def every(settings: Settings) -> Mapping[str, tuple[str, JournalSettings]]:
    """Return each cell by its name, with the path of its table; of settings as they stand in the file."""
    named = {name: (f"cells.{name}", cell) for name, cell in settings.cells.items() if name != DEFAULT_CELL}
    return {DEFAULT_CELL: ("journal", settings.journal), **named}


def served(settings: Settings) -> Settings:
    """Return checked settings whose `journal` is the served cell's, and whose `cells` are all there are."""
    if not settings.cells:
        return settings
    cells = {name: cell for name, (_, cell) in every(settings).items()}
    return msgspec.structs.replace(settings, journal=cells[settings.server.cell], cells=cells)


def faults(settings: Settings) -> Iterator[str]:
    """Give what is wrong with the cells' names, places and tenants."""
    cells = every(settings)
    known = ", ".join(cells)
    if DEFAULT_CELL in settings.cells:
        yield f"cells.{DEFAULT_CELL} must have another name: the cell {DEFAULT_CELL} is [journal]"
    if settings.cells and not settings.server.cell:
        yield f"server.cell is missing: a process serves one cell, and there are {known}"
    elif settings.server.cell and settings.server.cell not in cells:
        yield f"server.cell names no cell; known are {known}"
    for tenant, one in settings.tenants.items():
        if one.cell not in cells:
            yield f"tenants.{tenant}.cell names no cell; known are {known}"
        elif tenant == DEFAULT_TENANT and one.cell != DEFAULT_CELL:
            yield f"tenants.{tenant}.cell must be {DEFAULT_CELL}: that tenant may have transactions already"
    yield from _homeless(settings)
    seen: dict[str, str] = {}
    for path, cell in cells.values():
        for setting in ("url", "listen_url"):
            url = getattr(cell, setting).reveal()
            other = seen.setdefault(_database(url), path) if url else path
            if other != path:
                yield f"{path}.{setting} must not be the database of {other}: each cell is one of its own"


def _homeless(settings: Settings) -> Iterator[str]:
    for provider_id, provider in settings.providers.items() if settings.cells else ():
        if provider.tenant not in {DEFAULT_TENANT, *settings.tenants}:
            yield f"providers.{provider_id}.tenant has no cell: give it one by [tenants.{provider.tenant}]"


def _database(url: str) -> str:
    """Return a URL without who connects, and with one word for each kind."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    scheme = "postgresql" if parts.scheme == "postgres" else parts.scheme
    return f"{scheme}://{parts.netloc.rpartition('@')[2].lower()}{parts.path}?{parts.query}"
