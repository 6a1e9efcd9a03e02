"""Checks the chains: every record whole and in its place, and no chain shorter than others have noted.

What is not found: that the end of a chain was cut off which no other chain, and no export kept elsewhere,
has seen. Processes note each other's ends every minute and when they begin.

A purge takes beginnings away, and records in a chain of its own where it cut: the last number it took of each
chain, and its hash. So what is left still hangs together, and nothing else may be missing.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.audit.records import AUDIT_PURGED, Head, key_of, mac_of, record_of
from giftcard_gateway.journal.notes import AuditRow

if TYPE_CHECKING:
    from giftcard_gateway.seal import Seal


_NOTHING = Head(number=0, mac="")
"""Where a chain begins that was never purged."""
_PURGE = AUDIT_PURGED.encode()


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
    cuts: Mapping[str, Head] = {}
    """How far chains were purged, by what purges recorded."""
    leftovers: int = 0
    """Records that purges took by their own word, and that are there: nothing proves who wrote them."""


Rows = Callable[[], AsyncIterator[AuditRow]]
"""Gives every record, chain by chain in the order of their numbers, anew at each call."""


async def verify(rows: Rows, seal: Seal, *, exported: Iterable[Mapping[str, object]] = ()) -> Checked:
    """Check every record; `exported` are records kept elsewhere.

    What a purge cut off is not looked at, and counted where it is there: a purge that broke off left it, or
    somebody put it in.
    """
    cuts = await _cuts(rows, seal)
    noted = {(str(one["chain"]), int(str(one["number"]))): str(one["mac"]) for one in exported}
    found: dict[tuple[str, int], str] = {}
    heads: dict[str, Head] = {}
    faults: dict[str, Broken] = {}
    leftovers = 0
    async for row in rows():
        last = heads.get(row.chain) or cuts.get(row.chain) or _NOTHING
        if last.number >= row.number and row.chain not in heads and row.chain in cuts:
            leftovers += 1
            continue
        heads[row.chain] = Head(number=row.number, mac=row.mac.hex())
        found[row.chain, row.number] = row.mac.hex()
        expected = last.number + 1
        if wrong := _wrong(row, seal, expected=expected, before=bytes.fromhex(last.mac)):
            faults.setdefault(row.chain, Broken(row.chain, min(expected, row.number), wrong))
            continue
        noted |= {(chain, at.number): at.mac for chain, at in record_of(row).heads.items()}
    for (chain, number), mac in sorted(noted.items()):
        if chain in faults or number <= cuts.get(chain, _NOTHING).number:
            continue
        if (chain, number) not in found:
            faults[chain] = Broken(chain, number, "is not there, though it was noted elsewhere")
        elif found[chain, number] != mac:
            faults[chain] = Broken(chain, number, "is another one than was noted elsewhere")
    return Checked(
        records=len(found), heads=heads, faults=tuple(faults.values()), cuts=cuts, leftovers=leftovers
    )


async def _cuts(rows: Rows, seal: Seal) -> dict[str, Head]:
    """Return how far each chain was purged; where several purges cut one, the furthest of them counts.

    A purge is the one record of its chain, so it is checked by itself, wherever it stands.
    """
    cuts: dict[str, Head] = {}
    async for row in rows():
        # Reading each record would take longer than looking for a word in it.
        if row.number != 1 or _PURGE not in row.document or _wrong(row, seal, expected=1, before=b""):
            continue
        record = record_of(row)
        for chain, cut in (record.cuts if record.act == AUDIT_PURGED else {}).items():
            cuts[chain] = max(cut, cuts.get(chain, _NOTHING), key=lambda at: at.number)
    return cuts


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
