//! What can go wrong in a call, read from `google.rpc.Status` and its details.
//!
//! A decline is not among the failures of a call: it is an answer, and becomes an error only where the caller
//! asks for one. When to repeat a call is decided in `policy`.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, ConnectError, Status};

use crate::calls::{About, Phase, Rpc};
use crate::google::rpc;
use crate::next_steps;
use crate::redaction::without_card_numbers;
use crate::service::SourceFailed;
use crate::statuses::{code_of, details_of, find, find_cause, message_of, name_of};
use crate::v1::{DeclineReason, Operation, Transaction};

/// The domain of the `ErrorInfo` whose reasons the contract defines (`error_reason.proto`).
pub(crate) const DOMAIN: &str = "giftcard.v1";
/// What kind of failure a call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The request is missing something or malformed: `violations` lists every field to correct.
    InvalidRequest,
    /// No or bad credentials: sign in again.
    Unauthenticated,
    /// The caller may not do this: metadata `scope` names what is missing.
    PermissionDenied,
    /// No such transaction, card, provider or export: `reason` says which.
    NotFound,
    /// The state of things forbids it, such as a transaction id used before or a transaction reversed.
    Conflict,
    /// The provider, or this release of the gateway, does not do this.
    Unsupported,
    /// The gateway or the provider cannot serve now: repeat later, with the same transaction id.
    Unavailable,
    /// Too much was asked: repeat after `retry_after`, with the same transaction id. Without the gateway's
    /// reason it proves nothing.
    Throttled,
    /// Nothing was sent: what gives the call's token or metadata failed, which is the `source`.
    NotSent,
    /// No answer to go by (a deadline, a cut connection, a fault of the gateway): repeat a money call with
    /// the same id, read the transaction, or reverse it.
    NoAnswer,
}

impl Kind {
    fn of(code: Code) -> Self {
        match code {
            Code::InvalidArgument | Code::OutOfRange => Self::InvalidRequest,
            Code::Unauthenticated => Self::Unauthenticated,
            Code::PermissionDenied => Self::PermissionDenied,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => Self::Conflict,
            Code::Unimplemented => Self::Unsupported,
            Code::Unavailable => Self::Unavailable,
            Code::ResourceExhausted => Self::Throttled,
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::DataLoss => Self::NoAnswer,
        }
    }

    /// Tell whether the gateway refused the call for good.
    fn is_refusal(self) -> bool {
        matches!(self, Self::InvalidRequest | Self::NotFound | Self::Conflict | Self::Unsupported)
    }
}

/// One field that the gateway refused.
#[derive(Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its path in the request.
    pub field: String,
    /// Why it was refused.
    pub description: String,
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_card_numbers(&self.to_string()))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.description)
    }
}

/// A call brought no result.
///
/// Neither `{}` nor `{:?}` shows a card number; `metadata` and `violations` are as they came.
#[derive(Clone)]
pub struct CallError(Box<Facts>);

#[derive(Clone)]
struct Facts {
    kind: Kind,
    code: Code,
    message: String,
    reason: String,
    metadata: BTreeMap<String, String>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    request_id: String,
    about: About,
    is_outcome_open: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl CallError {
    /// Read what a call of a generated client ended with; the request says what it was about.
    #[must_use]
    pub fn read<R: Rpc>(status: &Status, request: &R) -> Self {
        Self::about(status, About::of(request))
    }

    /// Read what a call ended with, where the request is not at hand, such as of a stream.
    #[must_use]
    pub fn about(status: &Status, about: About) -> Self {
        let details = details_of(status);
        let info: rpc::ErrorInfo = find(&details, "google.rpc.ErrorInfo");
        let ours = if info.domain == DOMAIN { info } else { rpc::ErrorInfo::default() };
        let retry: rpc::RetryInfo = find(&details, "google.rpc.RetryInfo");
        let refused: rpc::BadRequest = find(&details, "google.rpc.BadRequest");
        let told: rpc::RequestInfo = find(&details, "google.rpc.RequestInfo");
        let source_failed: Option<&SourceFailed> = find_cause(status);
        let code = if source_failed.is_some() { Code::Unavailable } else { code_of(status) };
        let kind = if source_failed.is_some() { Kind::NotSent } else { Kind::of(code) };
        let is_unconnected = find_cause::<ConnectError>(status).is_some();
        Self(Box::new(Facts {
            kind,
            code,
            message: message_of(status),
            is_outcome_open: match kind {
                // Only the gateway's own reason proves that nothing was sent, or that nobody was reached.
                Kind::Unavailable | Kind::Throttled => ours.reason.is_empty() && !is_unconnected,
                _ => kind == Kind::NoAnswer,
            },
            reason: ours.reason,
            metadata: ours.metadata,
            violations: refused
                .field_violations
                .into_iter()
                .map(|each| Violation { field: each.field, description: each.description })
                .collect(),
            retry_after: retry.retry_delay.and_then(|delay| delay.try_into().ok()),
            request_id: told.request_id,
            about,
            source: source_failed.map(|failed| failed.0.clone()),
        }))
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The status code. A time-out of this side is `DeadlineExceeded`, whatever tonic makes of it.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// A name of [`v1::ErrorReason`](crate::v1::ErrorReason) without its prefix, or empty where the error is
    /// not the gateway's.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What the gateway says beside the reason.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// Every field that was refused.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// How long the gateway asks to wait, if it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What to quote to the gateway's operator, where the fault is the gateway's.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The name of the call, such as `Redeem`.
    #[must_use]
    pub fn call(&self) -> &str {
        &self.0.about.call
    }

    /// The transaction the call was about, or empty.
    #[must_use]
    pub fn transaction_id(&self) -> &str {
        &self.0.about.transaction_id
    }

    /// Which part of a transaction's life the call belongs to.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.about.phase
    }

    /// Whether a money call may have had its effect all the same.
    #[must_use]
    pub fn is_outcome_open(&self) -> bool {
        self.0.is_outcome_open
    }

    /// What to do now, in a sentence.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        if self.is_outcome_open() {
            return next_steps::after_open(self.phase());
        }
        match self.kind() {
            Kind::InvalidRequest => next_steps::INVALID,
            Kind::Unauthenticated => next_steps::UNAUTHENTICATED,
            Kind::PermissionDenied => next_steps::PERMISSION,
            Kind::NotFound => next_steps::NOT_FOUND,
            Kind::Conflict => next_steps::CONFLICT,
            Kind::Unsupported => next_steps::UNSUPPORTED,
            Kind::NotSent => next_steps::NOT_SENT,
            Kind::Unavailable | Kind::Throttled => next_steps::after_unavailable(self.phase()),
            Kind::NoAnswer => next_steps::after_open(self.phase()),
        }
    }

    /// Keep open what an earlier attempt of the same call left open, however surely the last one was not
    /// sent.
    pub fn leave_open(&mut self) {
        self.0.is_outcome_open = true;
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { code, message, reason, violations, request_id, about, .. } = &*self.0;
        let fields = violations.iter().map(ToString::to_string);
        let unsaid: Vec<String> = fields.filter(|field| !message.contains(field)).collect();
        let parts = [name_of(*code), reason.clone(), message.clone(), unsaid.join("; ")];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let about = if about.call.is_empty() { String::new() } else { format!("{about}: ") };
        f.write_str(&without_card_numbers(&format!("{about}{}", parts.join(" - "))))?;
        // A request id may hold as many digits as a card number, and is the gateway's own.
        if request_id.is_empty() { Ok(()) } else { write!(f, " - {request_id}") }
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.kind())
    }
}

impl StdError for CallError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Why a call, or a transaction held open, did not come to its good end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The call brought no result.
    Call(CallError),
    /// A confirmation was lost or refused. **This is no failed payment**: the goods may be gone.
    ConfirmationFailed(CallError),
    /// The provider said no; no money moved, and a new attempt needs a new transaction id.
    Declined(Box<Transaction>),
    /// The transaction is not approved, and tells how it stands.
    NotApproved(Box<Transaction>),
}

impl Error {
    /// The name of the call, such as `Redeem`.
    #[must_use]
    pub fn call(&self) -> String {
        match self {
            Self::Call(error) | Self::ConfirmationFailed(error) => error.call().to_owned(),
            Self::Declined(transaction) | Self::NotApproved(transaction) => {
                let name =
                    short_name(transaction.operation().as_str_name(), Operation::Unspecified.as_str_name());
                let rest = name.get(1..).unwrap_or_default().to_lowercase();
                if name == "UNSPECIFIED" { String::new() } else { format!("{}{rest}", &name[..1]) }
            }
        }
    }

    /// The transaction it is about, or empty.
    #[must_use]
    pub fn transaction_id(&self) -> &str {
        match self {
            Self::Call(error) | Self::ConfirmationFailed(error) => error.transaction_id(),
            Self::Declined(transaction) | Self::NotApproved(transaction) => &transaction.transaction_id,
        }
    }

    /// The call that failed; there is none where the gateway answered and the answer was no yes.
    #[must_use]
    pub fn failure(&self) -> Option<&CallError> {
        match self {
            Self::Call(error) | Self::ConfirmationFailed(error) => Some(error),
            Self::Declined(_) | Self::NotApproved(_) => None,
        }
    }

    /// Whether the call may have had its effect all the same.
    #[must_use]
    pub fn is_outcome_open(&self) -> bool {
        self.failure().is_some_and(CallError::is_outcome_open)
    }

    /// What to do now, in a sentence.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Call(error) => error.next_step(),
            Self::ConfirmationFailed(error) if error.kind().is_refusal() => {
                next_steps::READ_AFTER_CONFIRMATION
            }
            Self::ConfirmationFailed(_) => next_steps::REPEAT_CONFIRMATION,
            Self::Declined(transaction) | Self::NotApproved(transaction) => {
                next_steps::after_state(transaction.known_state())
            }
        }
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        if error.phase() == Phase::Confirming { Self::ConfirmationFailed(error) } else { Self::Call(error) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::ConfirmationFailed(error) => {
                let words = error.to_string();
                write!(f, "{}. {}", words.trim_end_matches('.'), self.next_step())
            }
            // Without the provider's own text: that is for support.
            Self::Declined(transaction) => {
                let reason = transaction.decline.as_ref().map_or(0, |decline| decline.reason);
                let reason = DeclineReason::try_from(reason)
                    .map_or_else(|_| reason.to_string(), |name| name.as_str_name().to_owned());
                let reason = short_name(&reason, DeclineReason::Unspecified.as_str_name());
                write!(f, "Transaction {} was declined: {reason}.", transaction.transaction_id)
            }
            Self::NotApproved(transaction) => {
                let state = transaction
                    .known_state()
                    .map_or_else(|| transaction.state.to_string(), |state| state.as_str_name().to_owned());
                let state = state.trim_start_matches("TRANSACTION_STATE_");
                write!(f, "Transaction {} is {state}.", transaction.transaction_id)
            }
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.failure().and_then(StdError::source)
    }
}

/// Leave out the prefix that an enum's names share; its first value shows which that is.
fn short_name<'a>(name: &'a str, first: &str) -> &'a str {
    let prefix = first.trim_end_matches("UNSPECIFIED");
    name.strip_prefix(prefix).unwrap_or(name)
}
