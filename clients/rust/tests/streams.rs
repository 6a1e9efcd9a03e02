//! Streams that go on by themselves, as `clients/vectors/streams.json` says, and lists read page by page.

use std::collections::BTreeSet;
use std::path::Path;

use futures_util::{StreamExt, TryStreamExt};
use giftcard_client::testing::{FakeGateway, StreamEnd};
use giftcard_client::v1::{
    ListTransactionsRequest, ListTransactionsResponse, StreamEventsRequest, StreamEventsResponse,
    WatchTransactionsRequest, WatchTransactionsResponse,
};
use giftcard_client::{Client, DESCRIPTORS, Error, RepeatPolicy, Resumable};
use prost_reflect::DescriptorPool;
use serde_json::Value;
use tokio::time::Instant;
use tonic::Code;

fn client_of(gateway: &FakeGateway, attempts: u32) -> Client {
    let policy = RepeatPolicy { chance: || 1.0, attempts, ..RepeatPolicy::default() };
    Client::builder("fake").policy(policy).build_on(gateway.clone())
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn code_of(name: &str) -> Code {
    match name {
        "UNAVAILABLE" => Code::Unavailable,
        "INTERNAL" => Code::Internal,
        "PERMISSION_DENIED" => Code::PermissionDenied,
        "RESOURCE_EXHAUSTED" => Code::ResourceExhausted,
        _ => panic!("{name}"),
    }
}

fn end_of(name: &str) -> StreamEnd {
    match name {
        "OK" => StreamEnd::Ends,
        "OPEN" => StreamEnd::StaysOpen,
        _ => StreamEnd::Fails(code_of(name)),
    }
}

/// Make the request of a stream and a message of it, and read how a request begins.
trait Case: Resumable {
    fn told(cursor: String) -> Self::Told;
    fn begun(&self) -> String;
}

macro_rules! case {
    ($request:ident, $told:ident, $start:ident) => {
        impl Case for $request {
            fn told(cursor: String) -> $told {
                $told { cursor, ..$told::default() }
            }

            fn begun(&self) -> String {
                use giftcard_client::v1::$start::Start;
                match &self.start {
                    Some(Start::Cursor(cursor)) => cursor.clone(),
                    Some(Start::StartTime(_)) => "TIME".to_owned(),
                    None => String::new(),
                }
            }
        }
    };
}

case!(WatchTransactionsRequest, WatchTransactionsResponse, watch_transactions_request);
case!(StreamEventsRequest, StreamEventsResponse, stream_events_request);

async fn play<R: Case>(case: &Value) {
    let name = case["name"].as_str().expect("a name");
    let gateway = FakeGateway::new();
    for stream in case["streams"].as_array().expect("streams") {
        let messages: Vec<_> = texts(&stream["tells"]).into_iter().map(R::told).collect();
        gateway.stream::<R>(&messages, end_of(stream["ends"].as_str().expect("an end")));
    }
    let mut request = R::default();
    let start = case["start"].as_str().expect("a start");
    if !start.is_empty() {
        request.begin_after(start.to_owned());
    }
    let attempts = case["attempts"].as_u64().expect("a number").try_into().expect("a small one");
    let mut stream = client_of(&gateway, attempts).follow(request);
    for cursor in texts(&case["given"]) {
        let told = stream.try_next().await.expect(name).expect(name);
        assert_eq!(R::cursor_of(&told), cursor, "{name}");
    }
    if let Some(raises) = case["raises"].as_str() {
        let Error::Call(error) = stream.try_next().await.map(|_| ()).expect_err(name) else {
            panic!("{name}")
        };
        assert_eq!((error.code(), error.call()), (code_of(raises), R::CALL), "{name}");
        assert!(stream.next().await.is_none(), "{name}");
    }
    let asked: Vec<_> = gateway.begun::<R>().iter().map(Case::begun).collect();
    assert_eq!(asked, texts(&case["asked"]), "{name}");
}

/// Streams go on after a break as the vectors say, from the last cursor.
#[tokio::test(start_paused = true)]
async fn vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/streams.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("vectors")).expect("JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        match case["call"].as_str() {
            Some(StreamEventsRequest::CALL) => play::<StreamEventsRequest>(case).await,
            _ => play::<WatchTransactionsRequest>(case).await,
        }
    }
}

/// Pauses grow to their limit, and what was told something begins anew.
#[tokio::test(start_paused = true)]
async fn pauses_grow() {
    let gateway = FakeGateway::new();
    let told = [WatchTransactionsResponse { cursor: "a".to_owned(), ..Default::default() }];
    gateway.stream::<WatchTransactionsRequest>(&[], StreamEnd::Fails(Code::Unavailable));
    gateway.stream::<WatchTransactionsRequest>(&[], StreamEnd::Fails(Code::Unavailable));
    gateway.stream::<WatchTransactionsRequest>(&told, StreamEnd::Ends);
    gateway.stream::<WatchTransactionsRequest>(&told, StreamEnd::StaysOpen);
    let begun = Instant::now();
    let mut stream = client_of(&gateway, 8).follow(WatchTransactionsRequest::default());
    stream.try_next().await.expect("the first").expect("it does not end");
    stream.try_next().await.expect("the second").expect("it does not end");
    let waited = begun.elapsed().as_millis();
    assert!((400..410).contains(&waited), "{waited}");
}

/// Every page of a list comes, an empty one too, with the fields of the first request; an error is the last.
#[tokio::test(start_paused = true)]
async fn pages_are_read_to_the_last() {
    let gateway = FakeGateway::new();
    for next in ["two", "three", ""] {
        let page = ListTransactionsResponse { next_page_token: next.to_owned(), ..Default::default() };
        gateway.answer::<ListTransactionsRequest>(&page);
    }
    let client = client_of(&gateway, 1);
    let request = ListTransactionsRequest { page_size: 7, ..Default::default() };
    let pages: Vec<_> = client.pages(request.clone()).try_collect().await.expect("three pages");
    assert_eq!(pages.len(), 3);
    let asked = ["", "two", "three"]
        .map(|token| ListTransactionsRequest { page_token: token.to_owned(), ..request.clone() });
    assert_eq!(gateway.seen::<ListTransactionsRequest>(), asked);
    gateway.fail("ListTransactions", Code::InvalidArgument, "FIELD_INVALID");
    let heard: Vec<_> = client.pages(request).collect().await;
    assert!(matches!(heard[..], [Err(Error::Call(_))]));
}

/// Every list of the contract can be read page by page.
#[test]
fn every_list_has_pages() {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("descriptors");
    let lists: BTreeSet<_> = pool
        .all_messages()
        .filter(|message| message.get_field_by_name("page_token").is_some())
        .map(|message| message.name().to_owned())
        .collect();
    let ours = ["ListOffers", "ListProviders", "ListStoredCards", "ListTemplates", "ListTransactions"];
    assert_eq!(lists, ours.map(|name| format!("{name}Request")).into());
}
