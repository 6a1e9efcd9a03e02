"""Whether a repeated request, or a repeated decision, is the same one (rules 1 and 7).

Content is every field of the operation except when it was asked and its labels. Deadline and trace
are not part of an operation at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.errors import StateConflict

if TYPE_CHECKING:
    from giftcard_adapters.values.advices import AdviceWords
    from giftcard_adapters.values.money import Money
    from giftcard_adapters.values.operations import AnyOperation
    from giftcard_adapters.values.point_of_sale import Tender
    from giftcard_gateway.ledger.entry import Entry, WantedReversal

_NOT_CONTENT = frozenset({"requested_at", "labels"})


def first_difference(recorded: AnyOperation, repeated: AnyOperation) -> str | None:
    """Return the path of the first field that differs, None when the content is the same."""
    if type(recorded) is not type(repeated):
        return "operation"
    return _difference(recorded, repeated, skipped=_NOT_CONTENT)


def _difference(
    ours: msgspec.Struct, theirs: msgspec.Struct, skipped: frozenset[str] = frozenset()
) -> str | None:
    for name in ours.__struct_fields__:
        left, right = getattr(ours, name), getattr(theirs, name)
        if name in skipped or left == right:
            continue
        if isinstance(left, msgspec.Struct) and type(left) is type(right):
            inner = _difference(left, right)
            return f"{name}.{inner}" if inner else name
        return name
    return None


def must_repeat(entry: Entry, amount: Money | None, field: str) -> None:
    """Refuse a repeat that would decide something else than what was decided."""
    decided = entry.advice.amount if entry.advice else None
    whole = entry.outcome.approved if entry.outcome else None
    if (amount or whole) != (decided or whole):
        raise _decided_already(entry, field)


def must_repeat_words(entry: Entry, words: AdviceWords, tenders: tuple[Tender, ...] = ()) -> None:
    """Refuse a repeat that tells of other payments, numbers or ids; one that tells none repeats the decision.

    The note is for people, and the first one is kept.
    """
    if entry.advice is None:
        return
    for field, repeated in {**words.words(), "tenders": tenders}.items():
        told = getattr(entry.advice, field)
        if field != "note" and repeated and told and repeated != told:
            raise _decided_already(entry, field)


def must_want(entry: Entry, wanted: WantedReversal, amount: Money | None) -> None:
    """Refuse a repeat that would put back another part than the reversal that waits for the outcome."""
    whole = entry.ask.amount if entry.ask else None
    if (amount or whole) != (wanted.amount or whole):
        raise _decided_already(entry, "amount")


def _decided_already(entry: Entry, field: str) -> StateConflict:
    return StateConflict(
        f"A transaction is confirmed or reversed once, and this one is, with another `{field}`; "
        "a further part needs a transaction of its own.",
        state=entry.state.value,
        field=field,
        transaction_id=entry.callers_id,
    )
