//! Streams that go on by themselves after a break, and lists read page by page.

use std::pin::Pin;
use std::time::SystemTime;

use futures_core::Stream;
use futures_util::stream::unfold;
use tokio::time::sleep;
use tonic::{Status, Streaming};

use crate::calls::{About, Plain};
use crate::client::Client;
use crate::errors::{CallError, Error, Kind};
use crate::service::Service;
use crate::v1;
use crate::v1::event_service_client::EventServiceClient;
use crate::v1::transaction_service_client::TransactionServiceClient;

/// What a stream or a list gives, one by one. An error is the last of it.
pub type Following<T> = Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>;

/// A request of a list that comes in pages.
pub trait List: Plain {
    /// Where a page says that the next one begins; empty with the last.
    fn next_of(page: &Self::Response) -> &str;
    /// Let it begin there.
    fn begin_at(&mut self, token: String);
}

macro_rules! lists {
    ($($request:ident),*) => {$(
        impl List for v1::$request {
            fn next_of(page: &Self::Response) -> &str {
                &page.next_page_token
            }

            fn begin_at(&mut self, token: String) {
                self.page_token = token;
            }
        }
    )*};
}

lists!(
    ListOffersRequest,
    ListProvidersRequest,
    ListStoredCardsRequest,
    ListTemplatesRequest,
    ListTransactionsRequest
);

/// A request of a stream that can go on.
pub trait Resumable: prost::Message + Clone + Default + 'static {
    /// What its stream tells.
    type Told: prost::Message + Default + 'static;
    /// The name of the call, such as `WatchTransactions`.
    const CALL: &'static str;
    /// Begin its stream.
    fn open(self, service: Service) -> impl Future<Output = Result<Streaming<Self::Told>, Status>> + Send;
    /// Where a message says to go on.
    fn cursor_of(told: &Self::Told) -> String;
    /// Let it begin after a cursor.
    fn begin_after(&mut self, cursor: String);
    /// Let it begin at a time, unless it says already where to.
    fn begin_at(&mut self, time: SystemTime);
}

macro_rules! streams {
    ($request:ident, $told:ident, $call:literal, $client:ident, $method:ident, $start:ident) => {
        impl Resumable for v1::$request {
            type Told = v1::$told;
            const CALL: &'static str = $call;

            async fn open(self, service: Service) -> Result<Streaming<Self::Told>, Status> {
                Ok($client::new(service).$method(self).await?.into_inner())
            }

            fn cursor_of(told: &Self::Told) -> String {
                told.cursor.clone()
            }

            fn begin_after(&mut self, cursor: String) {
                self.start = Some(v1::$start::Start::Cursor(cursor));
            }

            fn begin_at(&mut self, time: SystemTime) {
                self.start.get_or_insert(v1::$start::Start::StartTime(time.into()));
            }
        }
    };
}

streams!(
    WatchTransactionsRequest,
    WatchTransactionsResponse,
    "WatchTransactions",
    TransactionServiceClient,
    watch_transactions,
    watch_transactions_request
);
streams!(
    StreamEventsRequest,
    StreamEventsResponse,
    "StreamEvents",
    EventServiceClient,
    stream_events,
    stream_events_request
);

/// Read a list page by page.
pub(crate) fn pages<R: List>(client: Client, request: R) -> Following<R::Response> {
    Box::pin(unfold(Some(request), move |next| {
        let client = client.clone();
        async move {
            let mut request = next?;
            let page = client.call(&request).await;
            let token = page.as_ref().map(|page| R::next_of(page).to_owned()).unwrap_or_default();
            request.begin_at(token.clone());
            Some((page, (!token.is_empty()).then_some(request)))
        }
    }))
}

/// Follow a stream: it goes on where its last message says.
pub(crate) fn follow<R: Resumable>(client: Client, request: R) -> Following<R::Told> {
    let beginning = Follow { client, request, began: None, breaks: 0, open: None };
    Box::pin(unfold(Some(beginning), |follow| async move {
        let mut follow = follow?;
        match follow.next().await {
            Ok(told) => Some((Ok(told), Some(follow))),
            Err(error) => Some((Err(error.into()), None)),
        }
    }))
}

/// Where a stream that is being followed has come to.
struct Follow<R: Resumable> {
    client: Client,
    request: R,
    began: Option<SystemTime>,
    breaks: u32,
    open: Option<Streaming<R::Told>>,
}

impl<R: Resumable> Follow<R> {
    /// Wait for the next message, through breaks.
    async fn next(&mut self) -> Result<R::Told, CallError> {
        let began = *self.began.get_or_insert_with(SystemTime::now);
        loop {
            let failure = match self.hear().await {
                Ok(Some(told)) => {
                    self.breaks = 0;
                    self.request.begin_after(R::cursor_of(&told));
                    return Ok(told);
                }
                Ok(None) => None,
                Err(status) => Some(CallError::about(&status, About::named(R::CALL, ""))),
            };
            let policy = self.client.policy();
            let goes_on = failure.as_ref().is_none_or(|error| match error.kind() {
                Kind::Unavailable | Kind::Throttled => true,
                Kind::NoAnswer => self.breaks + 1 < policy.attempts,
                _ => false,
            });
            let asked = failure.as_ref().and_then(CallError::retry_after).unwrap_or_default();
            let pause = asked.saturating_add(policy.jitter(self.breaks));
            if let Some(refusal) = failure.filter(|_| !goes_on) {
                return Err(refusal);
            }
            self.open = None;
            self.breaks = self.breaks.saturating_add(1);
            self.request.begin_at(began);
            sleep(pause).await;
        }
    }

    /// Wait for what the stream tells next, and begin it first if it is not open.
    async fn hear(&mut self) -> Result<Option<R::Told>, Status> {
        if self.open.is_none() {
            // Boxed, for it is large.
            self.open = Some(Box::pin(self.request.clone().open(self.client.service())).await?);
        }
        match &mut self.open {
            Some(stream) => stream.message().await,
            None => Ok(None),
        }
    }
}
