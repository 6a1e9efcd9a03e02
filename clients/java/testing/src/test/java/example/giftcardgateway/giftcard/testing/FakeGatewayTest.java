package example.giftcardgateway.giftcard.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import example.giftcardgateway.giftcard.CallException;
import example.giftcardgateway.giftcard.CallException.Kind;
import example.giftcardgateway.giftcard.GiftcardClient;
import example.giftcardgateway.giftcard.v1.BalanceRequest;
import example.giftcardgateway.giftcard.v1.BalanceResponse;
import example.giftcardgateway.giftcard.v1.CardBalance;
import example.giftcardgateway.giftcard.v1.RedeemRequest;
import example.giftcardgateway.giftcard.v1.ReverseRedeemRequest;
import example.giftcardgateway.giftcard.v1.TransactionServiceGrpc;
import example.giftcardgateway.giftcard.v1.WatchTransactionsRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The fake shows what a caller of the real gateway meets. */
class FakeGatewayTest {

  private static final RedeemRequest REDEEM =
      RedeemRequest.newBuilder().setTransactionId("t").build();

  private final FakeGateway gateway = new FakeGateway();
  private final GiftcardClient client = gateway.client();

  @AfterEach
  void close() {
    gateway.close();
  }

  /** The same id gives the same transaction. */
  @Test
  void replays() {
    assertEquals(client.redeem(REDEEM), client.redeem(REDEEM));
    assertEquals(Optional.of(client.redeem(REDEEM)), gateway.transaction("t"));
    assertEquals(Optional.empty(), gateway.transaction("other"));
  }

  /** A request whose reversal came first is refused. */
  @Test
  void refusesAfterReversal() {
    client.reverseRedeem(ReverseRedeemRequest.newBuilder().setTransactionId("t").build());
    var refused = assertThrows(CallException.class, () -> client.redeem(REDEEM));
    assertEquals("TRANSACTION_REVERSED", refused.reason());
  }

  /** What is confirmed cannot be reversed. */
  @Test
  void refusesToReverseWhatIsConfirmed() {
    try (var open = client.redemption(REDEEM)) {
      open.confirm();
    }
    var reversal = ReverseRedeemRequest.newBuilder().setTransactionId("t").build();
    var refused = assertThrows(CallException.class, () -> client.reverseRedeem(reversal));
    assertEquals("STATE_CONFLICT", refused.reason());
  }

  /** What it is told holds for one call, in the order it was told. */
  @Test
  void doesWhatItIsTold() {
    var told = CardBalance.newBuilder().setMaskedCard("604500******0061").build();
    gateway.fail("Balance", Status.Code.NOT_FOUND, "CARD_NOT_FOUND");
    gateway.answer("Balance", BalanceResponse.newBuilder().setCardBalance(told).build());
    var ask = BalanceRequest.getDefaultInstance();
    var refused = assertThrows(CallException.class, () -> client.balance(ask));
    assertEquals(Kind.NOT_FOUND, refused.kind());
    assertEquals(told, client.balance(ask));
    assertEquals(CardBalance.getDefaultInstance(), client.balance(ask));
    assertEquals(List.of("Balance", "Balance", "Balance"), gateway.calls());
  }

  /** A call that the contract does not have is a mistake of the test. */
  @Test
  void knowsTheCalls() {
    var mistake = assertThrows(IllegalArgumentException.class, () -> gateway.lose("Redemption"));
    assertTrue(mistake.getMessage().contains("Redemption"));
  }

  /** It has no streams, and says so. */
  @Test
  void hasNoStreams() {
    var stub = TransactionServiceGrpc.newBlockingStub(gateway.channel());
    var stream = stub.watchTransactions(WatchTransactionsRequest.getDefaultInstance());
    var refused = assertThrows(StatusRuntimeException.class, stream::hasNext);
    assertEquals(Status.Code.UNIMPLEMENTED, refused.getStatus().getCode());
  }
}
