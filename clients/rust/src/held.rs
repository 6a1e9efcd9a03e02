//! A transaction held open: confirmed at the end, else reversed.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tonic::Status;

use crate::calls::{About, Ask, Confirm, MoneyCall, Reverse};
use crate::client::Client;
use crate::errors::{CallError, Error};
use crate::v1::{ReversalReason, Transaction};

/// An approved transaction of the operation `R`, such as `Held<RedeemRequest>`.
///
/// [`confirm`](Self::confirm) it once the goods are handed over. Dropped without that (by an early return, a
/// `?`, a panic or a cancelled task) it is reversed by a task of its own, which [`Client::settle`] waits for;
/// a failure of that is logged with `tracing`, and the gateway reverses by itself at the transaction's
/// `confirm_by`. Where the runtime may end soon after, [`Client::holding`] awaits the reversal instead.
#[must_use = "a transaction that is dropped is reversed"]
pub struct Held<R: Ask> {
    client: Client,
    runtime: Handle,
    /// As it was asked for, whatever an answer says.
    transaction_id: String,
    transaction: Transaction,
    /// Why it is reversed if it is dropped now; nothing once it is decided.
    owed: Option<ReversalReason>,
    operation: PhantomData<fn() -> R>,
}

impl<R: Ask> fmt::Debug for Held<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("transaction", &self.transaction).finish_non_exhaustive()
    }
}

impl Client {
    /// Ask for a money operation and hold its transaction open, to be confirmed at the end, else reversed.
    ///
    /// It returns once the provider has said yes, or if the transaction has been confirmed before under the
    /// same id: then nothing is sent at its end, and nothing is reversed. When the request got lost, came
    /// back pending or its future is dropped meanwhile, it is reversed.
    ///
    /// # Errors
    /// [`Error::Declined`], [`Error::NotApproved`] and [`Error::Call`], with nothing taken.
    pub async fn hold<R: Ask>(&self, request: R) -> Result<Held<R>, Error> {
        let mut held = Held::<R> {
            client: self.clone(),
            runtime: Handle::current(),
            transaction_id: request.transaction_id().to_owned(),
            transaction: Transaction::default(),
            owed: Some(ReversalReason::Timeout),
            operation: PhantomData,
        };
        match Box::pin(self.ask(&request)).await {
            Ok(transaction) => held.transaction = transaction,
            Err(error) => {
                held.give_up(error.is_outcome_open()).await;
                return Err(error);
            }
        }
        let transaction = &held.transaction;
        if transaction.is_approved() {
            held.owed = Some(ReversalReason::Cancelled);
            return Ok(held);
        }
        if transaction.is_confirmed() {
            held.owed = None;
            return Ok(held);
        }
        let is_pending = transaction.is_pending();
        let transaction = Box::new(transaction.clone());
        held.owed = Some(ReversalReason::ResponseNotFinal);
        held.give_up(is_pending).await;
        Err(if transaction.is_declined() {
            Error::Declined(transaction)
        } else {
            Error::NotApproved(transaction)
        })
    }

    /// Hold a transaction open while a block runs: confirmed if it ends well, reversed if it fails, and both
    /// awaited.
    ///
    /// If the block panics, or this future is dropped, it is reversed as [`Held`] is.
    ///
    /// # Errors
    /// The block's own error; and as the block's kind of error those of [`hold`](Self::hold), with which the
    /// block did not run, and [`Error::ConfirmationFailed`], with which it did.
    pub async fn holding<R, B, P, T, E>(&self, request: R, block: B) -> Result<T, E>
    where
        R: Ask,
        B: FnOnce(Transaction) -> P,
        P: Future<Output = Result<T, E>>,
        E: From<Error>,
    {
        let mut held = self.hold(request).await?;
        match block(held.transaction.clone()).await {
            Ok(value) => {
                held.confirm().await?;
                Ok(value)
            }
            Err(error) => {
                held.give_up(true).await;
                Err(error)
            }
        }
    }
}

impl<R: Ask> Held<R> {
    /// The transaction as last heard of.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Confirm all of it: the sale is made. It goes on though this future be dropped.
    ///
    /// # Errors
    /// [`Error::ConfirmationFailed`]: no failed payment, for the goods may be gone.
    pub async fn confirm(self) -> Result<Transaction, Error> {
        self.confirm_with(R::Confirm::default()).await
    }

    /// Confirm with what the confirmation is to carry, such as a smaller `final_amount` or the `tenders`.
    ///
    /// Its `transaction_id` is filled in.
    ///
    /// # Errors
    /// [`Error::ConfirmationFailed`]: no failed payment, for the goods may be gone.
    pub async fn confirm_with(mut self, confirmation: R::Confirm) -> Result<Transaction, Error> {
        if self.owed.take().is_none() {
            return Ok(self.transaction.clone());
        }
        let confirmation = confirmation.of(self.transaction_id.clone());
        Ok(self.decide(confirmation).wait().await?)
    }

    /// Reverse it: the sale is not made. It goes on though this future be dropped.
    ///
    /// # Errors
    /// [`Error::Call`]: the gateway has not promised it; it reverses by itself at `confirm_by`.
    pub async fn reverse(mut self) -> Result<Transaction, Error> {
        self.owed = None;
        Ok(self.undo(ReversalReason::Cancelled).wait().await?)
    }

    /// Reverse it if that is needed and wait; whatever led here matters more than how that ends.
    async fn give_up(&mut self, is_needed: bool) {
        let Some(reason) = self.owed.take().filter(|_| is_needed) else {
            return;
        };
        if let Err(error) = self.undo(reason).wait().await {
            log(&error);
        }
    }

    fn undo(&self, reason: ReversalReason) -> Decision {
        self.decide(R::Reverse::of(self.transaction_id.clone(), reason))
    }

    /// Confirm or reverse in a task of its own, which nothing that befalls the caller cuts half way.
    fn decide<D: MoneyCall>(&self, request: D) -> Decision {
        let about = About::of(&request);
        let client = self.client.clone();
        let (tell, told) = oneshot::channel();
        let work = async move {
            if let Err(Err(unheard)) = tell.send(client.promise(&request).await) {
                log(&unheard);
            }
        };
        self.client.decisions.spawn_on(work, &self.runtime);
        Decision { about, told }
    }
}

impl<R: Ask> Drop for Held<R> {
    fn drop(&mut self) {
        if let Some(reason) = self.owed.take() {
            drop(self.undo(reason));
        }
    }
}

/// A confirmation or reversal on its way.
struct Decision {
    about: About,
    told: oneshot::Receiver<Result<Transaction, CallError>>,
}

impl Decision {
    async fn wait(self) -> Result<Transaction, CallError> {
        self.told.await.unwrap_or_else(|_| {
            let status = Status::cancelled("the runtime ended, or what gives the metadata panicked");
            Err(CallError::about(&status, self.about))
        })
    }
}

/// Tell of a failure that nobody else hears of.
fn log(error: &CallError) {
    tracing::error!(
        call = error.call(),
        transaction_id = error.transaction_id(),
        %error,
        next_step = error.next_step(),
        "a transaction was left undecided"
    );
}
