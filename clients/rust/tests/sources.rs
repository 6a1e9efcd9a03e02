//! Tokens and metadata go beside every call, and a call whose token cannot be had is not sent.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use giftcard_client::testing::FakeGateway;
use giftcard_client::v1::provider_service_client::ProviderServiceClient;
use giftcard_client::v1::{BalanceRequest, ConfirmRedeemRequest, ListProvidersRequest, RedeemRequest};
use giftcard_client::{CallError, Client, Kind, new_transaction_id};
use http::{HeaderMap, Request};
use tonic::Code;
use tonic::body::Body;
use tower::{Service, ServiceExt};

/// A fresh token and the user's metadata are beside every attempt, also of the generated clients.
#[tokio::test(start_paused = true)]
async fn every_attempt_shows_a_fresh_token() {
    let seen = Arc::new(Mutex::new(Vec::<HeaderMap>::new()));
    let gateway = FakeGateway::new();
    gateway.fail("Balance", Code::Unavailable, "PROVIDER_FAILED");
    let listening = {
        let (seen, gateway) = (seen.clone(), gateway.clone());
        tower::service_fn(move |request: Request<Body>| {
            seen.lock().expect("nobody panics").push(request.headers().clone());
            gateway.clone().call(request)
        })
    };
    let count = AtomicUsize::new(0);
    let client = Client::builder("fake")
        .token_from(move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            async move { Ok(format!("token-{number}")) }
        })
        .metadata_from(|| {
            let mut metadata = tonic::metadata::MetadataMap::new();
            metadata.insert("giftcard-end-user", "7".parse().expect("ASCII"));
            std::future::ready(Ok(metadata))
        })
        .build_on(listening);
    client.call(&BalanceRequest::default()).await.expect("the second is answered");
    let mut providers = ProviderServiceClient::new(client.service());
    providers.list_providers(ListProvidersRequest::default()).await.expect("it is answered");
    let seen = seen.lock().expect("nobody panics");
    let tokens: Vec<&str> =
        seen.iter().map(|headers| headers["authorization"].to_str().expect("ASCII")).collect();
    assert_eq!(tokens, ["Bearer token-0", "Bearer token-1", "Bearer token-2"]);
    assert!(seen.iter().all(|headers| headers["giftcard-end-user"] == "7"));
    assert!(!format!("{seen:?}").contains("token-0"));
}

/// A token that cannot be had: nothing is sent, and the cause is the user's own error.
#[tokio::test(start_paused = true)]
async fn a_call_without_its_token_is_not_sent() {
    let gateway = FakeGateway::new();
    let client = Client::builder("fake")
        .token_from(|| std::future::ready(Err("the vault is locked".into())))
        .build_on(gateway.clone());
    let error = client.call(&BalanceRequest::default()).await.expect_err("there is no token");
    let failure = error.failure().expect("a call failed");
    assert_eq!(failure.kind(), Kind::NotSent);
    assert!(!failure.is_outcome_open());
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the vault is locked"));
    assert!(!error.to_string().contains("vault"));
    assert_eq!(gateway.calls(), [""; 0]);
}

/// A token that hangs takes the call's time and no more; then nothing was sent.
#[tokio::test(start_paused = true)]
async fn a_token_that_hangs_is_not_awaited_for_ever() {
    let gateway = FakeGateway::new();
    let client = Client::builder("fake").token_from(std::future::pending).build_on(gateway.clone());
    let request = RedeemRequest { transaction_id: new_transaction_id(), ..RedeemRequest::default() };
    let error = client.ask(&request).await.expect_err("there is no token");
    assert_eq!(error.failure().map(CallError::kind), Some(Kind::NotSent));
    assert!(!error.is_outcome_open());
    assert_eq!(gateway.calls(), [""; 0]);
}

/// A confirmation is tried again when its token comes back.
#[tokio::test(start_paused = true)]
async fn a_confirmation_outlasts_a_lost_token() {
    let gateway = FakeGateway::new();
    let request = RedeemRequest { transaction_id: new_transaction_id(), ..RedeemRequest::default() };
    gateway.client().ask(&request).await.expect("the fake approves");
    let count = AtomicUsize::new(0);
    let client = Client::builder("fake")
        .token_from(move || {
            let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
            async move { if is_first { Err("not now".into()) } else { Ok("token".to_owned()) } }
        })
        .build_on(gateway.clone());
    let confirmation =
        ConfirmRedeemRequest { transaction_id: request.transaction_id, ..ConfirmRedeemRequest::default() };
    assert!(client.confirm(&confirmation).await.expect("the second is sent").is_confirmed());
}

/// What cannot be a header is refused before anything is sent.
#[tokio::test(start_paused = true)]
async fn a_token_that_is_no_header_is_not_sent() {
    let gateway = FakeGateway::new();
    let client = Client::builder("fake").token("two\nlines").build_on(gateway.clone());
    let error = client.call(&BalanceRequest::default()).await.expect_err("it is no header");
    assert_eq!(error.failure().map(CallError::kind), Some(Kind::NotSent));
    assert!(!format!("{error} {error:?}").contains("lines"));
}

/// Settings that do not go together are refused with a sentence.
#[tokio::test]
async fn bad_settings_are_refused() {
    for target in [
        "gateway.example",
        "https://gateway.example:443",
        "gateway.example:https",
        ":443",
        "::1:443",
        "a@b:1",
    ] {
        let refused = Client::builder(target).build().expect_err(target);
        assert!(refused.to_string().contains("host:port"), "{refused}");
    }
    let refused = Client::builder("gateway.example:80").plaintext().token("secret-token").build();
    let words = refused.expect_err("others could read it").to_string();
    assert!(words.contains("use TLS") && !words.contains("secret-token"));
    for target in ["127.0.0.1:1", "localhost:1", "[::1]:1"] {
        assert!(Client::builder(target).plaintext().token("secret-token").build().is_ok());
    }
    let both = Client::builder("localhost:1").plaintext().authorities("PEM").build();
    assert!(both.expect_err("both").to_string().contains("say one of them"));
    let empty = Client::builder("localhost:1").authorities("no PEM").build();
    assert!(empty.expect_err("no PEM").to_string().contains("no certificate"));
    let unreadable = Client::builder("localhost:1").certificate("no", "PEM").build();
    assert!(unreadable.expect_err("no PEM").to_string().contains("cannot be read"));
}

/// Outside of a runtime a client says so, instead of a panic.
#[test]
fn a_client_needs_a_runtime() {
    let refused = Client::builder("localhost:1").build().expect_err("there is no runtime");
    assert!(refused.to_string().contains("tokio runtime"));
}

/// A client can be shared among threads, and its futures can be spawned.
#[tokio::test]
async fn futures_can_be_spawned() {
    let gateway = FakeGateway::new();
    let client = Arc::new(gateway.client().with_deadline(Duration::from_secs(5)));
    let request = RedeemRequest { transaction_id: new_transaction_id(), ..RedeemRequest::default() };
    let selling = async move {
        let held = client.hold(request).await?;
        held.confirm().await
    };
    assert!(tokio::spawn(selling).await.expect("no panic").expect("it is sold").is_confirmed());
    let _service: &dyn Send = &gateway.client().service().boxed();
}
