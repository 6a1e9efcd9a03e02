"""Which keys rows are sealed and found under, as all processes on one journal tell each other.

Each process notes the keys that are active in it before it writes under them, so a look at one small table
shows that keys are in use which are not configured here. A note says that there may be rows, never that there
are none left: whoever retires a key leaves its note, and the next start that misses the key counts once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.errors import OperatorError
from giftcard_gateway.journal.contract import KeyInUse
from giftcard_gateway.seal import told

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.seal import Seal


class KeysUnknown(OperatorError):
    """Rows are under keys that are not configured here; the text says which, and how to go on."""


class KeysInUse:
    """The keys of one process beside those that are in use in its journal."""

    def __init__(self, journal: Journal, seal: Seal, do_without: Collection[str] = ()) -> None:
        """Keep the journal, which must be started before anything is asked; `do_without` are given up."""
        self._journal = journal
        self._active = {KeyInUse("seal", seal.active), KeyInUse("hash", seal.hash_key.key_id)}
        self._known = {KeyInUse("seal", key_id) for key_id in seal.key_ids}
        self._known |= {KeyInUse("hash", key.key_id) for key in seal.hash_keys}
        for key_id in do_without:
            self._known |= {KeyInUse("seal", key_id), KeyInUse("hash", key_id)}

    async def must_be_known(self) -> None:
        """Raise KeysUnknown where rows are under keys that are not known here; else note the active ones.

        Counts everything only where a key is missed, and forgets the notes of keys that nothing is under.
        """
        missed = set(await self._journal.keys_in_use()) - self._known
        if missed:
            counts = await self._counted()
            await self._journal.drop_keys([key for key in missed if key not in counts])
            if left := {key: counts[key] for key in sorted(missed) if key in counts}:
                raise KeysUnknown(_sentence(left))
        await self._journal.use_keys(self._active)

    async def unknown(self) -> frozenset[KeyInUse]:
        """Return the keys in use that are not known here, and note the active ones where that is not done."""
        used = set(await self._journal.keys_in_use())
        if not self._active <= used:
            await self._journal.use_keys(self._active)
        return frozenset(used - self._known)

    async def _counted(self) -> Mapping[KeyInUse, int]:
        counts: dict[KeyInUse, int] = {}
        for one in await self._journal.seals():
            key = KeyInUse("seal", told(one.head)[0])
            counts[key] = counts.get(key, 0) + one.count
        found = await self._journal.indexed()
        return counts | {KeyInUse("hash", key_id): count for key_id, count in found.items()}


def _sentence(left: Mapping[KeyInUse, int]) -> str:
    words = {
        "seal": "{count:,} documents are sealed under the key {key_id}",
        "hash": "{count:,} transactions are found by the hash key {key_id}",
    }
    parts = [words[key.kind].format(count=count, key_id=key.key_id) for key, count in left.items()]
    return (
        f"in the journal {' and '.join(parts)}, and not configured here:"
        " add what is missing to seal.keys or seal.hash_keys;"
        " if nobody has it any more, name it in seal.do_without and what is under it is left alone"
    )
