package example.giftcardgateway.giftcard;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import example.giftcardgateway.giftcard.testing.FakeGateway;
import example.giftcardgateway.giftcard.v1.ConfirmIssueRequest;
import example.giftcardgateway.giftcard.v1.IssueRequest;
import example.giftcardgateway.giftcard.v1.IssueResponse;
import example.giftcardgateway.giftcard.v1.IssuedCard;
import example.giftcardgateway.giftcard.v1.Transaction;
import example.giftcardgateway.giftcard.v1.TransactionState;
import example.giftcardgateway.giftcard.v1.WatchTransactionsRequest;
import example.giftcardgateway.giftcard.v1.WatchTransactionsResponse;
import io.grpc.Status;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Nothing of this package prints a message, which would show its secrets. */
class PrintingTest {

  private static final String NUMBER = "6045000000000061";
  private static final IssueRequest REQUEST =
      IssueRequest.newBuilder().setTransactionId(GiftcardClient.newTransactionId()).build();

  private static Transaction issued(TransactionState state) {
    return Transaction.newBuilder()
        .setTransactionId(REQUEST.getTransactionId())
        .setState(state)
        .addIssuedCards(IssuedCard.newBuilder().setNumber(NUMBER).setPin("9071"))
        .build();
  }

  private static void assertSilent(Object any) {
    assertFalse(any.toString().contains(NUMBER), () -> any.getClass().getName());
    if (any instanceof Throwable thrown) {
      var trace = new StringWriter();
      thrown.printStackTrace(new PrintWriter(trace));
      assertFalse(trace.toString().contains(NUMBER), () -> any.getClass().getName());
    }
  }

  private static void answer(FakeGateway gateway, TransactionState state) {
    gateway.answer("Issue", IssueResponse.newBuilder().setTransaction(issued(state)).build());
  }

  /**
   * A message itself shows its number, as README.md warns; if protobuf ever mends it, tell it
   * there.
   */
  @Test
  void aMessagePrintsAll() {
    var message = issued(TransactionState.TRANSACTION_STATE_APPROVED);
    assertTrue(message.toString().contains(NUMBER));
    assertFalse(Redacted.toString(message).contains(NUMBER));
  }

  @Test
  void whatIsThrownPrintsNoMessage() {
    try (var gateway = new FakeGateway();
        var client = GiftcardClient.builder(gateway.channel()).build(new FakePace())) {
      for (var state :
          List.of(
              TransactionState.TRANSACTION_STATE_PENDING,
              TransactionState.TRANSACTION_STATE_DECLINED)) {
        answer(gateway, state);
        assertSilent(assertThrows(NotApprovedException.class, () -> client.issuance(REQUEST)));
      }
      gateway.fail("ConfirmIssue", Status.Code.INVALID_ARGUMENT, "FIELD_INVALID");
      var confirmation =
          ConfirmIssueRequest.newBuilder().setTransactionId(REQUEST.getTransactionId()).build();
      assertSilent(
          assertThrows(ConfirmationFailedException.class, () -> client.confirmIssue(confirmation)));
    }
  }

  @Test
  void whatHoldsAMessagePrintsNone() {
    try (var gateway = new FakeGateway();
        var client = GiftcardClient.builder(gateway.channel()).build(new FakePace())) {
      answer(gateway, TransactionState.TRANSACTION_STATE_APPROVED);
      try (var open = client.issuance(REQUEST)) {
        assertSilent(open);
      }
      var told =
          WatchTransactionsResponse.newBuilder()
              .setTransaction(issued(TransactionState.TRANSACTION_STATE_APPROVED))
              .build();
      gateway.stream("WatchTransactions", List.of(told));
      try (var following = client.watch(WatchTransactionsRequest.getDefaultInstance())) {
        following.next();
        assertSilent(following);
      }
      assertSilent(client);
      assertSilent(gateway);
    }
  }
}
