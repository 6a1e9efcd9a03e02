//! What is repeated, with which pauses, and until when.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use giftcard_client::testing::FakeGateway;
use giftcard_client::v1::{
    BalanceRequest, GetTransactionRequest, GetTransactionResponse, IssueRequest, IssueResponse, IssuedCard,
    RedeemRequest, RedeemResponse, ReverseRedeemRequest, StoreCardRequest, Transaction, TransactionState,
};
use giftcard_client::{About, CallError, Client, Kind, RepeatPolicy, new_transaction_id};
use tokio::time::Instant;
use tonic::{Code, Status};

fn redemption() -> RedeemRequest {
    RedeemRequest { transaction_id: new_transaction_id(), ..RedeemRequest::default() }
}

/// A policy whose pauses are as long as they may be.
fn longest_pauses() -> RepeatPolicy {
    RepeatPolicy { chance: || 1.0, ..RepeatPolicy::default() }
}

fn client_of(gateway: &FakeGateway, policy: RepeatPolicy) -> Client {
    Client::builder("fake").policy(policy).build_on(gateway.clone())
}

/// A request that was not sent is repeated, the same each time.
#[tokio::test(start_paused = true)]
async fn an_ask_is_repeated_with_the_same_id() {
    let gateway = FakeGateway::new();
    gateway.fail("Redeem", Code::Unavailable, "OVERLOADED");
    gateway.fail("Redeem", Code::ResourceExhausted, "RATE_LIMITED");
    let request = redemption();
    let transaction = gateway.client().ask(&request).await.expect("the third is answered");
    assert!(transaction.is_approved());
    assert_eq!(gateway.seen::<RedeemRequest>(), vec![request; 3]);
}

/// What an earlier attempt left open stays open: a refusal of the next one does not prove that nothing
/// happened.
#[tokio::test(start_paused = true)]
async fn an_open_outcome_stays_open() {
    let gateway = FakeGateway::new();
    gateway.fail("Redeem", Code::Unavailable, "");
    gateway.fail("Redeem", Code::PermissionDenied, "SCOPE_MISSING");
    let error = gateway.client().ask(&redemption()).await.expect_err("it is refused");
    assert!(error.is_outcome_open());
    assert_eq!(gateway.calls(), ["Redeem", "Redeem", "GetTransaction"]);
}

/// Attempts end with the policy's number, or with the time: a quarter of it is kept for looking up.
#[tokio::test(start_paused = true)]
async fn attempts_are_bounded() {
    let gateway = FakeGateway::new();
    for _ in 0..20 {
        gateway.fail("Redeem", Code::Unavailable, "OVERLOADED");
    }
    let policy = RepeatPolicy { attempts: 4, ..longest_pauses() };
    client_of(&gateway, policy).ask(&redemption()).await.expect_err("it is refused each time");
    assert_eq!(gateway.calls().len(), 4);

    let policy = RepeatPolicy { deadline: Duration::from_secs(2), ..longest_pauses() };
    let begun = Instant::now();
    client_of(&gateway, policy).ask(&redemption()).await.expect_err("it is refused each time");
    assert!(begun.elapsed() <= Duration::from_millis(1500), "{:?}", begun.elapsed());
    assert_eq!(gateway.calls().len(), 4 + 4);
}

/// One deadline covers a call that never hears anything: asking, then looking up.
#[tokio::test(start_paused = true)]
async fn a_silent_gateway_takes_one_deadline() {
    let gateway = FakeGateway::new();
    gateway.stall("Redeem");
    gateway.stall("GetTransaction");
    let begun = Instant::now();
    let error = gateway.client().ask(&redemption()).await.expect_err("nobody answers");
    assert_eq!(error.failure().map(CallError::code), Some(Code::DeadlineExceeded));
    assert!(error.is_outcome_open());
    let within = Duration::from_secs(40)..Duration::from_millis(40_100);
    assert!(within.contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

/// Pauses grow to the longest, and are never shorter than the gateway asks for.
#[test]
fn pauses_never_undercut_the_gateway() {
    let quiet = CallError::about(&Status::unavailable(""), About::NOBODY_SAID);
    let policy = longest_pauses();
    assert_eq!(policy.pause_after(0, &quiet), Duration::from_millis(100));
    assert_eq!(policy.pause_after(3, &quiet), Duration::from_millis(800));
    assert_eq!(policy.pause_after(40, &quiet), Duration::from_secs(5));
    // google.rpc.Status with a RetryInfo of 1.5 s.
    let details = BASE64_STANDARD
        .decode("GjYKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SCgoICAEQgMq17gE=")
        .expect("base64");
    let status = Status::with_details(Code::Unavailable, "", details.into());
    let asking = CallError::about(&status, About::NOBODY_SAID);
    let hasty = RepeatPolicy { chance: || 0.0, ..RepeatPolicy::default() };
    assert_eq!(hasty.pause_after(0, &asking), Duration::from_millis(1500));
}

/// What Issue made is shown by the same request only: a looked-up transaction with cards is asked for again.
#[tokio::test(start_paused = true)]
async fn issued_cards_are_asked_for_again() {
    let gateway = FakeGateway::new();
    let request = IssueRequest { transaction_id: new_transaction_id(), ..IssueRequest::default() };
    let issued = |number: &str| {
        Some(Transaction {
            state: TransactionState::Approved.into(),
            issued_cards: vec![IssuedCard { number: number.to_owned(), ..IssuedCard::default() }],
            ..Transaction::default()
        })
    };
    gateway.lose("Issue");
    gateway.answer::<GetTransactionRequest>(&GetTransactionResponse { transaction: issued("") });
    gateway.answer::<IssueRequest>(&IssueResponse { transaction: issued("6045000000000061") });
    let transaction = gateway.client().ask(&request).await.expect("it is found");
    assert_eq!(transaction.issued_cards[0].number, "6045000000000061");
    assert_eq!(gateway.calls(), ["Issue", "GetTransaction", "Issue"]);
}

/// An answer that is larger than tonic takes has come: the money may have moved, so it is looked up.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_is_looked_up() {
    let gateway = FakeGateway::new();
    let huge = Transaction { external_reference: "x".repeat(5 << 20), ..Transaction::default() };
    gateway.answer::<RedeemRequest>(&RedeemResponse { transaction: Some(huge) });
    gateway.fail("GetTransaction", Code::Unavailable, "");
    let error = gateway.client().ask(&redemption()).await.expect_err("it cannot be read");
    assert_eq!(error.failure().map(CallError::kind), Some(Kind::NoAnswer), "{error}");
    assert!(error.is_outcome_open());
    assert_eq!(gateway.calls(), ["Redeem", "GetTransaction"]);
}

/// Issued cards that stay unread are no cards that were not issued: the outcome stays open.
#[tokio::test(start_paused = true)]
async fn issued_cards_that_stay_unread_leave_the_outcome_open() {
    let gateway = FakeGateway::new();
    let transaction = Transaction {
        state: TransactionState::Approved.into(),
        issued_cards: vec![IssuedCard::default()],
        ..Transaction::default()
    };
    gateway.lose("Issue");
    gateway.answer::<GetTransactionRequest>(&GetTransactionResponse { transaction: Some(transaction) });
    gateway.fail("Issue", Code::PermissionDenied, "SCOPE_MISSING");
    let request = IssueRequest { transaction_id: new_transaction_id(), ..IssueRequest::default() };
    let error = gateway.client().ask(&request).await.expect_err("the cards are not shown");
    assert!(error.is_outcome_open(), "{error}");
}

/// A deadline and a pause beyond reckoning are no panic.
#[tokio::test(start_paused = true)]
async fn endless_times_are_survived() {
    let gateway = FakeGateway::new();
    gateway.fail("Redeem", Code::Unavailable, "OVERLOADED");
    let endless = RepeatPolicy {
        deadline: Duration::MAX,
        first_pause: Duration::MAX,
        longest_pause: Duration::MAX,
        ..longest_pauses()
    };
    let error = client_of(&gateway, endless).ask(&redemption()).await.expect_err("no time is left");
    assert_eq!(error.failure().map(CallError::kind), Some(Kind::Unavailable));
}

/// A reversal is repeated after every lost answer, and may come before its request.
#[tokio::test(start_paused = true)]
async fn a_reversal_is_repeated() {
    let gateway = FakeGateway::new();
    gateway.lose("ReverseRedeem");
    gateway.fail("ReverseRedeem", Code::Unknown, "");
    let reversal =
        ReverseRedeemRequest { transaction_id: new_transaction_id(), ..ReverseRedeemRequest::default() };
    let reversed = gateway.client().reverse(&reversal).await.expect("the third is heard");
    assert!(reversed.is_reversed());
    assert_eq!(gateway.calls().len(), 3);
}

/// A read is repeated as often as the contract's service config says, another change never.
#[tokio::test(start_paused = true)]
async fn reads_are_repeated_and_changes_are_not() {
    let gateway = FakeGateway::new();
    for _ in 0..5 {
        gateway.fail("Balance", Code::Unavailable, "PROVIDER_FAILED");
        gateway.fail("StoreCard", Code::Unavailable, "SHUTTING_DOWN");
    }
    let client = gateway.client();
    client.call(&BalanceRequest::default()).await.expect_err("it fails three times");
    assert_eq!(gateway.calls().len(), 3);
    let error = client.call(&StoreCardRequest::default()).await.expect_err("it fails");
    assert_eq!(error.failure().map(CallError::kind), Some(Kind::Unavailable));
    assert_eq!(gateway.calls().len(), 3 + 1);
}

/// A read has the deadline of the contract, or the client's.
#[tokio::test(start_paused = true)]
async fn a_read_has_a_deadline() {
    for (client, seconds) in [
        (FakeGateway::client as fn(&FakeGateway) -> Client, 10),
        (|gateway| gateway.client().with_deadline(Duration::from_secs(2)), 2),
    ] {
        let gateway = FakeGateway::new();
        gateway.stall("Balance");
        let begun = Instant::now();
        client(&gateway).call(&BalanceRequest::default()).await.expect_err("nobody answers");
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
}
