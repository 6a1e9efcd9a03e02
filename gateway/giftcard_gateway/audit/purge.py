"""Cuts off what is old of the audit, so that what is left can still be checked.

First the cut is written down, durably and in a chain of its own; then each chain's first records go.
A purge that was stopped half way is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.audit.records import AUDIT_PURGED, Head, record_of
from giftcard_gateway.audit.trail import tell_once
from giftcard_gateway.audit.verify import verify
from giftcard_gateway.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from giftcard_gateway.audit.records import AuditRecord
    from giftcard_gateway.audit.verify import Checked, Rows
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.journal.notes import AuditRow
    from giftcard_gateway.seal import Seal

_PAGE = 1000


class AuditBroken(OperatorError):
    """The audit is not as it was written, so nothing of it is purged: it would hide what happened."""


async def rows_of(
    journal: Journal, known: Mapping[str, int] = MappingProxyType({})
) -> AsyncIterator[AuditRow]:
    """Give every record, chain by chain, after the last that is known of each chain; needs no `start`."""
    after = ("", 0)
    while rows := await journal.audit(after=after, limit=_PAGE):
        begin = after
        for row in rows:
            after = row.chain, row.number
            if row.number < (last := known.get(row.chain, 0)):
                # What is known is sought past, not read.
                after = row.chain, last
                break
            if row.number > last:
                yield row
        if after <= begin:
            # Its place is damaged, which is a fault by itself; what comes behind it cannot be asked for.
            return


async def purge(journal: Journal, seal: Seal, clock: Clock, *, before: datetime, record: AuditRecord) -> int:
    """Delete what happened before a time, each chain up to its first record that is not, and return how many.

    `record` says who did it. Raises AuditBroken, and JournalClosed.
    """
    checked = await verify(lambda: rows_of(journal), seal)
    if checked.faults:
        raise AuditBroken("the audit is not as it was written, so nothing was purged: run `audit verify`")
    cuts = await _cuts(lambda: rows_of(journal), checked, before)
    if any(checked.cuts.get(chain) != cut for chain, cut in cuts.items()):
        told = msgspec.structs.replace(record, act=AUDIT_PURGED, cuts=cuts)
        await tell_once(journal, seal, clock, told)
    total = 0
    for chain, cut in cuts.items():
        while gone := await journal.purge_audit(chain, until=cut.number, limit=_PAGE):
            total += gone
    return total


async def _cuts(rows: Rows, checked: Checked, before: datetime) -> Mapping[str, Head]:
    """Return where each chain is cut: before its first record that stays.

    Cuts of earlier purges are told again, as long as something that stays hangs on them or speaks of them,
    because the records that told them go some day as well.
    """
    cuts = dict(checked.cuts)
    spoken_of: set[str] = set()
    staying: set[str] = set()
    leftover: set[str] = set()
    async for row in rows():
        if row.chain in checked.cuts and row.number <= checked.cuts[row.chain].number:
            # Taken by an earlier purge, by its own word: it goes now, whatever it says.
            leftover.add(row.chain)
            continue
        if row.chain not in staying and row.at < before:
            cuts[row.chain] = Head(number=row.number, mac=row.mac.hex())
            continue
        staying.add(row.chain)
        spoken_of |= record_of(row).heads.keys()
    gone_now = {chain for chain, cut in cuts.items() if checked.cuts.get(chain) != cut}
    return {chain: cut for chain, cut in cuts.items() if chain in gone_now | staying | spoken_of | leftover}
