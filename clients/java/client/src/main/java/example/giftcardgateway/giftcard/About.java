package example.giftcardgateway.giftcard;

import com.google.protobuf.DescriptorProtos.MethodOptions.IdempotencyLevel;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Message;
import example.giftcardgateway.giftcard.v1.CatalogServiceProto;
import example.giftcardgateway.giftcard.v1.EventServiceProto;
import example.giftcardgateway.giftcard.v1.GiftCardServiceProto;
import example.giftcardgateway.giftcard.v1.ProviderServiceProto;
import example.giftcardgateway.giftcard.v1.ReportServiceProto;
import example.giftcardgateway.giftcard.v1.StoredCardServiceProto;
import example.giftcardgateway.giftcard.v1.TransactionServiceProto;
import java.io.Serializable;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a call is about, read off its request and the contract, so that nobody has to say it twice.
 *
 * @param call its name in the contract, such as {@code Redeem}, or empty
 * @param transactionId its transaction, or empty
 */
record About(String call, String transactionId, Phase phase) implements Serializable {

  private static final Map<String, Phase> PHASES = sortCalls();

  /** Reads what a call is about off its request. */
  static About of(Message request) {
    var type = request.getDescriptorForType();
    var call = type.getName().replaceFirst("Request$", "");
    if (!PHASES.containsKey(call) || !type.getFullName().startsWith("giftcard.v1.")) {
      return new About("", "", Phase.UNKNOWN);
    }
    var id = type.findFieldByName("transaction_id");
    return new About(call, id == null ? "" : (String) request.getField(id), PHASES.get(call));
  }

  @Override
  public String toString() {
    return transactionId.isEmpty() ? call : call + " " + transactionId;
  }

  private static Map<String, Phase> sortCalls() {
    var methods =
        Stream.of(
                CatalogServiceProto.getDescriptor(),
                EventServiceProto.getDescriptor(),
                GiftCardServiceProto.getDescriptor(),
                ProviderServiceProto.getDescriptor(),
                ReportServiceProto.getDescriptor(),
                StoredCardServiceProto.getDescriptor(),
                TransactionServiceProto.getDescriptor())
            .map(FileDescriptor::getServices)
            .flatMap(services -> services.stream().flatMap(each -> each.getMethods().stream()))
            .collect(Collectors.toMap(MethodDescriptor::getName, Function.identity()));
    Map<String, Phase> phases =
        methods.values().stream()
            .collect(
                Collectors.toMap(
                    MethodDescriptor::getName,
                    method ->
                        method.getOptions().getIdempotencyLevel()
                                == IdempotencyLevel.NO_SIDE_EFFECTS
                            ? Phase.READING
                            : Phase.CHANGING));
    for (var name : methods.keySet()) {
      if (methods.containsKey("Confirm" + name)) {
        phases.put(name, Phase.ASKED);
        phases.put("Confirm" + name, Phase.CONFIRMING);
        phases.put("Reverse" + name, Phase.REVERSING);
      }
    }
    return Map.copyOf(phases);
  }
}
