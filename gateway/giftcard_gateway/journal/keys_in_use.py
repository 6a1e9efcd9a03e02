"""Which keys rows are sealed and found under, as all processes on one journal tell each other.

Each process notes the keys that are active in it before it writes under them, so a look at one small table
shows that keys are in use which are not configured here. A note says that there may be rows, never that there
are none left: whoever retires a key leaves its note, and the next start that misses the key counts once.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from giftcard_gateway.errors import OperatorError
from giftcard_gateway.journal.notes import KeyInUse
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
        keys = [KeyInUse("seal", key_id, told_by) for key_id, told_by in seal.fingerprints.items()]
        keys += [KeyInUse("hash", key.key_id, key.fingerprint) for key in seal.hash_keys]
        self._known = {key.place: key for key in keys}
        self._active = (self._known["seal", seal.active], self._known["hash", seal.hash_key.key_id])
        self._given_up = frozenset(do_without)

    async def must_be_known(self) -> None:
        """Raise KeysUnknown where rows are under keys that are not known here; else note the active ones.

        Counts everything only where a key is missed, and forgets the notes of keys that nothing is under.
        """
        missed = await self._missed()
        if missed:
            counts = await self._counted()
            await self._journal.drop_keys([key for key in missed if key.place not in counts])
            if left := {key: counts[key.place] for key in sorted(missed) if key.place in counts}:
                raise KeysUnknown(self._sentence(left))
        await self._journal.use_keys(self._active)
        # Another process may have noted another key under the same id at the same moment: one of us stops.
        if clash := [key for key in await self._missed() if key.place in self._known]:
            raise KeysUnknown(self._sentence(dict.fromkeys(clash, 0)))

    async def unknown(self) -> frozenset[KeyInUse]:
        """Return the keys in use that are not known here, and note the active ones where that is not done."""
        used = {key.place for key in await self._journal.keys_in_use()}
        if not {key.place for key in self._active} <= used:
            await self._journal.use_keys(self._active)
        return await self._missed()

    async def _missed(self) -> frozenset[KeyInUse]:
        """Return the keys in use that are not here, or are other keys under the same ids."""
        return frozenset(key for key in await self._journal.keys_in_use() if self._is_missed(key))

    def _is_missed(self, noted: KeyInUse) -> bool:
        mine = self._known.get(noted.place)
        is_here = mine is not None and noted.fingerprint in {"", mine.fingerprint}
        return not is_here and noted.key_id not in self._given_up

    async def _counted(self) -> Mapping[tuple[str, str], int]:
        counts = Counter[tuple[str, str]]()
        for one in await self._journal.seals():
            counts["seal", told(one.head)[0]] += one.count
        counts.update({("hash", key_id): count for key_id, count in (await self._journal.indexed()).items()})
        return counts

    def _sentence(self, left: Mapping[KeyInUse, int]) -> str:
        parts = [
            _WORDS[key.kind].format(count=count, key_id=key.key_id) + self._told_apart(key)
            for key, count in left.items()
        ]
        return (
            f"in the journal {' and '.join(parts)}, and not configured here:"
            " add what is missing to seal.keys or seal.hash_keys, and give a new key an id of its own;"
            " if nobody has it any more, name it in seal.do_without and what is under it is left alone"
        )

    def _told_apart(self, key: KeyInUse) -> str:
        """Say which key is meant where there is another under its id."""
        mine = self._known.get(key.place)
        return f" with the fingerprint {key.fingerprint} (here it is {mine.fingerprint})" if mine else ""


_WORDS = {
    "seal": "{count:,} documents are sealed under the key {key_id}",
    "hash": "{count:,} transactions are found by the hash key {key_id}",
}
