//! The way to the gateway: any tower service that speaks gRPC, with a token and metadata beside every
//! request.
//!
//! What gives them is the user's code, asked before each attempt; it may fail or hang. Then the request is
//! not sent.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tower::util::BoxCloneSyncService;
use tower::{Service as Tower, ServiceExt};

/// Any error.
pub type BoxError = Box<dyn StdError + Send + Sync>;
type Transport = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;
type Promise<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;
/// What gives metadata, asked before each attempt.
pub(crate) type Source = Arc<dyn Fn() -> Promise<MetadataMap> + Send + Sync>;

/// The client's way to the gateway, for the generated clients:
/// `TransactionServiceClient::new(client.service())`.
#[derive(Clone)]
pub struct Service {
    transport: Transport,
    sources: Arc<[Source]>,
}

impl Service {
    pub(crate) fn new<S, B, E>(transport: S, sources: Vec<Source>) -> Self
    where
        S: Tower<Request<Body>, Response = Response<B>, Error = E> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
        E: Into<BoxError> + 'static,
    {
        let transport =
            transport.map_response(|response: Response<B>| response.map(Body::new)).map_err(Into::into);
        Self { transport: BoxCloneSyncService::new(transport), sources: sources.into() }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Tower<Request<Body>> for Service {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Promise<Response<Body>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // A clone of the transport is awaited in `call`, once the metadata is there.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Self { transport, sources } = self.clone();
        Box::pin(async move {
            let until = request.extensions().get::<Until>().map(|until| until.0);
            let entries = match until {
                Some(until) => timeout_at(until, gather(&sources))
                    .await
                    .unwrap_or_else(|_| Err("it took as long as the call may take".into())),
                None => gather(&sources).await,
            };
            let entries = entries.map_err(|cause| SourceFailed(cause.into()))?;
            request.headers_mut().extend(entries);
            transport.oneshot(request).await
        })
    }
}

/// When a request must have been answered; it travels with the request to where its metadata is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Until(pub(crate) Instant);

/// What gives the token or the metadata failed, and nothing was sent.
#[derive(Debug)]
pub(crate) struct SourceFailed(pub(crate) Arc<dyn StdError + Send + Sync>);

impl fmt::Display for SourceFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the cause's own words, which nobody has kept secrets out of.
        f.write_str("what gives the token or metadata failed")
    }
}

impl StdError for SourceFailed {}

/// Ask every source.
async fn gather(sources: &[Source]) -> Result<HeaderMap, BoxError> {
    let mut entries = HeaderMap::new();
    for source in sources {
        entries.extend(source().await?.into_headers());
    }
    Ok(entries)
}
