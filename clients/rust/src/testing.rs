//! For the tests of those who use the client: a gateway in memory, without a port or a thread.
//!
//! It knows the life of a transaction and no cards: it approves what it is asked, unless it is told
//! otherwise. It is no model of the real gateway, only of what a caller meets: replays, declines, failures
//! and lost answers. To try the real one, run the sandbox.
//!
//! With `#[tokio::test(start_paused = true)]` pauses and deadlines cost no time.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::{iter, pending};
use http::{Request, Response};
use prost::Message;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Code, Status};

use crate::calls::Rpc;
use crate::client::Client;
use crate::errors::DOMAIN;
use crate::google::rpc;
use crate::streams::Resumable;
use crate::v1::{
    Decline, DeclineReason, GetTransactionResponse, Operation, StreamEventsRequest, Transaction,
    TransactionState as State, WatchTransactionsRequest,
};

type Answer = Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send>>;

/// A gateway in memory. Clones are the same gateway.
///
/// What it is told with `decline`, `fail`, `lose`, `stall`, `answer` and `stream` holds for the next call of
/// that name, once.
#[derive(Clone, Default)]
pub struct FakeGateway(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    seen: Vec<(String, Bytes)>,
    transactions: BTreeMap<String, Transaction>,
    declines: VecDeque<DeclineReason>,
    plans: BTreeMap<String, VecDeque<Plan>>,
}

/// What the next call of a name meets.
enum Plan {
    /// It is refused.
    Fail(Code, String),
    /// What it asks is done, and the caller hears that the deadline is over.
    Lose,
    /// What it asks is done, and the caller hears nothing.
    Stall,
    /// It is answered so.
    Answer(Bytes),
    /// It is told so, and then ends.
    Stream(Vec<Bytes>, StreamEnd),
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// Well.
    Ends,
    /// With an error.
    Fails(Code),
    /// Not at all.
    StaysOpen,
}

/// The first field of every money call and of `GetTransaction`, which is all the fake reads of them.
#[derive(Clone, PartialEq, Eq, Message)]
struct Named {
    #[prost(string, tag = "1")]
    transaction_id: String,
}

impl fmt::Debug for FakeGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeGateway").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

impl FakeGateway {
    /// Make a gateway that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Make a client of this gateway. For settings of your own give it to
    /// [`Builder::build_on`](crate::Builder::build_on).
    #[must_use]
    pub fn client(&self) -> Client {
        Client::builder("fake").build_on(self.clone())
    }

    /// Decline the next money operation.
    pub fn decline(&self, reason: DeclineReason) {
        self.world().declines.push_back(reason);
    }

    /// Refuse the next call of a name, such as `Redeem`; `reason` is one of `ErrorReason`, or empty.
    pub fn fail(&self, call: &str, code: Code, reason: &str) {
        self.plan(call, Plan::Fail(code, reason.to_owned()));
    }

    /// Do what the next call of a name asks, and lose the answer: its caller hears that the deadline is over.
    pub fn lose(&self, call: &str) {
        self.plan(call, Plan::Lose);
    }

    /// Do what the next call of a name asks, and say nothing: its caller waits.
    pub fn stall(&self, call: &str) {
        self.plan(call, Plan::Stall);
    }

    /// Answer the next call `R` with a response of its own kind.
    pub fn answer<R: Rpc>(&self, response: &R::Response) {
        self.plan(R::CALL, Plan::Answer(response.encode_to_vec().into()));
    }

    /// Let the next stream `R` tell messages, and end.
    pub fn stream<R: Resumable>(&self, messages: &[R::Told], end: StreamEnd) {
        let encoded = messages.iter().map(|message| message.encode_to_vec().into()).collect();
        self.plan(R::CALL, Plan::Stream(encoded, end));
    }

    /// The requests of the streams `R` that came, oldest first.
    #[must_use]
    pub fn begun<R: Resumable>(&self) -> Vec<R> {
        self.requests(R::CALL)
    }

    /// The names of the calls that came, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.world().seen.iter().map(|(call, _)| call.clone()).collect()
    }

    /// The requests of the calls `R` that came, oldest first.
    #[must_use]
    pub fn seen<R: Rpc>(&self) -> Vec<R> {
        self.requests(R::CALL)
    }

    fn requests<R: Message + Default>(&self, name: &str) -> Vec<R> {
        let world = self.world();
        let ours = world.seen.iter().filter(|(call, _)| call == name);
        ours.filter_map(|(_, bytes)| R::decode(bytes.clone()).ok()).collect()
    }

    /// What became of a transaction, if there is one.
    #[must_use]
    pub fn transaction(&self, transaction_id: &str) -> Option<Transaction> {
        self.world().transactions.get(transaction_id).cloned()
    }

    fn plan(&self, call: &str, plan: Plan) {
        self.world().plans.entry(call.to_owned()).or_default().push_back(plan);
    }

    /// A test that panicked is no reason for the next failure.
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl tower::Service<Request<Body>> for FakeGateway {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let method = Method { gateway: self.clone(), call };
        let is_stream = [WatchTransactionsRequest::CALL, StreamEventsRequest::CALL].contains(&&*method.call);
        Box::pin(async move {
            let mut server = Grpc::new(RawCodec);
            Ok(if is_stream {
                server.server_streaming(method, request).await
            } else {
                server.unary(method, request).await
            })
        })
    }
}

/// One call of the contract, by its name.
struct Method {
    gateway: FakeGateway,
    call: String,
}

impl UnaryService<Bytes> for Method {
    type Response = Bytes;
    type Future = Answer;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Answer {
        let (answer, is_stalled) = self.gateway.world().handle(&self.call, request.into_inner());
        Box::pin(async move {
            if is_stalled {
                std::future::pending::<()>().await;
            }
            answer
        })
    }
}

impl ServerStreamingService<Bytes> for Method {
    type Response = Bytes;
    type ResponseStream = Telling;
    type Future = Ready<Result<tonic::Response<Telling>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        ready(self.gateway.world().begin(&self.call, request.into_inner()).map(tonic::Response::new))
    }
}

/// What a stream tells.
type Telling = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

impl World {
    /// Begin a stream.
    fn begin(&mut self, call: &str, request: Bytes) -> Result<Telling, Status> {
        self.seen.push((call.to_owned(), request));
        match self.plans.get_mut(call).and_then(VecDeque::pop_front) {
            Some(Plan::Stream(messages, end)) => {
                let told = iter(messages.into_iter().map(Ok));
                Ok(match end {
                    StreamEnd::Ends => Box::pin(told),
                    StreamEnd::Fails(code) => Box::pin(told.chain(iter([Err(refusal(code, ""))]))),
                    StreamEnd::StaysOpen => Box::pin(told.chain(pending())),
                })
            }
            Some(Plan::Fail(code, reason)) => Err(refusal(code, &reason)),
            _ => Err(Status::unimplemented("nobody said what it tells")),
        }
    }

    /// Do what a call asks; say what it is answered, and whether the answer never goes out.
    fn handle(&mut self, call: &str, request: Bytes) -> (Result<tonic::Response<Bytes>, Status>, bool) {
        self.seen.push((call.to_owned(), request.clone()));
        let plan = self.plans.get_mut(call).and_then(VecDeque::pop_front);
        match plan {
            Some(Plan::Fail(code, reason)) => (Err(refusal(code, &reason)), false),
            Some(Plan::Answer(response)) => (Ok(tonic::Response::new(response)), false),
            Some(Plan::Lose) => {
                let lost = self.respond(call, request).and(Err(Status::deadline_exceeded("lost")));
                (lost, false)
            }
            Some(Plan::Stall) => (self.respond(call, request), true),
            Some(Plan::Stream(..)) | None => (self.respond(call, request), false),
        }
    }

    /// Make the response to a call. All that tell a transaction tell it in their first field.
    fn respond(&mut self, call: &str, request: Bytes) -> Result<tonic::Response<Bytes>, Status> {
        let named = Named::decode(request).map_err(|_| Status::invalid_argument("unreadable"))?;
        let id = named.transaction_id;
        let mut is_replayed = false;
        let transaction = if let Some(operation) = operation_of(call) {
            is_replayed = self.transactions.contains_key(&id);
            self.ask(id, operation)?
        } else if call.strip_prefix("Confirm").is_some_and(|name| operation_of(name).is_some()) {
            self.confirm(&id)?
        } else if call.strip_prefix("Reverse").is_some_and(|name| operation_of(name).is_some()) {
            self.reverse(id)?
        } else if call == "GetTransaction" {
            self.transactions.get(&id).cloned().ok_or_else(not_found)?
        } else {
            return Ok(tonic::Response::new(Bytes::new()));
        };
        let answer = GetTransactionResponse { transaction: Some(transaction) };
        let mut response = tonic::Response::new(Bytes::from(answer.encode_to_vec()));
        if is_replayed {
            let replayed = tonic::metadata::MetadataValue::from_static("true");
            response.metadata_mut().insert("giftcard-replayed", replayed);
        }
        Ok(response)
    }

    /// Begin a transaction, or give what was recorded of it.
    fn ask(&mut self, id: String, operation: Operation) -> Result<Transaction, Status> {
        if let Some(known) = self.transactions.get(&id) {
            if known.is_reversed() {
                return Err(refusal(Code::FailedPrecondition, "TRANSACTION_REVERSED"));
            }
            return Ok(known.clone());
        }
        let decline =
            self.declines.pop_front().map(|reason| Decline { reason: reason.into(), ..Decline::default() });
        let state = if decline.is_some() { State::Declined } else { State::Approved };
        let made = Transaction {
            transaction_id: id.clone(),
            operation: operation.into(),
            state: state.into(),
            decline,
            ..Transaction::default()
        };
        self.transactions.insert(id, made.clone());
        Ok(made)
    }

    fn confirm(&mut self, id: &str) -> Result<Transaction, Status> {
        let known = self.transactions.get_mut(id).ok_or_else(not_found)?;
        if known.is_reversed() || known.is_declined() {
            return Err(refusal(Code::FailedPrecondition, "STATE_CONFLICT"));
        }
        known.set_state(State::Confirmed);
        Ok(known.clone())
    }

    /// Reverse a transaction; that may come first.
    fn reverse(&mut self, id: String) -> Result<Transaction, Status> {
        let known = self.transactions.entry(id.clone()).or_default();
        if known.is_confirmed() {
            return Err(refusal(Code::FailedPrecondition, "STATE_CONFLICT"));
        }
        known.transaction_id = id;
        known.set_state(State::Reversed);
        Ok(known.clone())
    }
}

/// Find the money operation of a name such as `Redeem`.
fn operation_of(call: &str) -> Option<Operation> {
    Operation::from_str_name(&format!("OPERATION_{}", call.to_uppercase()))
        .filter(|operation| *operation != Operation::Unspecified)
}

fn not_found() -> Status {
    refusal(Code::NotFound, "TRANSACTION_NOT_FOUND")
}

/// End a call with an error as the gateway tells it.
fn refusal(code: Code, reason: &str) -> Status {
    let info =
        rpc::ErrorInfo { reason: reason.to_owned(), domain: DOMAIN.to_owned(), ..rpc::ErrorInfo::default() };
    let detail = prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
        value: info.encode_to_vec(),
    };
    let status = rpc::Status {
        code: code.into(),
        message: reason.to_owned(),
        details: if reason.is_empty() { Vec::new() } else { vec![detail] },
    };
    Status::with_details(code, reason, status.encode_to_vec().into())
}

/// Messages as the bytes they are.
#[derive(Clone, Copy, Debug)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(message);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
