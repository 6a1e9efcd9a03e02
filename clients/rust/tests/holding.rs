//! A transaction held open is confirmed at the end, else reversed, whatever happens in between.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use giftcard_client::testing::FakeGateway;
use giftcard_client::v1::{
    ActivateRequest, ConfirmRedeemRequest, DeclineReason, IssueRequest, LoadRequest, RedeemRequest,
    RedeemResponse, ReplaceRequest, ReversalReason, ReverseRedeemRequest, Transaction, TransactionState,
    TransferRequest, VoidRequest,
};
use giftcard_client::{Ask, CallError, Client, Error, Kind, Money, new_transaction_id};
use tokio::time::timeout;
use tonic::Code;
use tracing::field::{Field, Visit};
use tracing::span;

fn redemption() -> RedeemRequest {
    RedeemRequest { transaction_id: new_transaction_id(), ..RedeemRequest::default() }
}

fn reasons(gateway: &FakeGateway) -> Vec<ReversalReason> {
    let reversals = gateway.seen::<ReverseRedeemRequest>();
    reversals.iter().map(ReverseRedeemRequest::reason).collect()
}

fn failure(error: &Error) -> &CallError {
    error.failure().expect("a call failed")
}

/// What a block of the user's fails with.
#[derive(Debug)]
enum Fault {
    Block,
    Gateway(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Gateway(error)
    }
}

/// All seven operations are held by one piece: asked, then confirmed or reversed by the calls of their own.
#[tokio::test(start_paused = true)]
async fn every_operation_is_confirmed_or_reversed() {
    async fn check<R: Ask>(request: R) {
        let gateway = FakeGateway::new();
        let client = gateway.client();
        let held = client.hold(request.clone()).await.expect("the fake approves");
        let confirmed = held.confirm().await.expect("the fake confirms");
        assert!(confirmed.is_confirmed());
        assert_eq!(gateway.calls(), [R::CALL, &format!("Confirm{}", R::CALL)]);

        let gateway = FakeGateway::new();
        let held = gateway.client().hold(request).await.expect("the fake approves");
        let reversed = held.reverse().await.expect("the fake reverses");
        assert!(reversed.is_reversed());
        assert_eq!(gateway.calls(), [R::CALL, &format!("Reverse{}", R::CALL)]);
    }
    let transaction_id = new_transaction_id;
    check(IssueRequest { transaction_id: transaction_id(), ..IssueRequest::default() }).await;
    check(ActivateRequest { transaction_id: transaction_id(), ..ActivateRequest::default() }).await;
    check(LoadRequest { transaction_id: transaction_id(), ..LoadRequest::default() }).await;
    check(redemption()).await;
    check(TransferRequest { transaction_id: transaction_id(), ..TransferRequest::default() }).await;
    check(ReplaceRequest { transaction_id: transaction_id(), ..ReplaceRequest::default() }).await;
    check(VoidRequest { transaction_id: transaction_id(), ..VoidRequest::default() }).await;
}

/// A confirmation carries what it is told, under the transaction's own id.
#[tokio::test(start_paused = true)]
async fn a_confirmation_may_carry_a_smaller_amount() {
    let gateway = FakeGateway::new();
    let request = redemption();
    let held = gateway.client().hold(request.clone()).await.expect("the fake approves");
    let smaller = ConfirmRedeemRequest {
        final_amount: Money::parse("20.00", "ZAR").ok(),
        ..ConfirmRedeemRequest::default()
    };
    held.confirm_with(smaller.clone()).await.expect("the fake confirms");
    let expected = ConfirmRedeemRequest { transaction_id: request.transaction_id, ..smaller };
    assert_eq!(gateway.seen::<ConfirmRedeemRequest>(), [expected]);
}

/// Dropped without a confirmation, a transaction is reversed by itself.
#[tokio::test(start_paused = true)]
async fn a_dropped_transaction_is_reversed() {
    let gateway = FakeGateway::new();
    let client = gateway.client();
    drop(client.hold(redemption()).await.expect("the fake approves"));
    client.settle().await;
    assert_eq!(reasons(&gateway), [ReversalReason::Cancelled]);
}

/// A block that ends well is confirmed and gives its value.
#[tokio::test(start_paused = true)]
async fn a_block_that_ends_is_confirmed() {
    let gateway = FakeGateway::new();
    let sold: Result<String, Fault> = gateway
        .client()
        .holding(redemption(), |transaction| async move { Ok(transaction.transaction_id) })
        .await;
    let id = sold.expect("the block ends well");
    assert!(gateway.transaction(&id).expect("it was asked for").is_confirmed());
}

/// A block that fails is reversed before its error comes out, and nothing is left running.
#[tokio::test(start_paused = true)]
async fn a_block_that_fails_is_reversed() {
    let gateway = FakeGateway::new();
    let sold: Result<(), Fault> =
        gateway.client().holding(redemption(), |_| async { Err(Fault::Block) }).await;
    assert!(matches!(sold, Err(Fault::Block)));
    assert_eq!(reasons(&gateway), [ReversalReason::Cancelled]);
}

/// A block that panics is reversed.
#[tokio::test(start_paused = true)]
async fn a_block_that_panics_is_reversed() {
    let gateway = FakeGateway::new();
    let client = gateway.client();
    let selling = {
        let client = client.clone();
        tokio::spawn(async move {
            client
                .holding(redemption(), |_| async {
                    assert!(client_is_honest(), "the printer is on fire");
                    Ok::<(), Fault>(())
                })
                .await
        })
    };
    assert!(selling.await.expect_err("the block panics").is_panic());
    client.settle().await;
    assert_eq!(reasons(&gateway), [ReversalReason::Cancelled]);
}

fn client_is_honest() -> bool {
    false
}

/// A task that is cancelled during its block is reversed.
#[tokio::test(start_paused = true)]
async fn a_cancelled_block_is_reversed() {
    let gateway = FakeGateway::new();
    let client = gateway.client();
    let selling = client.holding(redemption(), |_| std::future::pending::<Result<(), Fault>>());
    assert!(timeout(Duration::from_secs(1), selling).await.is_err());
    client.settle().await;
    assert_eq!(reasons(&gateway), [ReversalReason::Cancelled]);
}

/// A request whose caller goes away before the answer is reversed: it may have happened.
#[tokio::test(start_paused = true)]
async fn an_interrupted_request_is_reversed() {
    let gateway = FakeGateway::new();
    gateway.stall("Redeem");
    let client = gateway.client();
    assert!(timeout(Duration::from_secs(1), client.hold(redemption())).await.is_err());
    client.settle().await;
    assert_eq!(gateway.calls(), ["Redeem", "ReverseRedeem"]);
    assert_eq!(reasons(&gateway), [ReversalReason::Timeout]);
}

/// A request whose answer is lost is looked up; approved, it is held as if nothing had happened.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_up() {
    let gateway = FakeGateway::new();
    gateway.lose("Redeem");
    let held = gateway.client().hold(redemption()).await.expect("it is found");
    assert!(held.transaction().is_approved());
    held.confirm().await.expect("the fake confirms");
    assert_eq!(gateway.calls(), ["Redeem", "GetTransaction", "ConfirmRedeem"]);
}

/// A request that stays lost is reversed, and its error says that the outcome is open.
#[tokio::test(start_paused = true)]
async fn a_request_that_stays_lost_is_reversed() {
    let gateway = FakeGateway::new();
    gateway.lose("Redeem");
    gateway.fail("GetTransaction", Code::Unavailable, "");
    let error = gateway.client().hold(redemption()).await.expect_err("nobody knows");
    assert!(error.is_outcome_open());
    assert_eq!(failure(&error).kind(), Kind::NoAnswer);
    assert_eq!(gateway.calls(), ["Redeem", "GetTransaction", "ReverseRedeem"]);
    assert_eq!(reasons(&gateway), [ReversalReason::Timeout]);
}

/// A transaction that is still pending is reversed: nothing is to be taken for a block that did not run.
#[tokio::test(start_paused = true)]
async fn a_pending_transaction_is_reversed() {
    for number in [TransactionState::Pending.into(), 99] {
        let gateway = FakeGateway::new();
        let transaction = Transaction { state: number, ..Transaction::default() };
        gateway.answer::<RedeemRequest>(&RedeemResponse { transaction: Some(transaction) });
        let request = redemption();
        let id = request.transaction_id.clone();
        let error = gateway.client().hold(request).await.expect_err("it is not approved");
        assert!(matches!(error, Error::NotApproved(_)), "{error:?}");
        assert_eq!(reasons(&gateway), [ReversalReason::ResponseNotFinal]);
        // By the id it was asked under, though the answer names none.
        assert_eq!(gateway.seen::<ReverseRedeemRequest>()[0].transaction_id, id);
    }
}

/// A decline moved nothing: nothing is reversed.
#[tokio::test(start_paused = true)]
async fn a_decline_is_an_error_of_its_own() {
    let gateway = FakeGateway::new();
    gateway.decline(DeclineReason::FundsInsufficient);
    let request = redemption();
    let id = request.transaction_id.clone();
    let error = gateway.client().hold(request).await.expect_err("it is declined");
    assert!(matches!(error, Error::Declined(_)));
    assert_eq!(error.to_string(), format!("Transaction {id} was declined: FUNDS_INSUFFICIENT."));
    assert_eq!((error.call().as_str(), error.transaction_id()), ("Redeem", id.as_str()));
    gateway.client().settle().await;
    assert_eq!(gateway.calls(), ["Redeem"]);
}

/// What the gateway refused never happened: nothing is reversed.
#[tokio::test(start_paused = true)]
async fn a_refused_request_is_not_reversed() {
    let gateway = FakeGateway::new();
    gateway.fail("Redeem", Code::InvalidArgument, "FIELD_INVALID");
    let client = gateway.client();
    let error = client.hold(redemption()).await.expect_err("it is refused");
    assert_eq!(failure(&error).reason(), "FIELD_INVALID");
    client.settle().await;
    assert_eq!(gateway.calls(), ["Redeem"]);
}

/// A lost confirmation is sent again until it is promised.
#[tokio::test(start_paused = true)]
async fn a_lost_confirmation_is_repeated() {
    let gateway = FakeGateway::new();
    gateway.lose("ConfirmRedeem");
    gateway.fail("ConfirmRedeem", Code::Internal, "INTERNAL");
    let held = gateway.client().hold(redemption()).await.expect("the fake approves");
    assert!(held.confirm().await.expect("the third is heard").is_confirmed());
    assert_eq!(gateway.seen::<ConfirmRedeemRequest>().len(), 3);
}

/// A confirmation that fails is no failed payment: an error of its own, and no reversal.
#[tokio::test(start_paused = true)]
async fn a_failed_confirmation_is_not_reversed() {
    let gateway = FakeGateway::new();
    gateway.fail("ConfirmRedeem", Code::PermissionDenied, "SCOPE_MISSING");
    let client = gateway.client();
    let sold: Result<(), Fault> = client.holding(redemption(), |_| async { Ok(()) }).await;
    let Err(Fault::Gateway(error)) = sold else { panic!("the confirmation was refused") };
    assert!(matches!(error, Error::ConfirmationFailed(_)), "{error:?}");
    assert!(error.to_string().contains("This is no failed payment"));
    client.settle().await;
    assert_eq!(gateway.calls(), ["Redeem", "ConfirmRedeem"]);
}

/// A confirmation goes on though the one who waits for it goes away, and nothing is reversed.
#[tokio::test(start_paused = true)]
async fn a_confirmation_outlives_its_caller() {
    let gateway = FakeGateway::new();
    gateway.fail("ConfirmRedeem", Code::Unavailable, "OVERLOADED");
    let client = gateway.client();
    let held = client.hold(redemption()).await.expect("the fake approves");
    let id = held.transaction().transaction_id.clone();
    assert!(timeout(Duration::from_nanos(1), held.confirm()).await.is_err());
    client.settle().await;
    assert!(gateway.transaction(&id).expect("it was asked for").is_confirmed());
    assert_eq!(reasons(&gateway), []);
}

/// An id that was confirmed before runs its block again; nothing is sent at its end, well or not.
#[tokio::test(start_paused = true)]
async fn a_confirmed_transaction_stays_confirmed() {
    let gateway = FakeGateway::new();
    let client = gateway.client();
    let request = redemption();
    let held = client.hold(request.clone()).await.expect("the fake approves");
    held.confirm().await.expect("the fake confirms");
    let again = client.hold(request.clone()).await.expect("it is replayed");
    assert!(again.confirm().await.expect("it is confirmed").is_confirmed());
    drop(client.hold(request).await.expect("it is replayed"));
    client.settle().await;
    assert_eq!(gateway.calls(), ["Redeem", "ConfirmRedeem", "Redeem", "Redeem"]);
}

/// A reversal that fails behind the caller's back is logged, with the transaction's id.
#[tokio::test(start_paused = true)]
async fn a_failed_reversal_is_logged() {
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
    let gateway = FakeGateway::new();
    gateway.fail("ReverseRedeem", Code::PermissionDenied, "SCOPE_MISSING");
    let client: Client = gateway.client();
    let request = redemption();
    drop(client.hold(request.clone()).await.expect("the fake approves"));
    client.settle().await;
    let told = log.0.lock().expect("nobody panics").join("\n");
    assert!(told.contains(&request.transaction_id) && told.contains("SCOPE_MISSING"), "{told}");
}

/// Keeps what this crate logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let told = format!("{field}={value:?}");
        self.0.lock().expect("nobody panics").push(told);
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("giftcard_client")
    }

    fn new_span(&self, _span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// What holds a transaction is small enough to be part of a user's own futures.
#[tokio::test]
async fn futures_are_small() {
    let client = FakeGateway::new().client();
    let holding = client.holding(redemption(), |_| async { Ok::<(), Fault>(()) });
    assert!(size_of_val(&holding) < 16 * 1024, "{} bytes", size_of_val(&holding));
}
