"""A process that writes a journal until it is killed, and says on its output what was acknowledged to it.

Run as `python -m tests.journal.writer URL`. A line is a transaction id and the version that is durable.
"""

from __future__ import annotations

import asyncio
import sys

from giftcard_adapters.values.secret import Secret
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.journal.stores import open_journal
from tests.journal.samples import after, row

HANDS = 16


async def write(url: str) -> None:
    """Write without end, with many hands at once."""
    journal = open_journal(JournalSettings(url=Secret(url)))
    await journal.start()

    async def hand() -> None:
        while True:
            first = row()
            if await journal.open(first) is None:
                acknowledge(first.transaction_id, 1)
            if await journal.write(after(first, "APPROVED", driver="killed", due_at=first.due_at)):
                acknowledge(first.transaction_id, 2)

    await asyncio.gather(*(hand() for _ in range(HANDS)))


def acknowledge(transaction_id: str, version: int) -> None:
    """Say what was acknowledged; only what reached the pipe counts."""
    sys.stdout.write(f"{transaction_id} {version}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1]))
