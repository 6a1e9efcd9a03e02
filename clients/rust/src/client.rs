//! The client: it makes the calls, repeats what may be repeated, and looks up what got lost.

use std::fmt;
use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::TaskTracker;
use tonic::client::Grpc;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use crate::builder::Builder;
use crate::calls::{Ask, Confirm, MoneyCall, Plain, Reverse, Rpc};
use crate::errors::{CallError, Error};
use crate::policy::{FOR_EVER, Move, RepeatPolicy, decide};
use crate::service::{Service, Until};
use crate::streams::{Following, List, Resumable, follow, pages};
use crate::v1::{GetTransactionRequest, GetTransactionResponse, Transaction};

/// The part of a call's time that is kept for finding out how a lost call ended.
const FINDING_SHARE: f64 = 0.25;
/// Of that, what the answer itself may take; the rest the gateway may wait, and by the contract 60 s at most.
const ANSWERING: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A client of the gateway. Clones share its connection.
#[derive(Clone)]
pub struct Client {
    service: Service,
    policy: RepeatPolicy,
    pub(crate) decisions: TaskTracker,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Client {
    /// Begin a client of the gateway at `host:port`, over TLS unless the builder is told otherwise.
    pub fn builder(target: impl Into<String>) -> Builder {
        Builder::new(target.into())
    }

    pub(crate) fn new(service: Service, policy: RepeatPolicy) -> Self {
        let decisions = TaskTracker::new();
        // Closed only means that whoever waits for the decisions may go on once there are none.
        decisions.close();
        Self { service, policy, decisions }
    }

    /// The same client with another policy, on the same connection.
    #[must_use]
    pub fn with_policy(&self, policy: RepeatPolicy) -> Self {
        Self { policy, ..self.clone() }
    }

    /// The same client with another deadline for money calls and reads, on the same connection.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        self.with_policy(RepeatPolicy { deadline, reading: Some(deadline), ..self.policy.clone() })
    }

    /// The way to the gateway, with token and metadata, for the generated clients: they have the streams.
    #[must_use]
    pub fn service(&self) -> Service {
        self.service.clone()
    }

    /// Ask for a money operation. A decline is an answer: look at its state.
    ///
    /// It is repeated while nothing was sent, and looked up when its answer got lost.
    ///
    /// # Errors
    /// [`Error::Call`]; where its outcome is open, ask again with the same id, or reverse it.
    pub async fn ask<R: Ask>(&self, request: &R) -> Result<Transaction, Error> {
        let budget = self.policy.deadline.min(FOR_EVER);
        let (asking_until, end) = (after(budget.mul_f64(1.0 - FINDING_SHARE)), after(budget));
        match self.repeat(request, asking_until, self.policy.attempts).await {
            Ok(response) => Ok(R::transaction_of(response)),
            Err(lost) if lost.is_outcome_open() => self.find(request, end, lost).await,
            Err(refused) => Err(refused.into()),
        }
    }

    /// Confirm a transaction. Once this answers, the gateway delivers it, whatever happens.
    ///
    /// It is repeated until the gateway has promised it.
    ///
    /// # Errors
    /// [`Error::ConfirmationFailed`], which is no failed payment.
    pub async fn confirm<R: Confirm>(&self, request: &R) -> Result<Transaction, Error> {
        Ok(self.promise(request).await?)
    }

    /// Reverse a transaction. It may come before the request, which is then refused.
    ///
    /// It is repeated until the gateway has promised it.
    ///
    /// # Errors
    /// [`Error::Call`]; where its outcome is open, reverse again with the same id.
    pub async fn reverse<R: Reverse>(&self, request: &R) -> Result<Transaction, Error> {
        Ok(self.promise(request).await?)
    }

    /// Make a call that moves no money. A read is repeated as the contract's service config says, a change
    /// never.
    ///
    /// # Errors
    /// [`Error::Call`].
    pub async fn call<R: Plain>(&self, request: &R) -> Result<R::Response, Error> {
        let within = match R::TIMEOUT {
            Some(timeout) => self.policy.reading.unwrap_or(timeout),
            None => self.policy.deadline,
        };
        Ok(self.repeat(request, after(within), R::ATTEMPTS).await?)
    }

    /// Read a list page by page, the last one too if it is empty.
    pub fn pages<R: List>(&self, request: R) -> Following<R::Response> {
        pages(self.clone(), request)
    }

    /// Follow what happens to transactions, with a [`WatchTransactionsRequest`](crate::v1::WatchTransactionsRequest),
    /// or what providers report, with a [`StreamEventsRequest`](crate::v1::StreamEventsRequest).
    ///
    /// It goes on by itself after a break, where the last message's cursor says: nothing is left out, and the
    /// last message may come twice. Dropping it ends it. An outage is waited out, however long it takes; a fault
    /// of the gateway is tried as often as the policy says; a refusal is given, and is the last of it.
    pub fn follow<R: Resumable>(&self, request: R) -> Following<R::Told> {
        follow(self.clone(), request)
    }

    pub(crate) fn policy(&self) -> &RepeatPolicy {
        &self.policy
    }

    /// Wait until every confirmation and reversal that goes on by itself has ended. Do it before the runtime
    /// ends.
    pub async fn settle(&self) {
        self.decisions.wait().await;
    }

    /// Confirm or reverse, until the gateway has promised it.
    pub(crate) async fn promise<R: MoneyCall>(&self, request: &R) -> Result<Transaction, CallError> {
        let response = self.repeat(request, after(self.policy.deadline), self.policy.attempts).await?;
        Ok(R::transaction_of(response))
    }

    /// Read how a lost call ended; give what lost it if the gateway does not know or does not answer.
    async fn find<R: Ask>(&self, request: &R, end: Instant, lost: CallError) -> Result<Transaction, Error> {
        let left = end.saturating_duration_since(Instant::now());
        let wait = left.saturating_sub(ANSWERING).min(LONGEST_WAIT);
        let question = GetTransactionRequest {
            transaction_id: request.transaction_id().to_owned(),
            wait: wait.try_into().ok(),
        };
        let Ok(GetTransactionResponse { transaction: Some(found) }) = self.send(&question, end).await else {
            return Err(lost.into());
        };
        if found.issued_cards.is_empty() {
            return Ok(found);
        }
        // What was issued is masked when it is looked up; only the same request again shows it.
        match self.repeat(request, end, self.policy.attempts).await {
            Ok(again) => Ok(R::transaction_of(again)),
            Err(mut error) => {
                // The transaction is there, however surely this attempt was not sent.
                error.leave_open();
                Err(error.into())
            }
        }
    }

    /// Make a call again and again with the same request, until it answers, is refused, or time is up.
    async fn repeat<R: Rpc>(
        &self,
        request: &R,
        until: Instant,
        attempts: u32,
    ) -> Result<R::Response, CallError> {
        let mut was_left_open = false;
        for attempt in 0.. {
            let mut error = match self.send(request, until).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            was_left_open |= error.is_outcome_open();
            if was_left_open {
                error.leave_open();
            }
            let pause = self.policy.pause_after(attempt, &error);
            let is_last = attempt + 1 >= attempts || pause >= until.saturating_duration_since(Instant::now());
            if decide(R::PHASE, &error, is_last) != Move::Repeat {
                return Err(error);
            }
            sleep(pause).await;
        }
        unreachable!("the last attempt returns")
    }

    /// Make one call.
    async fn send<R: Rpc>(&self, request: &R, until: Instant) -> Result<R::Response, CallError> {
        let within = until.saturating_duration_since(Instant::now());
        // Boxed, for it is large, and would be part of every future of the user's that waits for it.
        let answer = Box::pin(async {
            let mut outgoing = Request::new(request.clone());
            outgoing.set_timeout(within);
            outgoing.extensions_mut().insert(Until(until));
            let path = PathAndQuery::from_static(R::PATH);
            Grpc::new(self.service.clone()).unary(outgoing, path, ProstCodec::default()).await
        });
        match timeout_at(until, answer).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(CallError::read(&status, request)),
            Err(_) => {
                let status = Status::deadline_exceeded(format!("no answer within {within:?}"));
                Err(CallError::read(&status, request))
            }
        }
    }
}

/// Say when a time from now is over; one beyond reckoning is for ever.
fn after(within: Duration) -> Instant {
    Instant::now() + within.min(FOR_EVER)
}
