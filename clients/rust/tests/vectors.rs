//! What every client must agree about, read from `clients/vectors`; the scenarios are in `live.rs`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use giftcard_client::{About, CallError, DESCRIPTORS, Money, Move, Phase, decide, google, v1};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;
use tonic::{Code, Status};

/// Read the cases of a file; a file without cases proves nothing.
fn cases(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(name);
    let text = std::fs::read_to_string(path).expect("the vectors are beside this package");
    let file: Value = serde_json::from_str(&text).expect("a file of vectors is JSON");
    let cases = file["cases"].as_array().expect("a file of vectors has cases").clone();
    assert!(!cases.is_empty());
    cases
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{case} has no text {key}"))
}

fn code(case: &Value) -> Code {
    let number = case["code"].as_i64().expect("a status code is a number");
    Code::from(i32::try_from(number).expect("status codes are small"))
}

/// Amounts become money exactly, money becomes text exactly, and what is no amount is refused.
#[test]
fn money() {
    for case in cases("money.json") {
        let currency = text(&case, "currency");
        let made = match text(&case, "from") {
            "text" => Money::parse(text(&case, "amount"), currency).ok(),
            "minor" => text(&case, "amount").parse().ok().map(|minor| Money::from_minor(minor, currency)),
            "money" => Some(money_of(&case)),
            other => panic!("nobody makes money from {other}"),
        };
        if case["bad"] == true {
            assert_eq!(made, None, "{case}");
            continue;
        }
        let made = made.unwrap_or_else(|| panic!("{case} was refused"));
        assert_eq!(made, money_of(&case), "{case}");
        if text(&case, "from") == "money" {
            assert_eq!(made.to_text().as_deref(), Ok(text(&case, "text")), "{case}");
        }
        if text(&case, "from") == "minor" {
            assert_eq!(
                made.to_minor().map(|minor| minor.to_string()).as_deref(),
                Ok(text(&case, "amount")),
                "{case}"
            );
        }
    }
}

fn money_of(case: &Value) -> Money {
    Money {
        currency_code: text(case, "currency").to_owned(),
        units: text(case, "units").parse().expect("units are a number"),
        nanos: i32::try_from(case["nanos"].as_i64().expect("nanos are a number"))
            .expect("nanos are below a unit"),
    }
}

/// Every state answers every question, and a number that nobody knows is pending.
#[test]
fn states() {
    for case in cases("states.json") {
        let number = case["state"].as_i64().expect("a state is a number");
        let transaction = v1::Transaction {
            state: i32::try_from(number).expect("an enum has 32 bits"),
            ..v1::Transaction::default()
        };
        let answers = [
            ("is_approved", transaction.is_approved()),
            ("is_declined", transaction.is_declined()),
            ("is_confirmed", transaction.is_confirmed()),
            ("is_reversed", transaction.is_reversed()),
            ("is_pending", transaction.is_pending()),
            ("is_final", transaction.is_final()),
            ("needs_person", transaction.needs_person()),
        ];
        for (question, answer) in answers {
            assert_eq!(case[question], answer, "{question} of {case}");
        }
    }
}

/// A failed call tells its kind, facts and next step, and neither way of printing it shows a card number.
#[test]
fn errors() {
    for case in cases("errors.json") {
        let details = BASE64_STANDARD.decode(text(&case, "details")).expect("details are base64");
        let status = Status::with_details(code(&case), text(&case, "message"), details.into());
        let about = About::named(text(&case, "call"), text(&case, "transaction_id"));
        let error = CallError::about(&status, about);
        let expected = &case["expect"];
        let metadata: BTreeMap<String, String> =
            serde_json::from_value(expected["metadata"].clone()).expect("metadata is text");
        let violations: Vec<Value> = error
            .violations()
            .iter()
            .map(|each| serde_json::json!({"field": each.field, "description": each.description}))
            .collect();
        assert_eq!(format!("{:?}", error.kind()), text(expected, "kind"), "{case}");
        assert_eq!(error.code(), code(&case), "{case}");
        assert_eq!(error.reason(), text(expected, "reason"), "{case}");
        assert_eq!(error.metadata(), &metadata, "{case}");
        assert_eq!(Value::from(violations), expected["violations"], "{case}");
        let retry_after = expected["retry_after_ms"].as_u64().map(Duration::from_millis);
        assert_eq!(error.retry_after(), retry_after, "{case}");
        assert_eq!(error.request_id(), text(expected, "request_id"), "{case}");
        assert_eq!(error.is_outcome_open(), expected["is_outcome_open"] == true, "{case}");
        assert_eq!(error.next_step(), text(expected, "next_step"), "{case}");
        assert_eq!(error.call(), text(&case, "call"));
        assert_eq!(error.transaction_id(), text(&case, "transaction_id"));
        assert!(error.to_string().contains(text(expected, "code")), "{error} does not tell its code");
        for secret in case["never_printed"].as_array().expect("a list") {
            let secret = secret.as_str().expect("a secret is text");
            assert!(!format!("{error} {error:?}").contains(secret), "{}", text(&case, "name"));
        }
    }
}

/// A failed call is repeated, looked up or raised.
#[test]
fn decisions() {
    for case in cases("decisions.json") {
        let status = refusal(code(&case), text(&case, "reason"));
        let about = About::named(text(&case, "call"), "");
        assert_ne!(about.phase, Phase::Unknown, "{case}");
        let mut error = CallError::about(&status, about.clone());
        if case["was_open"] == true {
            error.leave_open();
        }
        let expected = match text(&case, "do") {
            "repeat" => Move::Repeat,
            "look_up" => Move::LookUp,
            "raise" => Move::Raise,
            other => panic!("nobody does {other}"),
        };
        assert_eq!(decide(about.phase, &error, case["is_last"] == true), expected, "{case}");
    }
}

/// End a call with a reason of the gateway, if there is one.
fn refusal(code: Code, reason: &str) -> Status {
    let info = google::rpc::ErrorInfo {
        reason: reason.to_owned(),
        domain: "giftcard.v1".to_owned(),
        ..google::rpc::ErrorInfo::default()
    };
    let detail = prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
        value: info.encode_to_vec(),
    };
    let details = if reason.is_empty() { Vec::new() } else { vec![detail] };
    let status = google::rpc::Status { code: code.into(), message: String::new(), details };
    Status::with_details(code, "", status.encode_to_vec().into())
}

/// Bytes decode to what their JSON means; printing shows no secret, and keeps what nobody knows yet.
#[test]
fn messages() {
    for case in cases("messages.json") {
        match text(&case, "type") {
            "giftcard.v1.RedeemRequest" => check_message::<v1::RedeemRequest>(&case),
            "giftcard.v1.RedeemResponse" => check_message::<v1::RedeemResponse>(&case),
            "giftcard.v1.BalanceRequest" => check_message::<v1::BalanceRequest>(&case),
            "giftcard.v1.IssueResponse" => check_message::<v1::IssueResponse>(&case),
            "giftcard.v1.GetTransactionResponse" => check_message::<v1::GetTransactionResponse>(&case),
            other => panic!("add {other} to this test"),
        }
    }
}

fn check_message<M: Message + Default + PartialEq + Debug>(case: &Value) {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("the descriptors are whole");
    let kind = pool.get_message_by_name(text(case, "type")).expect("the contract has the message");
    let bytes = BASE64_STANDARD.decode(text(case, "bytes")).expect("bytes are base64");
    let message = M::decode(bytes.as_slice()).unwrap_or_else(|error| panic!("{case}: {error}"));
    let meant = DynamicMessage::deserialize(kind.clone(), &case["json"]).expect("the JSON is proto3's");
    assert_eq!(
        message,
        M::decode(meant.encode_to_vec().as_slice()).expect("what was encoded decodes"),
        "{case}"
    );
    let printed = format!("{message:?} {message:#?}");
    for secret in case["secrets"].as_array().expect("a list") {
        assert!(!printed.contains(secret.as_str().expect("text")), "{}", text(case, "name"));
    }
    for shown in case["shown"].as_array().expect("a list") {
        assert!(printed.contains(shown.as_str().expect("text")), "{shown} is not in {printed}");
    }
    let Some(unknown) = case.get("unknown") else { return };
    let mut value = prost_reflect::Value::Message(
        DynamicMessage::decode(kind, message.encode_to_vec().as_slice()).expect("what was encoded decodes"),
    );
    for step in unknown["path"].as_array().expect("a path") {
        let within = value.as_message().expect("only the last step is no message");
        value = within.get_field_by_name(step.as_str().expect("text")).expect("a field").into_owned();
    }
    assert_eq!(value.as_enum_number().map(i64::from), unknown["number"].as_i64(), "{case}");
    assert!(printed.contains(&unknown["number"].to_string()), "{printed}");
}

/// Parts of a PIN block and the hash of a PIN are secrets too; an empty secret is seen to be empty.
#[test]
fn printing_shows_no_part_of_a_pin() {
    let block = v1::EncryptedPin {
        block: "AB12CD34EF56AB78".to_owned(),
        account_number: "500000000006".to_owned(),
        key_index: Some(7),
        ..v1::EncryptedPin::default()
    };
    assert_eq!(
        format!("{block:?}"),
        "EncryptedPin { block: [REDACTED], block_format: PIN_BLOCK_FORMAT_UNSPECIFIED, account_number: \
         [REDACTED], key_index: Some(7) }"
    );
    let hash = v1::HashedPin { digest: String::new(), algorithm: "SHA256".to_owned() };
    assert_eq!(format!("{hash:?}"), "HashedPin { digest: \"\", algorithm: \"SHA256\" }");
}
