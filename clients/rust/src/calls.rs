//! What a call is: its request says which call it is, what answers it and which part of a transaction's life
//! it is.
//!
//! The implementations are generated from the contract, one for each unary call.

use std::fmt;
use std::time::Duration;

use crate::generated::calls::phase_of;
use crate::v1;

/// Which part of a transaction's life a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// A money operation was asked for: without an answer it may have happened.
    Asked,
    /// An approved transaction is made final: the goods may be gone.
    Confirming,
    /// A transaction is taken back.
    Reversing,
    /// A read: it changed nothing.
    Reading,
    /// A change that is no money operation, such as storing a card.
    Changing,
    /// Nobody said: an error was read without its request.
    Unknown,
}

/// A request of a unary call of the contract.
pub trait Rpc: prost::Message + Clone + Default + 'static {
    /// What answers it.
    type Response: prost::Message + Default + 'static;
    /// The name of the call, such as `Redeem`.
    const CALL: &'static str;
    /// Where it is sent to, such as `/giftcard.v1.GiftCardService/Redeem`.
    const PATH: &'static str;
    /// Which part of a transaction's life it belongs to.
    const PHASE: Phase;
    /// How long a read may take by the contract's service config; the policy decides for all else.
    const TIMEOUT: Option<Duration> = None;
    /// How often a read may be made by the contract's service config.
    const ATTEMPTS: u32 = 1;

    /// The transaction it is about, or empty.
    #[expect(clippy::unnecessary_literal_bound, reason = "a money call returns its own")]
    fn transaction_id(&self) -> &str {
        ""
    }
}

/// A call that moves no money: a read, or a change such as storing a card.
pub trait Plain: Rpc {}

/// A call that moves money, and is answered by the transaction.
pub trait MoneyCall: Rpc {
    /// Take the transaction out of the answer.
    fn transaction_of(response: Self::Response) -> v1::Transaction;
}

/// The first call of one of the seven operations.
pub trait Ask: MoneyCall {
    /// What makes its transaction final.
    type Confirm: Confirm;
    /// What takes its transaction back.
    type Reverse: Reverse;
}

/// A confirmation.
pub trait Confirm: MoneyCall {
    /// The same confirmation, of this transaction.
    #[must_use]
    fn of(self, transaction_id: String) -> Self;
}

/// A reversal.
pub trait Reverse: MoneyCall {
    /// Reverse all of a transaction.
    fn of(transaction_id: String, reason: v1::ReversalReason) -> Self;
}

/// What a call is about: its name, its transaction and its phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The name of the call in the contract, such as `Redeem`, or empty.
    pub call: String,
    /// The transaction it is about, or empty.
    pub transaction_id: String,
    /// Which part of a transaction's life it belongs to.
    pub phase: Phase,
}

impl About {
    /// What a call is about when nobody said.
    pub const NOBODY_SAID: Self =
        Self { call: String::new(), transaction_id: String::new(), phase: Phase::Unknown };

    /// Say what a call is about by its name in the contract, such as `WatchTransactions`.
    #[must_use]
    pub fn named(call: &str, transaction_id: &str) -> Self {
        Self { call: call.to_owned(), transaction_id: transaction_id.to_owned(), phase: phase_of(call) }
    }

    /// Read what a call is about off its request.
    pub fn of<R: Rpc>(request: &R) -> Self {
        Self {
            call: R::CALL.to_owned(),
            transaction_id: request.transaction_id().to_owned(),
            phase: R::PHASE,
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.call.is_empty() || self.transaction_id.is_empty() { "" } else { " " };
        write!(f, "{}{between}{}", self.call, self.transaction_id)
    }
}
