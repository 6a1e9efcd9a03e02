"""Checks the chains: every record whole and in its place, and no chain shorter than others have noted.

What is not found: that the end of a chain was cut off which no other chain, and no export kept elsewhere,
has seen. Processes note each other's ends every minute and when they begin.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.audit.records import Head, key_of, mac_of, record_of

if TYPE_CHECKING:
    from giftcard_gateway.journal.contract import AuditRow
    from giftcard_gateway.seal import Seal


class Broken(msgspec.Struct, frozen=True):
    """The first record of a chain that is not as it was written, and what is wrong with it."""

    chain: str
    number: int
    wrong: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found; `faults` is empty when all is as it was written."""

    records: int
    heads: Mapping[str, Head]
    faults: tuple[Broken, ...]


async def verify(
    rows: AsyncIterator[AuditRow], seal: Seal, *, exported: Iterable[Mapping[str, object]] = ()
) -> Checked:
    """Check rows, chain by chain in the order of their numbers; `exported` are records kept elsewhere."""
    noted = {(str(one["chain"]), int(str(one["number"]))): str(one["mac"]) for one in exported}
    found: dict[tuple[str, int], str] = {}
    heads: dict[str, Head] = {}
    faults: dict[str, Broken] = {}
    count, before = 0, b""
    async for row in rows:
        count += 1
        head = heads.get(row.chain)
        before = bytes.fromhex(head.mac) if head else b""
        expected = head.number + 1 if head else 1
        heads[row.chain] = Head(number=row.number, mac=row.mac.hex())
        found[row.chain, row.number] = row.mac.hex()
        if wrong := _wrong(row, seal, expected=expected, before=before):
            faults.setdefault(row.chain, Broken(row.chain, min(expected, row.number), wrong))
            continue
        noted |= {(chain, at.number): at.mac for chain, at in record_of(row).heads.items()}
    for (chain, number), mac in sorted(noted.items()):
        if chain in faults:
            continue
        if (chain, number) not in found:
            faults[chain] = Broken(chain, number, "is not there, though it was noted elsewhere")
        elif found[chain, number] != mac:
            faults[chain] = Broken(chain, number, "is another one than was noted elsewhere")
    return Checked(records=count, heads=heads, faults=tuple(faults.values()))


def _wrong(row: AuditRow, seal: Seal, *, expected: int, before: bytes) -> str:
    """Say what is wrong with a row, nothing if it is as it was written."""
    if row.number != expected:
        return "is missing" if row.number > expected else "comes twice"
    key = key_of(row, seal)
    if key is None:
        return f"was chained under the hash key {row.key_id}, which is not configured here"
    mac = mac_of(key, chain=row.chain, number=row.number, document=row.document, before=before)
    if not hmac.compare_digest(mac, row.mac):
        return "was changed, or the one before it was"
    try:
        is_same_time = record_of(row).at == row.at
    except msgspec.MsgspecError:
        return "says nothing that can be read"
    return "" if is_same_time else "was moved in time"
