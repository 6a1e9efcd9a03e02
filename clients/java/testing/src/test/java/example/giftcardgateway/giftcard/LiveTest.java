package example.giftcardgateway.giftcard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Timestamp;
import com.google.type.Money;
import example.giftcardgateway.giftcard.v1.BalanceRequest;
import example.giftcardgateway.giftcard.v1.Card;
import example.giftcardgateway.giftcard.v1.LoadRequest;
import example.giftcardgateway.giftcard.v1.ReversalReason;
import example.giftcardgateway.giftcard.v1.ReverseRedeemRequest;
import example.giftcardgateway.giftcard.v1.TransactionState;
import example.giftcardgateway.giftcard.v1.WatchTransactionsRequest;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/**
 * Against a live sandbox, the gateway and the client come to what clients/vectors/scenarios.json
 * says.
 */
@EnabledIfEnvironmentVariable(named = "GIFTCARD_TARGET", matches = ".+")
class LiveTest {

  private static final Path SCENARIOS = Path.of("..", "..", "vectors", "scenarios.json");
  private static final Duration SETTLING = Duration.ofSeconds(30);
  private static final Duration BETWEEN_READS = Duration.ofMillis(200);
  private static final String SANDBOX = System.getenv("GIFTCARD_SANDBOX");
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private final GiftcardClient client =
      GiftcardClient.builder(System.getenv("GIFTCARD_TARGET")).plaintext().build();

  /** What fails in a block of the caller's. */
  private static final class BlockFailed extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  @AfterEach
  void close() {
    client.close();
  }

  @AfterAll
  static void takeFaultsBack() throws Exception {
    if (SANDBOX != null) {
      tell(new JsonArray());
    }
  }

  @TestFactory
  Stream<DynamicTest> scenarios() throws IOException {
    var cases =
        JsonParser.parseString(Files.readString(SCENARIOS))
            .getAsJsonObject()
            .getAsJsonArray("cases");
    assertFalse(cases.isEmpty());
    return StreamSupport.stream(cases.spliterator(), false)
        .map(each -> each.getAsJsonObject())
        .map(each -> DynamicTest.dynamicTest(each.get("name").getAsString(), () -> play(each)));
  }

  /** Though its connection is cut again and again, a watch goes on and misses nothing. */
  @Test
  void aWatchGoesOn() {
    var breaking = GiftcardClient.builder(System.getenv("GIFTCARD_BREAKING")).plaintext().build();
    var now = Instant.now();
    var start =
        WatchTransactionsRequest.newBuilder()
            .setStartTime(
                Timestamp.newBuilder().setSeconds(now.getEpochSecond()).setNanos(now.getNano()));
    var awaited = new HashSet<String>();
    for (var number = 0; number < 30; number++) {
      var id = GiftcardClient.newTransactionId();
      awaited.add(id);
      client.reverseRedeem(
          ReverseRedeemRequest.newBuilder()
              .setTransactionId(id)
              .setReason(ReversalReason.REVERSAL_REASON_CANCELLED)
              .build());
    }
    try (breaking;
        var changes = breaking.watch(start.build())) {
      while (!awaited.isEmpty()) {
        awaited.remove(changes.next().getTransaction().getTransactionId());
      }
    }
  }

  private static void tell(JsonArray faults) throws Exception {
    var request =
        HttpRequest.newBuilder(URI.create(SANDBOX + "/_sandbox/faults"))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(faults.toString()))
            .build();
    var answer = HTTP.send(request, BodyHandlers.ofString());
    assertEquals(2, answer.statusCode() / 100, answer.body());
  }

  private void play(JsonObject scenario) throws Exception {
    var expect = scenario.getAsJsonObject("expect");
    var card = Requests.card(scenario.get("card").getAsString());
    var amount =
        Moneys.of(scenario.get("amount").getAsString(), scenario.get("currency").getAsString());
    var id = GiftcardClient.newTransactionId();
    tell(scenario.getAsJsonArray("faults"));
    var before = available(card);

    var raised = hold(scenario, id, card, amount);

    var expected = expect.get("raises");
    assertEquals(expected.isJsonNull() ? "nothing" : expected.getAsString(), raised);
    var state = "TRANSACTION_STATE_" + expect.get("state").getAsString();
    assertEquals(TransactionState.valueOf(state), settled(id, TransactionState.valueOf(state)));
    assertEquals(expect.get("moved_minor").getAsLong(), before - available(card));
  }

  /** Holds a transaction as the scenario says; tells what came of it. */
  private String hold(JsonObject scenario, String id, Card card, Money amount) {
    try (var open = open(scenario.get("operation").getAsString(), id, card, amount)) {
      if (scenario.get("block").getAsString().equals("fails")) {
        throw new BlockFailed();
      }
      open.confirm();
      return "nothing";
    } catch (BlockFailed failure) {
      return "block";
    } catch (DeclinedException declined) {
      return "Declined";
    } catch (NotApprovedException notApproved) {
      return "NotApproved";
    }
  }

  private OpenTransaction<?> open(String operation, String id, Card card, Money amount) {
    return switch (operation) {
      case "Redeem" ->
          client.redemption(
              Requests.redeem().toBuilder()
                  .setTransactionId(id)
                  .setCard(card)
                  .setAmount(amount)
                  .build());
      case "Load" ->
          client.loading(
              LoadRequest.newBuilder()
                  .setTransactionId(id)
                  .setCard(card)
                  .setAmount(amount)
                  .build());
      default -> throw new AssertionError(operation);
    };
  }

  /** Reads a transaction until it stands as expected, or time is up; returns how it stands. */
  private TransactionState settled(String id, TransactionState expected) throws Exception {
    var until = System.nanoTime() + SETTLING.toNanos();
    var state = client.getTransaction(id).getState();
    while (state != expected && System.nanoTime() < until) {
      Thread.sleep(BETWEEN_READS.toMillis());
      state = client.getTransaction(id).getState();
    }
    return state;
  }

  private long available(Card card) {
    var balance = client.balance(BalanceRequest.newBuilder().setCard(card).build());
    var available = balance.getBalances().getAvailable();
    return Moneys.toBigDecimal(available).movePointRight(2).longValueExact();
  }
}
