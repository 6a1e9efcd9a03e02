//! What a status says, the gateway's own or what tonic makes of a failure of this side.

use std::error::Error as StdError;

use prost::Message;
use tonic::{Code, ConnectError, Status, TimeoutExpired};

use crate::google::rpc;

/// How tonic begins what it says of an answer that came and that it does not take, under codes of refusals.
/// The money may have moved.
const UNREAD: [&str; 2] = ["Error, decoded message length too large", "Content is compressed with"];

/// What rustls says of a handshake that failed, and what to do about it.
const HANDSHAKES: [(&str, &str); 5] = [
    (
        "InvalidContentType",
        "The gateway does not speak TLS at this address: call a sandbox on loopback with `plaintext`.",
    ),
    (
        "UnknownIssuer",
        "The gateway's certificate is signed by nobody this client trusts: give its authority with \
         `authorities`.",
    ),
    (
        "not valid for name",
        "The gateway's certificate is for another name: call it by a name in the certificate.",
    ),
    ("CertificateRequired", "The gateway asks for a certificate of yours: give it with `certificate`."),
    ("UnknownCA", "The gateway trusts no authority of your certificate: have it signed by one it trusts."),
];

/// Return the details of `google.rpc.Status`, or nothing where there is none that can be read.
pub(crate) fn details_of(status: &Status) -> Vec<prost_types::Any> {
    rpc::Status::decode(status.details()).map_or_else(|_| Vec::new(), |status| status.details)
}

/// Return the first detail of a kind, or an empty one.
pub(crate) fn find<M: Message + Default>(details: &[prost_types::Any], name: &str) -> M {
    details
        .iter()
        .find(|detail| detail.type_url.rsplit('/').next() == Some(name))
        .and_then(|detail| M::decode(detail.value.as_slice()).ok())
        .unwrap_or_default()
}

/// Return the status code of the gateway, or what this side knows of a call that never got an answer.
///
/// tonic gives failures of its own the code of what it resembles, such as `ResourceExhausted` where a peer
/// resets a stream: what came without an answer proves no refusal.
pub(crate) fn code_of(status: &Status) -> Code {
    if status.source().is_none() {
        let is_unread = UNREAD.iter().any(|words| status.message().starts_with(words));
        if is_unread && status.details().is_empty() { Code::Unknown } else { status.code() }
    } else if find_cause::<TimeoutExpired>(status).is_some() {
        Code::DeadlineExceeded
    } else if status.code() == Code::Unavailable {
        Code::Unavailable
    } else {
        Code::Unknown
    }
}

/// Return the gateway's words, or all the words of this side's own failure, after a sentence about it where a
/// handshake failed.
pub(crate) fn message_of(status: &Status) -> String {
    let mut words = vec![status.message().to_owned()];
    let mut cause = status.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !words.contains(&told) {
            words.push(told);
        }
        cause = error.source();
    }
    let words = words.join(": ");
    if find_cause::<ConnectError>(status).is_none() {
        return words;
    }
    match HANDSHAKES.iter().find(|(sign, _)| words.contains(sign)) {
        Some((_, sentence)) => format!("{sentence} ({words})"),
        None => words,
    }
}

/// Find a cause of a kind behind a failure.
pub(crate) fn find_cause<E: StdError + 'static>(status: &Status) -> Option<&E> {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// Name a status code as the contract does: `NOT_FOUND`.
pub(crate) fn name_of(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
