//! How a client is made: where to, how protected, with which token and policy.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::runtime::Handle;
use tonic::body::Body;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::transport::{Channel, Endpoint};

use crate::client::Client;
use crate::policy::RepeatPolicy;
use crate::service::{BoxError, Service, Source};

// The gateway takes pings every 10 s; half a minute outlives the idle limits of the usual balancers.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(10);
const CONNECTING: Duration = Duration::from_secs(10);
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";
const USER_AGENT: &str = concat!("giftcard-rust/", env!("CARGO_PKG_VERSION"));

/// The settings of a client do not go together; it says which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misconfigured(String);

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misconfigured {}

/// Makes a [`Client`].
#[must_use]
pub struct Builder {
    target: String,
    plaintext: bool,
    authorities: Option<Vec<u8>>,
    certificate: Option<(Vec<u8>, Vec<u8>)>,
    has_token: bool,
    sources: Vec<Source>,
    policy: RepeatPolicy,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("target", &self.target)
            .field("plaintext", &self.plaintext)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new(target: String) -> Self {
        Self {
            target,
            plaintext: false,
            authorities: None,
            certificate: None,
            has_token: false,
            sources: Vec::new(),
            policy: RepeatPolicy::default(),
        }
    }

    /// Call without TLS: a sandbox on this machine.
    pub fn plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// Trust these authorities, as PEM, instead of the usual ones.
    pub fn authorities(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.authorities = Some(pem.as_ref().to_vec());
        self
    }

    /// Show a certificate of your own, as PEM, with its key.
    pub fn certificate(mut self, pem: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.certificate = Some((pem.as_ref().to_vec(), key.as_ref().to_vec()));
        self
    }

    /// Show a bearer token or an API key that does not change.
    pub fn token(self, token: impl Into<String>) -> Self {
        let token = token.into();
        self.token_from(move || std::future::ready(Ok(token.clone())))
    }

    /// Show a token that is asked for before every attempt.
    ///
    /// If it fails or takes as long as the call may take, nothing is sent and the error is
    /// [`NotSent`](crate::Kind::NotSent); confirmations and reversals are tried again.
    pub fn token_from<F, P>(mut self, give: F) -> Self
    where
        F: Fn() -> P + Send + Sync + 'static,
        P: Future<Output = Result<String, BoxError>> + Send + 'static,
    {
        self.has_token = true;
        self.metadata_from(move || {
            let token = give();
            async move {
                let mut shown: MetadataValue<Ascii> = format!("Bearer {}", token.await?).parse()?;
                shown.set_sensitive(true);
                let mut metadata = MetadataMap::new();
                metadata.insert("authorization", shown);
                Ok(metadata)
            }
        })
    }

    /// Send metadata that is asked for before every attempt, such as a trace.
    pub fn metadata_from<F, P>(mut self, give: F) -> Self
    where
        F: Fn() -> P + Send + Sync + 'static,
        P: Future<Output = Result<MetadataMap, BoxError>> + Send + 'static,
    {
        self.sources.push(Arc::new(move || Box::pin(give())));
        self
    }

    /// Say how long calls may take, and how they are repeated.
    pub fn policy(mut self, policy: RepeatPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Make the client. It connects with the first call, and again whenever it must.
    ///
    /// # Errors
    /// [`Misconfigured`] for an address that is not `host:port`, for settings that do not go together, for a
    /// token that others could read, for certificates that cannot be read, and outside of a tokio runtime.
    pub fn build(self) -> Result<Client, Misconfigured> {
        let channel = self.open()?;
        Ok(self.build_on(channel))
    }

    /// Make the client on a channel or another tower service of your own, which is yours to protect.
    pub fn build_on<S>(self, transport: S) -> Client
    where
        S: tower::Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + 'static,
    {
        Client::new(Service::new(transport, self.sources), self.policy)
    }

    fn open(&self) -> Result<Channel, Misconfigured> {
        let endpoint = self.endpoint()?;
        if Handle::try_current().is_err() {
            return Err(misconfigured("Make the client inside of a tokio runtime: it lives there."));
        }
        Ok(endpoint.connect_lazy())
    }

    fn endpoint(&self) -> Result<Endpoint, Misconfigured> {
        let target = &self.target;
        let scheme = if self.plaintext { "http" } else { "https" };
        let host = host_of(target)
            .ok_or_else(|| misconfigured(format!("{target} is no address: give host:port.")))?;
        if self.plaintext && (self.authorities.is_some() || self.certificate.is_some()) {
            return Err(misconfigured(
                "Certificates protect a channel, plaintext leaves it open: say one of them.",
            ));
        }
        // What is no certificate is left out without a word below, and then nobody is trusted.
        let has_certificate = |pem: &Vec<u8>| pem.windows(CERTIFICATE.len()).any(|part| part == CERTIFICATE);
        if !self.authorities.as_ref().is_none_or(has_certificate) {
            return Err(misconfigured("The authorities hold no certificate: give PEM."));
        }
        if self.plaintext && self.has_token && !is_loopback(host) {
            return Err(misconfigured(
                "A token on a plaintext channel can be read by everybody on its way: use TLS.",
            ));
        }
        let endpoint = Endpoint::try_from(format!("{scheme}://{target}"))
            .map_err(|_| misconfigured(format!("{target} is no address: give host:port.")))?
            .user_agent(USER_AGENT)
            .map_err(|error| misconfigured(error.to_string()))?
            .connect_timeout(CONNECTING)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_ANSWER);
        if self.plaintext { Ok(endpoint) } else { self.protect(endpoint) }
    }

    #[cfg(any(feature = "tls-native-roots", feature = "tls-webpki-roots"))]
    fn protect(&self, endpoint: Endpoint) -> Result<Endpoint, Misconfigured> {
        use tonic::transport::{Certificate, ClientTlsConfig, Identity};

        let tls = match &self.authorities {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_enabled_roots(),
        };
        let tls = match &self.certificate {
            Some((pem, key)) => tls.identity(Identity::from_pem(pem, key)),
            None => tls,
        };
        endpoint
            .tls_config(tls)
            .map_err(|_| misconfigured("The certificates or their key cannot be read: give PEM."))
    }

    #[cfg(not(any(feature = "tls-native-roots", feature = "tls-webpki-roots")))]
    #[expect(clippy::unused_self, reason = "a build with TLS has the same method")]
    fn protect(&self, _endpoint: Endpoint) -> Result<Endpoint, Misconfigured> {
        Err(misconfigured("This build has no TLS: take the feature tls-native-roots or tls-webpki-roots."))
    }
}

fn misconfigured(words: impl Into<String>) -> Misconfigured {
    Misconfigured(words.into())
}

/// Return the host of `host:port`, or nothing if it is anything else.
fn host_of(target: &str) -> Option<&str> {
    let (host, port) = target.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let is_bare = !host.is_empty() && !host.contains(['/', '@', '?', '#']);
    let is_whole = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    (is_bare && is_whole).then_some(host)
}

/// Tell whether a host is this machine, so that nobody reads along.
fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
