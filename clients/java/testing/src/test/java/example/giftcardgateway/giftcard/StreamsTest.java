package example.giftcardgateway.giftcard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Message;
import example.giftcardgateway.giftcard.testing.FakeGateway;
import example.giftcardgateway.giftcard.v1.ListTransactionsRequest;
import example.giftcardgateway.giftcard.v1.ListTransactionsResponse;
import example.giftcardgateway.giftcard.v1.StreamEventsRequest;
import example.giftcardgateway.giftcard.v1.StreamEventsResponse;
import example.giftcardgateway.giftcard.v1.TransactionServiceGrpc;
import example.giftcardgateway.giftcard.v1.WatchTransactionsRequest;
import example.giftcardgateway.giftcard.v1.WatchTransactionsResponse;
import io.grpc.Context;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Lists are read page by page, and streams go on by themselves: see clients/vectors. */
class StreamsTest {

  private static final Path VECTORS = Path.of("..", "..", "vectors", "streams.json");
  private static final WatchTransactionsRequest WATCH =
      WatchTransactionsRequest.newBuilder().setCursor("0").build();

  private static List<String> texts(JsonObject given, String name) {
    return given.getAsJsonArray(name).asList().stream().map(each -> each.getAsString()).toList();
  }

  private static Message told(String call, String cursor) {
    return call.equals("StreamEvents")
        ? StreamEventsResponse.newBuilder().setCursor(cursor).build()
        : WatchTransactionsResponse.newBuilder().setCursor(cursor).build();
  }

  private static GiftcardClient client(FakeGateway gateway, Pace pace, int attempts) {
    var second = Duration.ofSeconds(1);
    return GiftcardClient.builder(gateway.channel())
        .policy(new RepeatPolicy(second, attempts, second, second))
        .build(pace);
  }

  @TestFactory
  Stream<DynamicTest> vectors() throws IOException {
    var text = JsonParser.parseString(Files.readString(VECTORS)).getAsJsonObject();
    var cases = text.getAsJsonArray("cases");
    assertFalse(cases.isEmpty());
    return StreamSupport.stream(cases.spliterator(), false)
        .map(each -> each.getAsJsonObject())
        .map(each -> DynamicTest.dynamicTest(each.get("name").getAsString(), () -> play(each)));
  }

  private static void play(JsonObject given) {
    var call = given.get("call").getAsString();
    var raises = given.get("raises");
    try (var gateway = new FakeGateway();
        var client = client(gateway, new FakePace(), given.get("attempts").getAsInt());
        var following = follow(client, call, given.get("start").getAsString())) {
      for (var stream : given.getAsJsonArray("streams")) {
        var tells =
            texts(stream.getAsJsonObject(), "tells").stream().map(one -> told(call, one)).toList();
        var ends = stream.getAsJsonObject().get("ends").getAsString();
        gateway.stream(
            call, tells, ends.equals("OPEN") ? null : Status.Code.valueOf(ends).toStatus());
      }
      for (var cursor : texts(given, "given")) {
        assertEquals(told(call, cursor), following.next());
      }
      if (!raises.isJsonNull()) {
        var failure = assertThrows(CallException.class, following::hasNext);
        assertEquals(Status.Code.valueOf(raises.getAsString()), failure.code());
        assertEquals(call, failure.call());
      }
      assertEquals(texts(given, "asked"), gateway.seen().stream().map(StreamsTest::begun).toList());
    }
  }

  private static Following<? extends Message> follow(
      GiftcardClient client, String call, String start) {
    if (call.equals("StreamEvents")) {
      var request = StreamEventsRequest.newBuilder();
      return client.events(start.isEmpty() ? request.build() : request.setCursor(start).build());
    }
    var request = WatchTransactionsRequest.newBuilder();
    return client.watch(start.isEmpty() ? request.build() : request.setCursor(start).build());
  }

  private static String begun(Message request) {
    var fields = request.getDescriptorForType();
    return request.hasField(fields.findFieldByName("start_time"))
        ? "TIME"
        : (String) request.getField(fields.findFieldByName("cursor"));
  }

  /** Who closes it from elsewhere ends it without an error. */
  @Test
  void aClosedStreamEnds() {
    try (var gateway = new FakeGateway();
        var client = client(gateway, new FakePace(), 8)) {
      var following = client.watch(WATCH);
      gateway.stream("WatchTransactions", List.of(told("WatchTransactions", "a")));
      assertTrue(following.hasNext());
      following.next();
      following.close();
      assertFalse(following.hasNext());
      assertEquals(1, gateway.seen().size());
    }
  }

  /** The end of the context in which it was begun ends it. */
  @Test
  void aStreamEndsWithItsContext() {
    try (var gateway = new FakeGateway();
        var client = client(gateway, new FakePace(), 8)) {
      var context = Context.current().withCancellation();
      context.run(
          () -> {
            try (var following = client.watch(WATCH)) {
              context.cancel(null);
              assertFalse(following.hasNext());
            }
          });
    }
  }

  /** Whoever interrupts its thread ends it, also while an outage is waited out. */
  @Test
  void anInterruptedStreamEnds() {
    try (var gateway = new FakeGateway();
        var client = client(gateway, new FakePace(), 8);
        var following = client.watch(WATCH)) {
      gateway.stream("WatchTransactions", List.of(), Status.OK);
      Thread.currentThread().interrupt();
      assertThrows(CallException.class, following::hasNext);
      assertTrue(Thread.interrupted());
    }
  }

  /** Pauses grow to their limit, and one that was told something begins anew. */
  @Test
  void pausesGrow() {
    var pace = new FakePace();
    try (var gateway = new FakeGateway();
        var client = GiftcardClient.builder(gateway.channel()).build(pace);
        var following = client.watch(WATCH)) {
      var told = List.of(told("WatchTransactions", "a"));
      gateway.stream("WatchTransactions", List.of(), Status.UNAVAILABLE);
      gateway.stream("WatchTransactions", List.of(), Status.UNAVAILABLE);
      gateway.stream("WatchTransactions", told, Status.UNAVAILABLE);
      gateway.stream("WatchTransactions", told);
      following.next();
      following.next();
      var pauses = List.of(Duration.ofMillis(100), Duration.ofMillis(200), Duration.ofMillis(100));
      assertEquals(pauses, pace.pauses);
    }
  }

  /**
   * Every page comes, an empty one too, with the fields of the first request, once it is needed.
   */
  @Test
  void pagesAreReadToTheLast() {
    try (var gateway = new FakeGateway();
        var client = client(gateway, new FakePace(), 1)) {
      for (var next : List.of("two", "three", "")) {
        gateway.answer(
            "ListTransactions",
            ListTransactionsResponse.newBuilder().setNextPageToken(next).build());
      }
      var request = ListTransactionsRequest.newBuilder().setPageSize(7).build();
      var pages = new ArrayList<ListTransactionsResponse>();
      var method = TransactionServiceGrpc.getListTransactionsMethod();
      client.pages(method, request).forEach(pages::add);
      assertEquals(3, pages.size());
      var asked =
          List.of(
              request,
              request.toBuilder().setPageToken("two").build(),
              request.toBuilder().setPageToken("three").build());
      assertEquals(asked, gateway.seen());
      gateway.fail("ListTransactions", Status.Code.INVALID_ARGUMENT, "FIELD_INVALID");
      assertThrows(CallException.class, () -> client.pages(method, request));
    }
  }
}
