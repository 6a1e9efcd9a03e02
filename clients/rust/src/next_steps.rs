//! What to do after an error, in a sentence: read off what was asked and what came of it.

use crate::calls::Phase;
use crate::v1::TransactionState as State;

pub(crate) const NOT_SENT: &str =
    "Mend what gives the client its token or metadata, then repeat: nothing was sent.";
pub(crate) const INVALID: &str = "Correct the fields named in `violations`; nothing was changed.";
pub(crate) const UNAUTHENTICATED: &str = "Sign in again, then repeat the same call; nothing was changed.";
pub(crate) const PERMISSION: &str = "Have the scope named in `metadata` granted; nothing was changed.";
pub(crate) const NOT_FOUND: &str = "Look at the id and at who may see it; `reason` says what is not there.";
pub(crate) const CONFLICT: &str =
    "Read the transaction: its state says what was decided. A new operation needs a new id.";
pub(crate) const UNSUPPORTED: &str = "Do without it: ListProviders tells what each provider does.";
const LATER: &str = "Repeat it later; nothing was done.";
const CONFIRMED: &str = "Nothing: the sale is made. Do not hand over the goods again.";
const REVERSED: &str = "Nothing: no money is taken. A new attempt needs a new transaction id.";
const PERSON: &str = "Wait for an operator, who has to decide it; do not hand over the goods.";
const PENDING: &str = "Do not hand over the goods: read the transaction later, or reverse it.";
const APPROVED: &str = "Confirm it or reverse it, before its `confirm_by`.";
const DECLINED: &str = "Ask for another card or amount, under a new transaction id; no money moved.";
pub(crate) const REPEAT_CONFIRMATION: &str = "This is no failed payment, and the goods may be gone: \
    repeat the confirmation with the same transaction id until the gateway has promised it, before the \
    transaction's `confirm_by`.";
pub(crate) const READ_AFTER_CONFIRMATION: &str = "This is no failed payment, and the goods may be gone: \
    read the transaction. If it is reversed, take the goods back or ask for the money again, under a new \
    transaction id.";

/// Say what to do when a call may have had its effect.
pub(crate) fn after_open(phase: Phase) -> &'static str {
    match phase {
        Phase::Asked => {
            "It may have happened: ask again with the same transaction id, read the transaction, or reverse \
             it."
        }
        Phase::Confirming => REPEAT_CONFIRMATION,
        Phase::Reversing => "Reverse again with the same transaction id, until the gateway has promised it.",
        Phase::Reading => "Read again: a read changes nothing.",
        Phase::Changing | Phase::Unknown => {
            "It may have happened: read how things stand before you repeat it."
        }
    }
}

/// Say what to do when nothing was done, and may be done later.
pub(crate) fn after_unavailable(phase: Phase) -> &'static str {
    match phase {
        Phase::Confirming => REPEAT_CONFIRMATION,
        Phase::Asked | Phase::Reversing => "Repeat it later with the same transaction id; nothing was done.",
        Phase::Reading | Phase::Changing | Phase::Unknown => LATER,
    }
}

/// Say what to do about a transaction that is not approved.
pub(crate) fn after_state(state: Option<State>) -> &'static str {
    match state {
        Some(State::Approved) => APPROVED,
        Some(State::Declined) => DECLINED,
        Some(State::Failed | State::Reversing | State::Reversed) => REVERSED,
        Some(State::Confirming | State::Confirmed) => CONFIRMED,
        Some(State::Unresolved) => PERSON,
        Some(State::Unspecified | State::Pending) | None => PENDING,
    }
}
