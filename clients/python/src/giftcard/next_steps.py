"""What to do after an error, in a sentence: read off what was asked and what came of it."""

from __future__ import annotations

from giftcard.abouts import CallPhase

CLOSED = "Make a new client: this one is closed, and nothing was sent."
NOT_SENT = "Mend what gives the client its token or metadata, then repeat: nothing was sent."
INVALID = "Correct the fields named in `violations`; nothing was changed."
UNAUTHENTICATED = "Sign in again, then repeat the same call; nothing was changed."
PERMISSION = "Have the scope named in `metadata` granted; nothing was changed."
NOT_FOUND = "Look at the id and at who may see it; `reason` says what is not there."
CONFLICT = "Read the transaction: its state says what was decided. A new operation needs a new id."
UNSUPPORTED = "Do without it: ListProviders tells what each provider does."
LATER = "Repeat it later; nothing was done."
CONFIRMED = "Nothing: the sale is made. Do not hand over the goods again."
REVERSED = "Nothing: no money is taken. A new attempt needs a new transaction id."
PERSON = "Wait for an operator, who has to decide it; do not hand over the goods."
PENDING = "Do not hand over the goods: read the transaction later, or reverse it."
APPROVED = "Confirm it or reverse it, before its `confirm_by`."
DECLINED = "Ask for another card or amount, under a new transaction id; no money moved."

REPEAT_CONFIRMATION = (
    "This is no failed payment, and the goods may be gone: repeat the confirmation with the same transaction"
    " id until the gateway has promised it, before the transaction's `confirm_by`."
)
READ_AFTER_CONFIRMATION = (
    "This is no failed payment, and the goods may be gone: read the transaction. If it is reversed, take the"
    " goods back or ask for the money again, under a new transaction id."
)

_OPEN = {
    CallPhase.ASKED: (
        "It may have happened: ask again with the same transaction id, read the transaction, or reverse it."
    ),
    CallPhase.CONFIRMING: REPEAT_CONFIRMATION,
    CallPhase.REVERSING: "Reverse again with the same transaction id, until the gateway has promised it.",
    CallPhase.READING: "Read again: a read changes nothing.",
    CallPhase.CHANGING: "It may have happened: read how things stand before you repeat it.",
    CallPhase.UNKNOWN: "It may have happened: read how things stand before you repeat it.",
}


def after_open(phase: CallPhase) -> str:
    """Say what to do when a call may have had its effect."""
    return _OPEN[phase]


def after_unavailable(phase: CallPhase) -> str:
    """Say what to do when nothing was done, and may be done later."""
    if phase is CallPhase.CONFIRMING:
        return REPEAT_CONFIRMATION
    if phase in {CallPhase.ASKED, CallPhase.REVERSING}:
        return "Repeat it later with the same transaction id; nothing was done."
    return LATER
