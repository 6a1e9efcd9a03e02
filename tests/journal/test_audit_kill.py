"""A process that is killed while it writes its audit leaves a chain that holds."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from giftcard_gateway.audit.verify import verify
from tests.journal.places import Place
from tests.journal.test_audit_tampering import SEAL, rows_of

_TOLD = 50
"""Records that the process said were durable before it is killed."""
_WRITER = """
import asyncio, sys
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.audit.records import AuditRecord
from giftcard_gateway.audit.trail import Trail
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.journal.stores import open_journal
from tests.journal.test_audit_tampering import AT, SEAL

async def main():
    journal = open_journal(JournalSettings(url=Secret(sys.argv[1])))
    await journal.start()
    trail = Trail(journal, SEAL, SystemClock(), name="killed")
    await trail.start()
    while True:
        await trail.tell(AuditRecord(at=AT, act="Redeem"))
        print("durable", flush=True)

asyncio.run(main())
"""


async def test_a_killed_process_leaves_a_chain_that_holds(place: Place) -> None:
    """After a kill -9 every record that was told to be durable is there, and the chain has no fault."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _WRITER,
        place.url,
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert writer.stdout is not None
    heard = [await writer.stdout.readline() for _ in range(_TOLD)]
    writer.kill()
    heard += (await writer.stdout.read()).splitlines()
    await writer.wait()
    checked = await verify(lambda: rows_of(place.journal()), SEAL)
    assert checked.faults == ()
    assert heard[0].strip() == b"durable"
    # The chain's beginning is a record too, and one may have become durable unheard.
    assert len(heard) + 1 <= checked.records <= len(heard) + 2
