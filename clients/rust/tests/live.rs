//! The scenarios of `clients/vectors`, against the sandbox at `GIFTCARD_TARGET` whose simulator of Electrum
//! is at `GIFTCARD_SANDBOX`; skipped without them.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use giftcard_client::v1::card::Reference;
use giftcard_client::v1::watch_transactions_request::Start;
use giftcard_client::v1::{
    BalanceRequest, Card, CardNumber, GetTransactionRequest, LoadRequest, RedeemRequest, ReversalReason,
    ReverseRedeemRequest, Transaction, TransactionState, WatchTransactionsRequest,
};
use giftcard_client::{Ask, Client, Error, Money, Reverse, new_transaction_id};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A transaction has come to rest by then.
const REST: Duration = Duration::from_secs(30);

/// What the caller hears of a held transaction.
#[derive(Debug)]
enum Heard {
    Block,
    Gateway(Error),
}

impl From<Error> for Heard {
    fn from(error: Error) -> Self {
        Self::Gateway(error)
    }
}

impl Heard {
    fn name(&self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Gateway(Error::Declined(_)) => "Declined",
            Self::Gateway(Error::NotApproved(_)) => "NotApproved",
            Self::Gateway(Error::ConfirmationFailed(_)) => "ConfirmationFailed",
            Self::Gateway(_) => "another error",
        }
    }
}

/// Though its connection is cut again and again, a watch goes on and misses nothing.
#[tokio::test]
async fn a_watch_goes_on() {
    let target = std::env::var("GIFTCARD_TARGET").unwrap_or_default();
    if target.is_empty() {
        eprintln!("skipped: GIFTCARD_TARGET says no gateway");
        return;
    }
    let breaking = std::env::var("GIFTCARD_BREAKING").expect("GIFTCARD_BREAKING goes with GIFTCARD_TARGET");
    let steady = Client::builder(target).plaintext().build().expect("good settings");
    let client = Client::builder(breaking).plaintext().build().expect("good settings");
    let start = Some(Start::StartTime(std::time::SystemTime::now().into()));
    let mut awaited: HashSet<String> = (0..30).map(|_| new_transaction_id()).collect();
    for id in &awaited {
        steady
            .reverse(&ReverseRedeemRequest::of(id.clone(), ReversalReason::Cancelled))
            .await
            .expect("reversed");
    }
    let mut changes =
        client.follow(WatchTransactionsRequest { start, ..WatchTransactionsRequest::default() });
    while !awaited.is_empty() {
        let change = changes.try_next().await.expect("it goes on").expect("it does not end");
        awaited.remove(&change.transaction.expect("a change is one of a transaction").transaction_id);
    }
}

/// Every scenario ends as the vectors say: what is heard, where the transaction rests, what moved.
#[tokio::test]
async fn scenarios() {
    let target = std::env::var("GIFTCARD_TARGET").unwrap_or_default();
    if target.is_empty() {
        eprintln!("skipped: GIFTCARD_TARGET says no gateway");
        return;
    }
    let sandbox = std::env::var("GIFTCARD_SANDBOX").expect("GIFTCARD_SANDBOX goes with GIFTCARD_TARGET");
    let sandbox = sandbox.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let client = Client::builder(target).plaintext().build().expect("good settings");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/scenarios.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("vectors")).expect("JSON");
    let mut failed = Vec::new();
    for case in file["cases"].as_array().expect("cases") {
        tell_faults(&sandbox, &case["faults"]).await;
        let outcome = match text(case, "operation") {
            "Redeem" => {
                let request = RedeemRequest {
                    transaction_id: new_transaction_id(),
                    card: Some(card(case)),
                    amount: Some(amount(case)),
                    ..RedeemRequest::default()
                };
                play(&client, case, request).await
            }
            "Load" => {
                let request = LoadRequest {
                    transaction_id: new_transaction_id(),
                    card: Some(card(case)),
                    amount: Some(amount(case)),
                    ..LoadRequest::default()
                };
                play(&client, case, request).await
            }
            other => panic!("add {other} to this test"),
        };
        tell_faults(&sandbox, &Value::Array(Vec::new())).await;
        if let Err(words) = outcome {
            failed.push(format!("{}: {words}", text(case, "name")));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{case} has no text {key}"))
}

fn card(case: &Value) -> Card {
    let number = CardNumber { pan: text(case, "card").to_owned(), ..CardNumber::default() };
    Card { reference: Some(Reference::Number(number)), ..Card::default() }
}

fn amount(case: &Value) -> Money {
    Money::parse(text(case, "amount"), text(case, "currency")).expect("an amount")
}

/// Play one scenario; say what came out otherwise.
async fn play<R: Ask>(client: &Client, case: &Value, request: R) -> Result<(), String> {
    let expected = &case["expect"];
    let id = request.transaction_id().to_owned();
    let before = balance_minor(client, case).await;
    let ends = text(case, "block") == "ends";
    let heard: Result<(), Heard> =
        client.holding(request, |_| async move { if ends { Ok(()) } else { Err(Heard::Block) } }).await;
    let name = heard.as_ref().err().map(Heard::name);
    if name != expected["raises"].as_str() {
        return Err(format!("heard {heard:?}"));
    }
    let state = format!("TRANSACTION_STATE_{}", text(expected, "state"));
    let state = TransactionState::from_str_name(&state).expect("a state of the contract");
    let transaction = at_rest(client, &id, state).await;
    if transaction.state() != state {
        return Err(format!("rests as {:?}", transaction.state()));
    }
    let moved = before - balance_minor(client, case).await;
    if Some(moved) != expected["moved_minor"].as_i64() {
        return Err(format!("moved {moved}"));
    }
    Ok(())
}

async fn balance_minor(client: &Client, case: &Value) -> i64 {
    let request = BalanceRequest { card: Some(card(case)), ..BalanceRequest::default() };
    let response = client.call(&request).await.expect("the balance can be read");
    let balances = response.card_balance.and_then(|card| card.balances).expect("there are balances");
    balances.available.or(balances.book).expect("there is one").to_minor().expect("whole minor units")
}

/// Read a transaction until it has a state, or time is up.
async fn at_rest(client: &Client, id: &str, state: TransactionState) -> Transaction {
    let until = tokio::time::Instant::now() + REST;
    let request = GetTransactionRequest { transaction_id: id.to_owned(), ..GetTransactionRequest::default() };
    loop {
        let response = client.call(&request).await.expect("the transaction can be read");
        let transaction = response.transaction.expect("there is one");
        if transaction.state() == state || tokio::time::Instant::now() >= until {
            return transaction;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Tell the simulator what goes wrong next.
async fn tell_faults(sandbox: &str, faults: &Value) {
    let body = faults.to_string();
    let request = format!(
        "POST /_sandbox/faults HTTP/1.1\r\nHost: {sandbox}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(sandbox).await.expect("the simulator is there");
    stream.write_all(request.as_bytes()).await.expect("the simulator listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the simulator answers");
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
}
