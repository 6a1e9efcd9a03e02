#![doc = include_str!("../README.md")]

mod builder;
mod calls;
mod client;
mod errors;
#[allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]
#[rustfmt::skip]
mod generated;
mod held;
mod money;
mod next_steps;
mod policy;
mod redaction;
mod service;
mod states;
mod statuses;
mod streams;
#[cfg(feature = "testing")]
pub mod testing;

pub use builder::{Builder, Misconfigured};
pub use calls::{About, Ask, Confirm, MoneyCall, Phase, Plain, Reverse, Rpc};
pub use client::Client;
pub use errors::{CallError, Error, Kind, Violation};
pub use generated::giftcard::v1;
pub use generated::google;
pub use google::r#type::Money;
pub use held::Held;
pub use money::{BadAmount, decimals_of};
pub use policy::{Move, RepeatPolicy, decide};
pub use service::{BoxError, Service};
pub use streams::{Following, List, Resumable};

/// The descriptors of the contract, an encoded `google.protobuf.FileDescriptorSet`: for reflection, and for
/// reading messages as JSON.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.binpb");

/// Make the id of a new transaction. Keep it before you call: it is what makes repeating safe.
#[must_use]
pub fn new_transaction_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
