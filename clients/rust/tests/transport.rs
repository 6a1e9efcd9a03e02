//! What a real connection does to a call: nobody there, silence, a cut, a peer that hangs up; and TLS unless
//! told.

use std::time::Duration;

use giftcard_client::v1::RedeemRequest;
use giftcard_client::v1::gift_card_service_client::GiftCardServiceClient;
use giftcard_client::{CallError, Client, Error, Kind, RepeatPolicy, new_transaction_id};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

/// HTTP/2, an empty frame `SETTINGS`.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// HTTP/2, a frame `RST_STREAM` of the first stream: `ENHANCE_YOUR_CALM`, which tonic takes for
/// `RESOURCE_EXHAUSTED`.
const RESET: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 11];

fn redemption() -> RedeemRequest {
    RedeemRequest { transaction_id: new_transaction_id(), ..RedeemRequest::default() }
}

/// A policy that tries once and does not wait for long.
fn once() -> RepeatPolicy {
    RepeatPolicy { deadline: Duration::from_millis(600), attempts: 1, ..RepeatPolicy::default() }
}

/// A peer on loopback that treats every connection in one way; gives its address.
async fn peer<F>(treat: fn(TcpStream) -> F) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(treat(stream));
        }
    });
    address
}

async fn failure_at(address: &str) -> CallError {
    let client = Client::builder(address).plaintext().policy(once()).build().expect("good settings");
    match client.ask(&redemption()).await.expect_err("no gateway is there") {
        Error::Call(failure) => failure,
        other => panic!("{other:?} is no failed call"),
    }
}

/// Read until a request has come, headers and all.
async fn read_request(stream: &mut TcpStream) {
    stream.write_all(&SETTINGS).await.expect("the client listens");
    let mut come = Vec::new();
    while !come.windows(8).any(|window| window == b"trailers") && come.len() < 200 {
        stream.read_buf(&mut come).await.expect("the client speaks");
    }
}

/// Where nobody listens nothing was sent, and the words say why.
#[tokio::test]
async fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let failure = failure_at(&address).await;
    assert_eq!((failure.kind(), failure.is_outcome_open()), (Kind::Unavailable, false), "{failure}");
    assert!(failure.to_string().contains("refused"), "{failure}");
}

/// A peer that says nothing: the deadline passes, and the outcome is open.
#[tokio::test]
async fn silence() {
    let address = peer(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let failure = failure_at(&address).await;
    assert_eq!(failure.code(), Code::DeadlineExceeded, "{failure}");
    assert_eq!((failure.kind(), failure.is_outcome_open()), (Kind::NoAnswer, true));
}

/// tonic calls its own time-out `Cancelled`; read, it is a deadline and the outcome is open.
#[tokio::test]
async fn a_time_out_of_tonic_is_no_answer() {
    let address = peer(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let client = Client::builder(address).plaintext().build().expect("good settings");
    let mut stub = GiftCardServiceClient::new(client.service());
    let request = redemption();
    let mut timed = tonic::Request::new(request.clone());
    timed.set_timeout(Duration::from_millis(200));
    let status = stub.redeem(timed).await.expect_err("nobody answers");
    assert_eq!(status.code(), Code::Cancelled);
    let failure = CallError::read(&status, &request);
    assert_eq!(failure.code(), Code::DeadlineExceeded, "{failure}");
    assert_eq!((failure.kind(), failure.is_outcome_open()), (Kind::NoAnswer, true));
    assert_eq!((failure.call(), failure.transaction_id()), ("Redeem", request.transaction_id.as_str()));
}

/// A connection that is cut after the request came leaves the outcome open.
#[tokio::test]
async fn a_cut_connection() {
    let address = peer(|mut stream| async move { read_request(&mut stream).await }).await;
    let failure = failure_at(&address).await;
    assert!(failure.is_outcome_open(), "{failure:?}");
}

/// A stream that the peer resets leaves the outcome open, whatever status tonic makes of it.
#[tokio::test]
async fn a_reset_stream() {
    let address = peer(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(&RESET).await.expect("the client listens");
        std::future::pending::<()>().await;
    })
    .await;
    let failure = failure_at(&address).await;
    assert_eq!((failure.kind(), failure.is_outcome_open()), (Kind::NoAnswer, true), "{failure:?}");
    assert!(failure.to_string().contains("stream error received"), "{failure}");
}

/// A gateway without TLS is told from one that is away: the error says what to do.
#[tokio::test]
async fn no_tls_at_this_address() {
    let address = peer(|mut stream| async move {
        stream.write_all(&SETTINGS).await.expect("the client listens");
        std::future::pending::<()>().await;
    })
    .await;
    let client = Client::builder(address).policy(once()).build().expect("good settings");
    let error = client.ask(&redemption()).await.expect_err("it is no TLS");
    assert!(!error.is_outcome_open(), "{error}");
    assert!(error.to_string().contains("does not speak TLS at this address"), "{error}");
}

/// A client that is not told otherwise speaks TLS: its first byte is a handshake.
#[tokio::test]
async fn tls_unless_told() {
    let (tell, mut told) = tokio::sync::mpsc::channel(8);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tell.send(stream.read_u8().await.expect("the client speaks")).await;
        }
    });
    let client = Client::builder(address).policy(once()).build().expect("good settings");
    let error = client.ask(&redemption()).await.expect_err("no gateway is there");
    assert!(!error.is_outcome_open(), "{error}");
    assert_eq!(told.recv().await, Some(0x16));
}
