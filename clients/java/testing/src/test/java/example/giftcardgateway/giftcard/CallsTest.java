package example.giftcardgateway.giftcard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.rpc.RetryInfo;
import example.giftcardgateway.giftcard.CallException.Kind;
import example.giftcardgateway.giftcard.testing.FakeGateway;
import example.giftcardgateway.giftcard.v1.BalanceRequest;
import example.giftcardgateway.giftcard.v1.ConfirmRedeemRequest;
import example.giftcardgateway.giftcard.v1.GetTransactionRequest;
import example.giftcardgateway.giftcard.v1.GetTransactionResponse;
import example.giftcardgateway.giftcard.v1.GiftCardServiceGrpc;
import example.giftcardgateway.giftcard.v1.IssueRequest;
import example.giftcardgateway.giftcard.v1.IssueResponse;
import example.giftcardgateway.giftcard.v1.ReverseRedeemRequest;
import example.giftcardgateway.giftcard.v1.Transaction;
import example.giftcardgateway.giftcard.v1.TransactionState;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.Deadline;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** How calls are repeated, looked up, given time and metadata. */
class CallsTest {

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<String> END_USER =
      Metadata.Key.of("giftcard-end-user", Metadata.ASCII_STRING_MARSHALLER);

  private final FakeGateway gateway = new FakeGateway();
  private final FakePace pace = new FakePace();
  private final Recorder recorder = new Recorder();
  private final Channel channel = ClientInterceptors.intercept(gateway.channel(), recorder);
  private final GiftcardClient client = GiftcardClient.builder(channel).build(pace);

  /** Keeps what calls carried. */
  private static final class Recorder implements ClientInterceptor {
    final List<Metadata> headers = new ArrayList<>();
    final List<Deadline> deadlines = new ArrayList<>();

    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(
        MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
      return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
        @Override
        public void start(Listener<A> listener, Metadata sent) {
          headers.add(sent);
          deadlines.add(options.getDeadline());
          super.start(listener, sent);
        }
      };
    }
  }

  @AfterEach
  void close() {
    gateway.close();
  }

  private CallException refused() {
    return assertThrows(CallException.class, () -> client.redeem(Requests.redeem()));
  }

  private static Transaction approved(Transaction.Builder more) {
    return more.setTransactionId(Requests.ID)
        .setState(TransactionState.TRANSACTION_STATE_APPROVED)
        .build();
  }

  /** An ask that was refused for now is sent again, the very same. */
  @Test
  void repeatsAnAsk() {
    gateway.fail("Redeem", Status.Code.UNAVAILABLE, "OVERLOADED");
    gateway.fail("Redeem", Status.Code.RESOURCE_EXHAUSTED, "RATE_LIMITED");
    assertTrue(TransactionStates.isApproved(client.redeem(Requests.redeem())));
    assertEquals(List.of(Requests.redeem(), Requests.redeem(), Requests.redeem()), gateway.seen());
    assertEquals(List.of(Duration.ofMillis(100), Duration.ofMillis(200)), pace.pauses);
  }

  /** No pause is longer than the longest, however often it doubled. */
  @Test
  void pausesAreBounded() {
    for (var attempt = 0; attempt < 8; attempt++) {
      gateway.fail("Redeem", Status.Code.UNAVAILABLE, "OVERLOADED");
    }
    assertFalse(refused().isOutcomeOpen());
    assertEquals(7, pace.pauses.size());
    assertEquals(Duration.ofSeconds(5), pace.pauses.get(6));
  }

  /** What the gateway says to wait is waited, and the jitter comes on top. */
  @Test
  void waitsAsLongAsTold() {
    gateway.fail("Redeem", retryAfter(3));
    client.redeem(Requests.redeem());
    assertEquals(List.of(Duration.ofMillis(3100)), pace.pauses);
  }

  /** A wait beyond the deadline is not begun. */
  @Test
  void keepsTheDeadline() {
    gateway.fail("Redeem", retryAfter(30));
    assertEquals(Duration.ofSeconds(30), refused().retryAfter().orElseThrow());
    assertEquals(List.of(), pace.pauses);
  }

  /** The last quarter of an ask is kept for looking up, and a shorter deadline holds for it all. */
  @Test
  void sharesOutTheDeadline() {
    client.redeem(Requests.redeem());
    client.withDeadline(Duration.ofSeconds(8)).redeem(Requests.redeem());
    assertTrue(recorder.deadlines.get(0).timeRemaining(TimeUnit.SECONDS) >= 20);
    assertTrue(recorder.deadlines.get(0).timeRemaining(TimeUnit.SECONDS) <= 30);
    assertTrue(recorder.deadlines.get(1).timeRemaining(TimeUnit.SECONDS) <= 6);
  }

  private static com.google.rpc.Status retryAfter(long seconds) {
    var info =
        RetryInfo.newBuilder()
            .setRetryDelay(com.google.protobuf.Duration.newBuilder().setSeconds(seconds));
    return com.google.rpc.Status.newBuilder()
        .setCode(Status.Code.UNAVAILABLE.value())
        .addDetails(Any.pack(info.build()))
        .build();
  }

  /** A lost ask is looked up, and the gateway is given time to find out. */
  @Test
  void looksUpALostAsk() {
    gateway.lose("Redeem");
    assertTrue(TransactionStates.isApproved(client.redeem(Requests.redeem())));
    assertEquals(List.of("Redeem", "GetTransaction"), gateway.calls());
    var lookUp = (GetTransactionRequest) gateway.seen().get(1);
    assertEquals(Requests.ID, lookUp.getTransactionId());
    assertEquals(39, lookUp.getWait().getSeconds());
  }

  /** If the look-up tells nothing the loss is thrown, open, and what it told is beside it. */
  @Test
  void throwsWhatStaysLost() {
    gateway.fail("Redeem", Status.Code.INTERNAL, "INTERNAL");
    var lost = refused();
    assertEquals(Kind.NO_ANSWER, lost.kind());
    assertTrue(lost.isOutcomeOpen());
    var unknown = assertInstanceOf(CallException.class, lost.getSuppressed()[0]);
    assertEquals("TRANSACTION_NOT_FOUND", unknown.reason());
  }

  /** What one attempt left open stays open though the next was refused. */
  @Test
  void remembersAnOpenOutcome() {
    gateway.fail("Redeem", Status.Code.UNAVAILABLE, "");
    gateway.fail("Redeem", Status.Code.FAILED_PRECONDITION, "STATE_CONFLICT");
    assertTrue(refused().isOutcomeOpen());
    assertEquals(List.of("Redeem", "Redeem", "GetTransaction"), gateway.calls());
  }

  /** Cards that were issued are shown by the same request only, so it is sent again. */
  @Test
  void asksAgainForIssuedCards() {
    var masked = Transaction.newBuilder();
    masked.addIssuedCardsBuilder().setMaskedCard("604500******0061");
    var whole = Transaction.newBuilder();
    whole.addIssuedCardsBuilder().setNumber("6045000000000061");
    gateway.fail("Issue", Status.Code.DEADLINE_EXCEEDED, "");
    gateway.answer(
        "GetTransaction",
        GetTransactionResponse.newBuilder().setTransaction(approved(masked)).build());
    gateway.answer("Issue", IssueResponse.newBuilder().setTransaction(approved(whole)).build());
    var issued = client.issue(IssueRequest.newBuilder().setTransactionId(Requests.ID).build());
    assertEquals("6045000000000061", issued.getIssuedCards(0).getNumber());
  }

  /** A confirmation is repeated after every lost answer. */
  @Test
  void repeatsAConfirmation() {
    client.redeem(Requests.redeem());
    gateway.lose("ConfirmRedeem");
    gateway.fail("ConfirmRedeem", Status.Code.INTERNAL, "INTERNAL");
    var confirmed = client.confirmRedeem(confirmation());
    assertTrue(TransactionStates.isConfirmed(confirmed));
  }

  /** A confirmation that stays lost is no failed payment. */
  @Test
  void tellsALostConfirmation() {
    client.redeem(Requests.redeem());
    for (var attempt = 0; attempt < 8; attempt++) {
      gateway.lose("ConfirmRedeem");
    }
    var failed =
        assertThrows(ConfirmationFailedException.class, () -> client.confirmRedeem(confirmation()));
    assertEquals("ConfirmRedeem", failed.call());
    assertEquals(Requests.ID, failed.transactionId());
    assertEquals(Phase.CONFIRMING, failed.phase());
    assertTrue(failed.isOutcomeOpen());
    assertTrue(failed.nextStep().startsWith("This is no failed payment"));
    assertSame(failed.failure(), failed.getCause());
  }

  /** A confirmation refused for good is not repeated; the transaction is to be read. */
  @Test
  void tellsARefusedConfirmation() {
    var failed =
        assertThrows(ConfirmationFailedException.class, () -> client.confirmRedeem(confirmation()));
    assertEquals(List.of("ConfirmRedeem"), gateway.calls());
    assertTrue(failed.nextStep().contains("read the transaction"));
  }

  private static ConfirmRedeemRequest confirmation() {
    return ConfirmRedeemRequest.newBuilder().setTransactionId(Requests.ID).build();
  }

  /** A reversal is repeated, and one that fails is an error of the call. */
  @Test
  void repeatsAReversal() {
    gateway.lose("ReverseRedeem");
    var reversal = ReverseRedeemRequest.newBuilder().setTransactionId(Requests.ID).build();
    assertTrue(TransactionStates.isReversed(client.reverseRedeem(reversal)));
    assertEquals(List.of("ReverseRedeem", "ReverseRedeem"), gateway.calls());
  }

  /** A read is sent once by the client itself; what gRPC repeats stands in the service config. */
  @Test
  void readsOnce() {
    gateway.fail("Balance", Status.Code.UNAVAILABLE, "PROVIDER_UNREACHABLE");
    var failure =
        assertThrows(
            CallException.class, () -> client.balance(BalanceRequest.getDefaultInstance()));
    assertEquals("Repeat it later; nothing was done.", failure.nextStep());
    assertEquals(List.of("Balance"), gateway.calls());
  }

  /** A client's deadline for reads is the one that was said. */
  @Test
  void limitsReads() {
    client.redeem(Requests.redeem());
    client.withDeadline(Duration.ofSeconds(2)).getTransaction(Requests.ID);
    assertTrue(recorder.deadlines.get(1).timeRemaining(TimeUnit.SECONDS) <= 2);
  }

  /** The token is asked before every attempt. */
  @Test
  void showsAFreshToken() {
    var tokens = List.of("first", "second").iterator();
    gateway.fail("Redeem", Status.Code.UNAVAILABLE, "OVERLOADED");
    with(tokens::next).redeem(Requests.redeem());
    assertEquals(
        List.of("Bearer first", "Bearer second"),
        recorder.headers.stream().map(each -> each.get(AUTHORIZATION)).toList());
  }

  private GiftcardClient with(Supplier<String> token) {
    return GiftcardClient.builder(channel).token(token).build(pace);
  }

  /** Without a token nothing is sent, whatever failed: it is not taken for an answer. */
  @Test
  void sendsNothingWithoutToken() {
    var failing =
        with(
            () -> {
              throw Status.NOT_FOUND.withDescription("secret").asRuntimeException();
            });
    var failure = assertThrows(CallException.class, () -> failing.redeem(Requests.redeem()));
    assertEquals(Kind.CALL_NOT_SENT, failure.kind());
    assertFalse(failure.isOutcomeOpen());
    assertInstanceOf(StatusRuntimeException.class, failure.getCause());
    assertFalse(failure.getMessage().contains("secret"));
    assertEquals(List.of(), gateway.calls());
  }

  /** A confirmation is tried again until there is a token. */
  @Test
  void confirmsOnceThereIsAToken() {
    client.redeem(Requests.redeem());
    var tokens = new ArrayList<>(List.of("late"));
    var healing = with(() -> pace.pauses.isEmpty() ? null : tokens.get(0));
    assertTrue(TransactionStates.isConfirmed(healing.confirmRedeem(confirmation())));
  }

  /** Metadata for some calls goes beside what every call has. */
  @Test
  void sendsMetadata() {
    var metadata = new Metadata();
    metadata.put(END_USER, "7");
    with(() -> "token").withMetadata(metadata).redeem(Requests.redeem());
    assertEquals("7", recorder.headers.get(0).get(END_USER));
    assertEquals("Bearer token", recorder.headers.get(0).get(AUTHORIZATION));
  }

  /** Stubs of one's own have the metadata, too, and their failures are read like the client's. */
  @Test
  void readsWhatOtherStubsThrow() {
    var stub = GiftCardServiceGrpc.newFutureStub(with(() -> "token").channel());
    gateway.fail("Redeem", Status.Code.INVALID_ARGUMENT, "FIELD_INVALID");
    var answer = stub.redeem(Requests.redeem());
    var failed = assertThrows(ExecutionException.class, answer::get);
    var read = CallException.of(failed, Requests.redeem());
    assertEquals(Kind.INVALID_REQUEST, read.kind());
    assertEquals("FIELD_INVALID", read.reason());
    assertEquals("Bearer token", recorder.headers.get(0).get(AUTHORIZATION));
  }

  /** A closed client says so, and sends nothing. */
  @Test
  void refusesAfterClosing() {
    var own = GiftcardClient.builder("127.0.0.1:1").plaintext().build();
    own.close();
    var failure = assertThrows(CallException.class, () -> own.redeem(Requests.redeem()));
    assertEquals(Kind.CLOSED, failure.kind());
    assertFalse(failure.isOutcomeOpen());
  }

  /** An address where nobody listens is unavailable, and the text says why. */
  @Test
  void tellsWhyItCannotConnect() {
    try (var nobody = GiftcardClient.builder("127.0.0.1:1").plaintext().build(pace)) {
      var failure =
          assertThrows(
              CallException.class, () -> nobody.balance(BalanceRequest.getDefaultInstance()));
      assertEquals(Kind.UNAVAILABLE, failure.kind());
      assertTrue(failure.getMessage().contains("Connection refused"), failure.getMessage());
    }
  }

  /** A token is not sent where others could read it. */
  @Test
  void protectsTheToken() {
    var open = GiftcardClient.builder("gateway.example:443").plaintext().token("secret");
    assertThrows(IllegalStateException.class, open::build);
    for (var target : List.of("localhost:1", "127.0.0.1:1", "[::1]:1", "dns:///127.0.0.1:1")) {
      GiftcardClient.builder(target).plaintext().token("secret").build().close();
    }
  }

  /** What contradicts itself is refused. */
  @Test
  void refusesContradictions() {
    var credentials = InsecureChannelCredentials.create();
    var both = GiftcardClient.builder("127.0.0.1:1").plaintext().credentials(credentials);
    assertThrows(IllegalStateException.class, both::build);
    var late = GiftcardClient.builder(channel).plaintext();
    assertThrows(IllegalStateException.class, late::build);
    assertThrows(
        IllegalArgumentException.class, () -> RepeatPolicy.DEFAULT.withDeadline(Duration.ZERO));
  }
}
