package example.giftcardgateway.giftcard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import example.giftcardgateway.giftcard.testing.FakeGateway;
import example.giftcardgateway.giftcard.v1.ActivateRequest;
import example.giftcardgateway.giftcard.v1.ConfirmRedeemRequest;
import example.giftcardgateway.giftcard.v1.DeclineReason;
import example.giftcardgateway.giftcard.v1.IssueRequest;
import example.giftcardgateway.giftcard.v1.LoadRequest;
import example.giftcardgateway.giftcard.v1.RedeemResponse;
import example.giftcardgateway.giftcard.v1.ReplaceRequest;
import example.giftcardgateway.giftcard.v1.ReversalReason;
import example.giftcardgateway.giftcard.v1.ReverseRedeemRequest;
import example.giftcardgateway.giftcard.v1.Transaction;
import example.giftcardgateway.giftcard.v1.TransactionState;
import example.giftcardgateway.giftcard.v1.TransferRequest;
import example.giftcardgateway.giftcard.v1.VoidRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** A transaction held open is confirmed in its block, else reversed. */
class OpenTransactionTest {

  private static final Map<String, Function<GiftcardClient, OpenTransaction<?>>> OPENINGS =
      Map.of(
          "Issue",
          client ->
              client.issuance(IssueRequest.newBuilder().setTransactionId(Requests.ID).build()),
          "Activate",
          client ->
              client.activation(ActivateRequest.newBuilder().setTransactionId(Requests.ID).build()),
          "Load",
          client -> client.loading(LoadRequest.newBuilder().setTransactionId(Requests.ID).build()),
          "Redeem",
          client -> client.redemption(Requests.redeem()),
          "Transfer",
          client ->
              client.transferring(
                  TransferRequest.newBuilder().setTransactionId(Requests.ID).build()),
          "Replace",
          client ->
              client.replacement(ReplaceRequest.newBuilder().setTransactionId(Requests.ID).build()),
          "Void",
          client -> client.voiding(VoidRequest.newBuilder().setTransactionId(Requests.ID).build()));

  /** Interrupts the thread that makes the first call, and answers nothing. */
  private static final class Silence implements ClientInterceptor {
    private boolean isOver;

    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(
        MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
      if (isOver) {
        return next.newCall(method, options);
      }
      isOver = true;
      return new UnansweredCall<>();
    }
  }

  private static final class UnansweredCall<Q, A> extends ClientCall<Q, A> {
    private Listener<A> listener;

    @Override
    public void start(Listener<A> caller, Metadata headers) {
      listener = caller;
      Thread.currentThread().interrupt();
    }

    @Override
    public void cancel(String message, Throwable cause) {
      listener.onClose(Status.CANCELLED.withDescription(message), new Metadata());
    }

    @Override
    public void request(int count) {
      // There will be no answer to ask for.
    }

    @Override
    public void halfClose() {
      // Nobody listens.
    }

    @Override
    public void sendMessage(Q message) {
      // Nobody listens.
    }
  }

  private final FakeGateway gateway = new FakeGateway();
  private final GiftcardClient client = with(() -> "token");

  private GiftcardClient with(Supplier<String> token) {
    return GiftcardClient.builder(gateway.channel()).token(token).build(new FakePace());
  }

  @AfterEach
  void close() {
    gateway.close();
  }

  private TransactionState state() {
    return gateway.transaction(Requests.ID).orElseThrow().getState();
  }

  private ReversalReason reversalReason() {
    var last = gateway.seen().get(gateway.seen().size() - 1);
    return assertInstanceOf(ReverseRedeemRequest.class, last).getReason();
  }

  /** Every operation is confirmed by its own call when the block says so. */
  @TestFactory
  Stream<DynamicTest> confirms() {
    return OPENINGS.entrySet().stream()
        .map(
            each ->
                DynamicTest.dynamicTest(
                    each.getKey(), () -> checkConfirms(each.getKey(), each.getValue())));
  }

  private static void checkConfirms(
      String name, Function<GiftcardClient, OpenTransaction<?>> opening) {
    try (var fresh = new FakeGateway()) {
      try (var open = opening.apply(fresh.client())) {
        assertTrue(TransactionStates.isApproved(open.transaction()));
        assertTrue(TransactionStates.isConfirmed(open.confirm()));
      }
      assertEquals(List.of(name, "Confirm" + name), fresh.calls());
    }
  }

  /** Every operation is reversed by its own call when the block says nothing. */
  @TestFactory
  Stream<DynamicTest> reverses() {
    return OPENINGS.entrySet().stream()
        .map(
            each ->
                DynamicTest.dynamicTest(
                    each.getKey(), () -> checkReverses(each.getKey(), each.getValue())));
  }

  private static void checkReverses(
      String name, Function<GiftcardClient, OpenTransaction<?>> opening) {
    try (var fresh = new FakeGateway()) {
      var open = opening.apply(fresh.client());
      open.close();
      assertTrue(TransactionStates.isReversed(open.transaction()));
      assertEquals(List.of(name, "Reverse" + name), fresh.calls());
    }
  }

  /** What the block throws comes out, and the transaction is reversed. */
  @Test
  void reversesWhatFails() {
    var failure = new IllegalStateException("no paper");
    var thrown = assertThrows(IllegalStateException.class, () -> fail(failure));
    assertSame(failure, thrown);
    assertEquals(ReversalReason.REVERSAL_REASON_CANCELLED, reversalReason());
    assertEquals(TransactionState.TRANSACTION_STATE_REVERSED, state());
  }

  private void fail(RuntimeException failure) {
    try (var open = client.redemption(Requests.redeem())) {
      assertTrue(TransactionStates.isApproved(open.transaction()));
      throw failure;
    }
  }

  /** A reversal that fails is told beside what the block threw, and never in its place. */
  @Test
  void keepsTheFailureOfTheBlock() {
    gateway.fail("ReverseRedeem", Status.Code.UNIMPLEMENTED, "REVERSAL_UNSUPPORTED");
    var failure = new IllegalStateException("no paper");
    assertSame(failure, assertThrows(IllegalStateException.class, () -> fail(failure)));
    var beside = assertInstanceOf(CallException.class, failure.getSuppressed()[0]);
    assertEquals("REVERSAL_UNSUPPORTED", beside.reason());
  }

  /** A reversal that fails after a block that said nothing is thrown, and can be tried again. */
  @Test
  void tellsAReversalThatFails() {
    gateway.fail("ReverseRedeem", Status.Code.UNIMPLEMENTED, "REVERSAL_UNSUPPORTED");
    var open = client.redemption(Requests.redeem());
    assertEquals(
        CallException.Kind.UNSUPPORTED, assertThrows(CallException.class, open::close).kind());
    open.close();
    open.close();
    assertEquals(List.of("Redeem", "ReverseRedeem", "ReverseRedeem"), gateway.calls());
  }

  /** A decline is thrown before the block, and nothing is to be reversed. */
  @Test
  void throwsADecline() {
    gateway.decline(DeclineReason.DECLINE_REASON_FUNDS_INSUFFICIENT);
    var declined =
        assertThrows(DeclinedException.class, () -> client.redemption(Requests.redeem()));
    assertEquals(DeclineReason.DECLINE_REASON_FUNDS_INSUFFICIENT, declined.reason());
    assertEquals("Redeem", declined.call());
    assertEquals(
        "Transaction " + Requests.ID + " was declined: FUNDS_INSUFFICIENT.", declined.getMessage());
    assertEquals(List.of("Redeem"), gateway.calls());
  }

  /** An outcome that is not known yet is reversed, and so is one that nobody here knows. */
  @Test
  void reversesWhatIsPending() {
    for (var number : List.of(TransactionState.TRANSACTION_STATE_PENDING_VALUE, 99)) {
      var pending =
          Transaction.newBuilder().setTransactionId(Requests.ID).setStateValue(number).build();
      gateway.answer("Redeem", RedeemResponse.newBuilder().setTransaction(pending).build());
      var thrown =
          assertThrows(NotApprovedException.class, () -> client.redemption(Requests.redeem()));
      assertEquals(pending, thrown.transaction());
      assertEquals(ReversalReason.REVERSAL_REASON_RESPONSE_NOT_FINAL, reversalReason());
    }
  }

  /** What is reversed already is told, and not reversed again. */
  @Test
  void tellsWhatIsReversed() {
    var reversed =
        Transaction.newBuilder()
            .setTransactionId(Requests.ID)
            .setState(TransactionState.TRANSACTION_STATE_REVERSED)
            .build();
    gateway.answer("Redeem", RedeemResponse.newBuilder().setTransaction(reversed).build());
    var thrown =
        assertThrows(NotApprovedException.class, () -> client.redemption(Requests.redeem()));
    assertEquals(
        "Nothing: no money is taken. A new attempt needs a new transaction id.", thrown.nextStep());
    assertEquals(List.of("Redeem"), gateway.calls());
  }

  /** An ask that stays lost is reversed; one that was refused is not. */
  @Test
  void reversesWhatIsLost() {
    gateway.lose("Redeem");
    gateway.fail("GetTransaction", Status.Code.UNAVAILABLE, "JOURNAL_UNAVAILABLE");
    assertThrows(CallException.class, () -> client.redemption(Requests.redeem()));
    assertEquals(ReversalReason.REVERSAL_REASON_TIMEOUT, reversalReason());
    assertEquals(TransactionState.TRANSACTION_STATE_REVERSED, state());
    var count = gateway.calls().size();
    gateway.fail("Redeem", Status.Code.INVALID_ARGUMENT, "FIELD_INVALID");
    assertThrows(CallException.class, () -> client.redemption(Requests.redeem()));
    assertEquals(count + 1, gateway.calls().size());
  }

  /** Whatever breaks the asking leaves the outcome open, so it is reversed. */
  @Test
  void reversesWhatBreaks() {
    var once = List.of(new StackOverflowError()).iterator();
    var breaking =
        with(
            () -> {
              if (once.hasNext()) {
                throw once.next();
              }
              return "token";
            });
    assertThrows(StackOverflowError.class, () -> breaking.redemption(Requests.redeem()));
    assertEquals(ReversalReason.REVERSAL_REASON_TIMEOUT, reversalReason());
  }

  /** A confirmation that fails reverses nothing, and can be repeated. */
  @Test
  void neverReversesAConfirmation() {
    gateway.fail("ConfirmRedeem", Status.Code.UNAUTHENTICATED, "CREDENTIALS_INVALID");
    try (var open = client.redemption(Requests.redeem())) {
      assertThrows(ConfirmationFailedException.class, open::confirm);
    }
    assertEquals(List.of("Redeem", "ConfirmRedeem"), gateway.calls());
    try (var again = client.redemption(Requests.redeem())) {
      again.confirm();
    }
    assertEquals(TransactionState.TRANSACTION_STATE_CONFIRMED, state());
  }

  /** An id that is confirmed enters its block again, and nothing is sent at its end. */
  @Test
  void entersAConfirmedOneAgain() {
    try (var open = client.redemption(Requests.redeem())) {
      open.confirm();
    }
    assertThrows(IllegalStateException.class, this::failWhatIsConfirmed);
    try (var again = client.redemption(Requests.redeem())) {
      again.confirm();
    }
    assertEquals(List.of("Redeem", "ConfirmRedeem", "Redeem", "Redeem"), gateway.calls());
  }

  private void failWhatIsConfirmed() {
    try (var open = client.redemption(Requests.redeem())) {
      assertTrue(TransactionStates.isConfirmed(open.transaction()));
      throw new IllegalStateException("no paper");
    }
  }

  /** A confirmation says what it is told, under the id of its transaction. */
  @Test
  void confirmsASmallerAmount() {
    var smaller = ConfirmRedeemRequest.newBuilder().setFinalAmount(Moneys.of("20", "ZAR")).build();
    try (var open = client.redemption(Requests.redeem())) {
      open.confirm(smaller);
    }
    assertEquals(smaller.toBuilder().setTransactionId(Requests.ID).build(), gateway.seen().get(1));
  }

  /** A confirmation of another transaction is refused, and this one reversed. */
  @Test
  void refusesTheConfirmationOfAnother() {
    var other = ConfirmRedeemRequest.newBuilder().setTransactionId("other").build();
    var open = client.redemption(Requests.redeem());
    assertThrows(IllegalArgumentException.class, () -> open.confirm(other));
    open.close();
    assertThrows(IllegalStateException.class, open::confirm);
    assertEquals(List.of("Redeem", "ReverseRedeem"), gateway.calls());
  }

  /** A thread that was interrupted in the block still reverses, and stays interrupted. */
  @Test
  void reversesThoughInterrupted() {
    try (var open = client.redemption(Requests.redeem())) {
      assertTrue(TransactionStates.isApproved(open.transaction()));
      Thread.currentThread().interrupt();
    }
    assertTrue(Thread.interrupted());
    assertEquals(TransactionState.TRANSACTION_STATE_REVERSED, state());
  }

  /** A thread that was interrupted in the block still confirms, and stays interrupted. */
  @Test
  void confirmsThoughInterrupted() {
    try (var open = client.redemption(Requests.redeem())) {
      Thread.currentThread().interrupt();
      open.confirm();
    }
    assertTrue(Thread.interrupted());
    assertEquals(TransactionState.TRANSACTION_STATE_CONFIRMED, state());
  }

  /** An ask that is interrupted is reversed, not looked up, and the thread stays interrupted. */
  @Test
  void reversesAnInterruptedAsk() {
    var channel = ClientInterceptors.intercept(gateway.channel(), new Silence());
    var interrupted = GiftcardClient.builder(channel).build(new FakePace());
    var failure =
        assertThrows(CallException.class, () -> interrupted.redemption(Requests.redeem()));
    assertTrue(Thread.interrupted());
    assertEquals(Status.Code.CANCELLED, failure.code());
    assertEquals(ReversalReason.REVERSAL_REASON_TIMEOUT, reversalReason());
    assertEquals(List.of("ReverseRedeem"), gateway.calls());
  }

  /** A gRPC context that is cancelled in the block does not stop the confirmation. */
  @Test
  void confirmsThoughTheContextIsCancelled() {
    cancelInTheBlock(OpenTransaction::confirm);
    assertEquals(TransactionState.TRANSACTION_STATE_CONFIRMED, state());
  }

  /** A gRPC context that is cancelled in the block does not stop the reversal. */
  @Test
  void reversesThoughTheContextIsCancelled() {
    cancelInTheBlock(open -> assertTrue(TransactionStates.isApproved(open.transaction())));
    assertEquals(TransactionState.TRANSACTION_STATE_REVERSED, state());
  }

  private void cancelInTheBlock(Consumer<OpenTransaction<?>> then) {
    try (var context = Context.current().withCancellation()) {
      context.run(
          () -> {
            try (var open = client.redemption(Requests.redeem())) {
              context.cancel(null);
              then.accept(open);
            }
          });
    }
  }

  /** Every exception survives being sent to another process. */
  @Test
  void serializesExceptions() throws Exception {
    gateway.fail("ConfirmRedeem", Status.Code.UNAUTHENTICATED, "CREDENTIALS_INVALID");
    var open = client.redemption(Requests.redeem());
    var failed = assertThrows(ConfirmationFailedException.class, open::confirm);
    var sent = copy(failed);
    assertEquals(failed.getMessage(), sent.getMessage());
    assertEquals("CREDENTIALS_INVALID", sent.failure().reason());
    assertEquals(Requests.ID, sent.transactionId());

    var declined = new DeclinedException(open.transaction());
    assertEquals(open.transaction(), copy(declined).transaction());
  }

  @SuppressWarnings("unchecked")
  private static <T> T copy(T thing) throws Exception {
    var bytes = new ByteArrayOutputStream();
    try (var out = new ObjectOutputStream(bytes)) {
      out.writeObject(thing);
    }
    try (var in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      return (T) in.readObject();
    }
  }
}
