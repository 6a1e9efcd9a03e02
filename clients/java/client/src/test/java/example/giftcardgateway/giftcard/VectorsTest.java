package example.giftcardgateway.giftcard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.protobuf.ProtobufToStringOutput;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.ErrorInfo;
import com.google.type.Money;
import example.giftcardgateway.giftcard.v1.Transaction;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** This client agrees with those of all other languages: see clients/vectors. */
class VectorsTest {

  private static final Path VECTORS = Path.of("..", "..", "vectors");
  private static final String ID = "transaction_id";

  private interface Check {
    void run(JsonObject given) throws Exception;
  }

  private static Stream<DynamicTest> cases(String file, Check check) throws IOException {
    var text = Files.readString(VECTORS.resolve(file + ".json"));
    var cases = JsonParser.parseString(text).getAsJsonObject().getAsJsonArray("cases");
    assertFalse(cases.isEmpty());
    return StreamSupport.stream(cases.spliterator(), false)
        .map(each -> each.getAsJsonObject())
        .map(
            each -> DynamicTest.dynamicTest(each.get("name").getAsString(), () -> check.run(each)));
  }

  private static String text(JsonObject given, String name) {
    return given.get(name).getAsString();
  }

  private static List<String> texts(JsonObject given, String name) {
    return given.getAsJsonArray(name).asList().stream().map(each -> each.getAsString()).toList();
  }

  private static byte[] bytes(JsonObject given, String name) {
    return Base64.getDecoder().decode(text(given, name));
  }

  /** Returns an empty message of a name, such as {@code RedeemRequest}. */
  private static Message empty(String name) throws ReflectiveOperationException {
    var type = Class.forName("example.giftcardgateway.giftcard.v1." + name);
    return (Message) type.getMethod("getDefaultInstance").invoke(null);
  }

  /** Makes what a stub throws of a call that failed, and reads it. */
  private static CallException failed(
      String call, String id, int code, String message, byte[] details) throws Exception {
    var trailers = new Metadata();
    if (details.length > 0) {
      trailers.put(
          Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER), details);
    }
    var request = empty(call + "Request").toBuilder();
    var field = request.getDescriptorForType().findFieldByName(ID);
    if (field != null) {
      request.setField(field, id);
    }
    var status = Status.fromCodeValue(code).withDescription(message);
    return CallException.of(status.asRuntimeException(trailers), request.build());
  }

  private static String trace(Throwable failure) {
    var text = new StringWriter();
    failure.printStackTrace(new PrintWriter(text));
    return text.toString();
  }

  @TestFactory
  Stream<DynamicTest> money() throws IOException {
    return cases("money", VectorsTest::checkMoney);
  }

  private static void checkMoney(JsonObject given) {
    var currency = text(given, "currency");
    if (text(given, "from").equals("text") && given.has("bad")) {
      var amount = text(given, "amount");
      assertThrows(IllegalArgumentException.class, () -> Moneys.of(amount, currency));
      return;
    }
    var money =
        Money.newBuilder()
            .setCurrencyCode(currency)
            .setUnits(given.get("units").getAsLong())
            .setNanos(given.get("nanos").getAsInt())
            .build();
    switch (text(given, "from")) {
      case "text" -> assertEquals(money, Moneys.of(text(given, "amount"), currency));
      case "minor" ->
          assertEquals(money, Moneys.ofMinor(Long.parseLong(text(given, "amount")), currency));
      case "money" -> assertEquals(text(given, "text"), Moneys.toText(money));
      default -> throw new AssertionError(given);
    }
  }

  @TestFactory
  Stream<DynamicTest> states() throws IOException {
    return cases("states", VectorsTest::checkState);
  }

  private static void checkState(JsonObject given) {
    var number = given.get("state").getAsInt();
    var transaction = Transaction.newBuilder().setStateValue(number).build();
    var answers =
        Map.of(
            "is_approved", TransactionStates.isApproved(transaction),
            "is_declined", TransactionStates.isDeclined(transaction),
            "is_confirmed", TransactionStates.isConfirmed(transaction),
            "is_reversed", TransactionStates.isReversed(transaction),
            "is_pending", TransactionStates.isPending(transaction),
            "is_final", TransactionStates.isFinal(transaction),
            "needs_person", TransactionStates.needsPerson(transaction));
    var expected =
        answers.keySet().stream()
            .collect(Collectors.toMap(name -> name, name -> given.get(name).getAsBoolean()));
    assertEquals(expected, answers);
  }

  @TestFactory
  Stream<DynamicTest> errors() throws IOException {
    return cases("errors", VectorsTest::checkError);
  }

  private static void checkError(JsonObject given) throws Exception {
    var error =
        failed(
            text(given, "call"),
            text(given, ID),
            given.get("code").getAsInt(),
            text(given, "message"),
            bytes(given, "details"));
    var expect = given.getAsJsonObject("expect");
    assertEquals(text(given, "call"), error.call());
    assertEquals(text(given, ID), error.transactionId());
    assertEquals(text(expect, "kind"), camel(error.kind()));
    assertEquals(text(expect, "code"), error.code().name());
    assertEquals(text(expect, "reason"), error.reason());
    assertEquals(
        expect.getAsJsonObject("metadata").asMap().entrySet().stream()
            .collect(Collectors.toMap(Map.Entry::getKey, each -> each.getValue().getAsString())),
        error.metadata());
    assertEquals(
        expect.getAsJsonArray("violations").asList().stream()
            .map(each -> each.getAsJsonObject())
            .map(
                each -> new CallException.Violation(text(each, "field"), text(each, "description")))
            .toList(),
        error.violations());
    var wait = expect.get("retry_after_ms");
    assertEquals(
        wait.isJsonNull() ? null : wait.getAsLong(),
        error.retryAfter().map(each -> each.toMillis()).orElse(null));
    assertEquals(text(expect, "request_id"), error.requestId());
    assertEquals(expect.get("is_outcome_open").getAsBoolean(), error.isOutcomeOpen());
    assertEquals(text(expect, "next_step"), error.nextStep());
    for (var secret : texts(given, "never_printed")) {
      assertFalse(trace(error).contains(secret));
    }
  }

  private static String camel(CallException.Kind kind) {
    return Stream.of(kind.name().split("_"))
        .map(word -> word.charAt(0) + word.substring(1).toLowerCase(Locale.ROOT))
        .collect(Collectors.joining());
  }

  @TestFactory
  Stream<DynamicTest> decisions() throws IOException {
    return cases("decisions", VectorsTest::checkDecision);
  }

  private static void checkDecision(JsonObject given) throws Exception {
    var code = given.get("code").getAsInt();
    var reason = text(given, "reason");
    var info = ErrorInfo.newBuilder().setReason(reason).setDomain("giftcard.v1").build();
    var status = com.google.rpc.Status.newBuilder().setCode(code).addDetails(Any.pack(info));
    var details = reason.isEmpty() ? new byte[0] : status.build().toByteArray();
    var error = failed(text(given, "call"), "", code, "", details);
    if (given.get("was_open").getAsBoolean()) {
      error.leaveOutcomeOpen();
    }
    var move = Move.after(error, given.get("is_last").getAsBoolean());
    assertEquals(text(given, "do"), move.name().toLowerCase(Locale.ROOT));
  }

  @TestFactory
  Stream<DynamicTest> messages() throws IOException {
    return cases("messages", VectorsTest::checkMessage);
  }

  private static void checkMessage(JsonObject given) throws Exception {
    var empty = empty(text(given, "type").replaceFirst("^giftcard\\.v1\\.", ""));
    var message = empty.toBuilder().mergeFrom(bytes(given, "bytes")).build();
    var same = empty.toBuilder();
    JsonFormat.parser().merge(given.get("json").toString(), same);
    assertEquals(!text(given, "extra").isEmpty(), hasUnknownFields(message));
    assertEquals(
        same.build(), message.toBuilder().setUnknownFields(same.getUnknownFields()).build());
    // What nobody here knows is handed on.
    assertEquals(bytes(given, "bytes").length, message.toByteArray().length);

    var printed = Redacted.toString(message);
    for (var shown : texts(given, "shown")) {
      assertTrue(printed.contains(shown), printed);
    }
    var ordinary = new AtomicReference<String>();
    ProtobufToStringOutput.callWithDebugFormat(() -> ordinary.set(message.toString()));
    for (var secret : texts(given, "secrets")) {
      assertFalse(printed.contains(secret), printed);
      assertFalse(ordinary.get().contains(secret), ordinary.get());
    }
    if (given.has("unknown")) {
      checkUnknown(message, given.getAsJsonObject("unknown"));
    }
  }

  private static boolean hasUnknownFields(Message message) {
    return !message.getUnknownFields().asMap().isEmpty();
  }

  private static void checkUnknown(Message message, JsonObject unknown) {
    Object found = message;
    for (var name : texts(unknown, "path")) {
      var whole = (Message) found;
      found = whole.getField(whole.getDescriptorForType().findFieldByName(name));
    }
    var value = (com.google.protobuf.Descriptors.EnumValueDescriptor) found;
    assertEquals(unknown.get("number").getAsInt(), value.getNumber());
  }
}
