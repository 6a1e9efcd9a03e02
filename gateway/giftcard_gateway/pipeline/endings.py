"""How people end what nobody could: one by their word, or one who asks and another who approves.

Whoever asked never approves. Only names are known: one is one person within a tenant, however it signs in,
and a person with two names is two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from giftcard_gateway.access.identities import SignIn
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.entry import AskedEnd, Entry, State
from giftcard_gateway.pipeline.refusals import conflict, said_of

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from giftcard_gateway.access.identities import Identity


def resolved(
    entry: Entry, state: State, note: str, by: Identity, *, at: datetime, waits: timedelta | None
) -> Entry:
    """Return `entry` ended by `by`, or asked to end where that `waits` for a second person; itself if it is.

    Raises StateConflict.
    """
    if entry.state is state and entry.note == note:
        return entry
    if entry.state is not State.UNRESOLVED:
        raise conflict(
            entry, f"Only an UNRESOLVED transaction can be resolved, and this one {said_of(entry)}"
        )
    if waits is None:
        return lifecycle.resolve(entry, state, note, at, by.name)
    asked = _asked(entry, at)
    if asked is None:
        return lifecycle.ask_end(
            entry,
            AskedEnd(
                state=state, note=note, at=at, expires_at=at + waits, actor=by.name, signature=_signature(by)
            ),
        )
    if (asked.state, asked.note) != (state, note):
        raise conflict(
            entry, f"{asked.actor} asked to end it as {asked.state}: have that approved or refused first."
        )
    return entry


def reviewed(entry: Entry, state: State, note: str, by: Identity, *, at: datetime, approves: bool) -> Entry:
    """Return `entry` ended as another identity asked, or waiting for nobody; raise StateConflict."""
    asked = _asked(entry, at)
    if entry.state is not State.UNRESOLVED or asked is None or asked.state is not state:
        raise conflict(
            entry, f"Nobody asks, or no more, to end this transaction as {state}: it {said_of(entry)}"
        )
    if asked.signature in _signatures(by):
        raise conflict(entry, "You asked for this end yourself: another identity has to review it.")
    review = lifecycle.approve_end if approves else lifecycle.refuse_end
    return review(entry, asked, note, at, by.name)


def _asked(entry: Entry, at: datetime) -> AskedEnd | None:
    """Return the end that somebody asked for and that can still be approved."""
    asked = entry.asked_end
    return asked if asked is not None and asked.expires_at > at else None


def _signature(by: Identity) -> str:
    """Return what tells an identity from every other, of whichever tenant."""
    return f"{by.home or by.tenant}:{by.signature}"


def _signatures(by: Identity) -> set[str]:
    """Return the signatures of all that go by this name in this tenant: one may have a key and a token."""
    return {_signature(msgspec.structs.replace(by, sign_in=kind)) for kind in SignIn}
