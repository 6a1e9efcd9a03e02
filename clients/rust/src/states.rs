//! Questions about where a transaction stands, so that callers need not list states.
//!
//! The states themselves, and what each asks of a caller, are in the contract's `transaction.proto`.

use crate::errors::Error;
use crate::v1::{Transaction, TransactionState as State};

impl Transaction {
    /// Tell whether the provider said yes and now waits for a confirmation or a reversal.
    #[must_use]
    pub fn is_approved(&self) -> bool {
        self.known_state() == Some(State::Approved)
    }

    /// Tell whether the provider said no; `decline` says why.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        self.known_state() == Some(State::Declined)
    }

    /// Tell whether it is confirmed, or the gateway has promised to confirm it: the sale is made.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        matches!(self.known_state(), Some(State::Confirming | State::Confirmed))
    }

    /// Tell whether it is reversed, or the gateway has promised to reverse it: the sale is not made.
    #[must_use]
    pub fn is_reversed(&self) -> bool {
        matches!(self.known_state(), Some(State::Reversing | State::Reversed))
    }

    /// Tell whether the outcome is not known yet; a state this client does not know counts as such.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.known_state(), Some(State::Pending | State::Unspecified) | None)
    }

    /// Tell whether nothing will change any more: DECLINED, FAILED, CONFIRMED or REVERSED.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self.known_state(),
            Some(State::Declined | State::Failed | State::Confirmed | State::Reversed)
        )
    }

    /// Tell whether it is UNRESOLVED: an operator must decide; `evidence` says by what.
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.known_state() == Some(State::Unresolved)
    }

    /// Return the transaction, or an error if the provider said no.
    ///
    /// # Errors
    /// [`Error::Declined`].
    pub fn or_declined(self) -> Result<Self, Error> {
        if self.is_declined() {
            return Err(Error::Declined(Box::new(self)));
        }
        Ok(self)
    }

    /// The state, if this release knows it.
    pub(crate) fn known_state(&self) -> Option<State> {
        State::try_from(self.state).ok()
    }
}
