package example.giftcardgateway.giftcard;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RequestInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.Serializable;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A call brought no result. {@link #of} reads one from what any stub threw.
 *
 * <p>A decline is not among these: it is an answer. See {@link DeclinedException}.
 */
public final class CallException extends GiftcardException {

  private static final long serialVersionUID = 1L;

  // The domain of the ErrorInfo whose reasons the contract defines (error_reason.proto).
  private static final String DOMAIN = "giftcard.v1";
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
  // What google.protobuf.Duration can say.
  private static final long LONGEST_S = 315_576_000_000L;

  /** What kind of failure it is: what a caller decides by. */
  public enum Kind {
    /** Fields are missing or malformed: {@link #violations} lists every one to correct. */
    INVALID_REQUEST,
    /** No or bad credentials: sign in again. */
    UNAUTHENTICATED,
    /** The caller may not do this: metadata {@code scope} names what is missing. */
    PERMISSION_DENIED,
    /** No such transaction, card, provider or export: {@link #reason} says which. */
    NOT_FOUND,
    /** The state of things forbids it, such as a transaction id used before. */
    CONFLICT,
    /** The provider, or this release of the gateway, does not do this. */
    UNSUPPORTED,
    /** The gateway or the provider cannot serve now. */
    UNAVAILABLE,
    /** Too much was asked: repeat after {@link #retryAfter}. With a reason, nothing was sent. */
    THROTTLED,
    /** Nothing was sent: what gives the token or metadata failed, which is the cause. */
    CALL_NOT_SENT,
    /** Nothing was sent: the client, or the channel under it, is closed. */
    CLOSED,
    /** No answer to go by: a deadline, a cut connection, a fault of the gateway. */
    NO_ANSWER
  }

  /**
   * One field that the gateway refused.
   *
   * @param field its path in the request
   * @param description why
   */
  public record Violation(String field, String description) implements Serializable {}

  /** What the details of a status told. */
  private record Told(
      String reason,
      Map<String, String> metadata,
      List<Violation> violations,
      Duration retryAfter,
      String requestId)
      implements Serializable {}

  private final Kind kind;
  private final Status.Code code;
  private final Told told;
  private boolean isOutcomeOpen;

  private CallException(Kind kind, Status status, Told told, About about) {
    super(text(kind, status, told, about), status.getCause(), about);
    this.kind = kind;
    this.code = status.getCode();
    this.told = told;
    this.isOutcomeOpen =
        switch (kind) {
          // The gateway's own reasons prove that nothing was sent; a lost connection proves
          // nothing. What came onto none is seen where the call is made.
          case UNAVAILABLE, THROTTLED -> told.reason().isEmpty();
          case NO_ANSWER -> true;
          default -> false;
        };
  }

  /**
   * Reads what a stub threw, of this client or your own, blocking or not.
   *
   * @param failure what was thrown; one without a gRPC status in it is a lost answer
   * @param request what was asked
   */
  public static CallException of(Throwable failure, Message request) {
    var status = Status.fromThrowable(failure);
    var about = About.of(request);
    if (status.getCause() instanceof Sources.SourceFailed failed) {
      var words =
          "what gives the token or metadata failed: "
              + failed.getCause().getClass().getSimpleName();
      var notSent = Status.UNAVAILABLE.withDescription(words).withCause(failed.getCause());
      return new CallException(Kind.CALL_NOT_SENT, notSent, read(null), about);
    }
    var told = read(Status.trailersFromThrowable(failure));
    return new CallException(kindOf(status.getCode()), status, told, about);
  }

  /** Says that nothing was sent because the client is closed. */
  static CallException closed(Message request) {
    var status = Status.CANCELLED.withDescription("the client is closed");
    return new CallException(Kind.CLOSED, status, read(null), About.of(request));
  }

  /** What kind of failure it is. */
  public Kind kind() {
    return kind;
  }

  /** The status code of gRPC. */
  public Status.Code code() {
    return code;
  }

  /**
   * A name of {@code ErrorReason} without its prefix; empty where the error is not the gateway's.
   */
  public String reason() {
    return told.reason();
  }

  /** What the gateway said besides the reason, by name. */
  public Map<String, String> metadata() {
    return told.metadata();
  }

  /** The fields that the gateway refused, all of them. */
  public List<Violation> violations() {
    return told.violations();
  }

  /** How long to wait before a repeat, if the gateway said so. */
  public Optional<Duration> retryAfter() {
    return Optional.ofNullable(told.retryAfter());
  }

  /** What to quote to the gateway's operator where the fault is the gateway's, or empty. */
  public String requestId() {
    return told.requestId();
  }

  /** Whether a call that moves or changes something may have worked all the same. */
  public boolean isOutcomeOpen() {
    return isOutcomeOpen;
  }

  @Override
  public String nextStep() {
    return NextSteps.after(kind, phase(), isOutcomeOpen);
  }

  /** Says that an earlier attempt left the outcome open, however surely the last was not sent. */
  void leaveOutcomeOpen() {
    isOutcomeOpen = true;
  }

  /** Says that the call was never sent. */
  void closeOutcome() {
    isOutcomeOpen = false;
  }

  private static Kind kindOf(Status.Code code) {
    return switch (code) {
      case INVALID_ARGUMENT, OUT_OF_RANGE -> Kind.INVALID_REQUEST;
      case UNAUTHENTICATED -> Kind.UNAUTHENTICATED;
      case PERMISSION_DENIED -> Kind.PERMISSION_DENIED;
      case NOT_FOUND -> Kind.NOT_FOUND;
      case ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED -> Kind.CONFLICT;
      case UNIMPLEMENTED -> Kind.UNSUPPORTED;
      case UNAVAILABLE -> Kind.UNAVAILABLE;
      case RESOURCE_EXHAUSTED -> Kind.THROTTLED;
      default -> Kind.NO_ANSWER;
    };
  }

  private static String text(Kind kind, Status status, Told told, About about) {
    var words = status.getDescription() == null ? "" : status.getDescription();
    var unsaid =
        told.violations().stream()
            .map(each -> each.field() + ": " + each.description())
            .filter(field -> !words.contains(field))
            .collect(Collectors.joining("; "));
    // What the network says belongs to the text; what a source of tokens says may hold its secrets.
    var cause = kind == Kind.CALL_NOT_SENT ? null : innermost(status.getCause());
    var text =
        Stream.of(status.getCode().name(), told.reason(), words, cause, unsaid)
            .filter(part -> part != null && !part.isEmpty())
            .collect(Collectors.joining(" - "));
    var whole = masked(about.call().isEmpty() ? text : about + ": " + text);
    // A request id may hold as many digits as a card number, and is the gateway's own.
    return told.requestId().isEmpty() ? whole : whole + " - " + told.requestId();
  }

  /** Returns the words that say most: those of the first cause, such as a certificate's. */
  private static String innermost(Throwable thrown) {
    var first = thrown;
    while (first != null && first.getCause() != null) {
      first = first.getCause();
    }
    return first == null ? null : first.getMessage();
  }

  private static Told read(Metadata trailers) {
    var details = details(trailers);
    var info = find(details, ErrorInfo.getDefaultInstance());
    var ours = info.getDomain().equals(DOMAIN) ? info : ErrorInfo.getDefaultInstance();
    return new Told(
        ours.getReason(),
        Map.copyOf(ours.getMetadataMap()),
        find(details, BadRequest.getDefaultInstance()).getFieldViolationsList().stream()
            .map(each -> new Violation(each.getField(), each.getDescription()))
            .toList(),
        retryAfter(find(details, RetryInfo.getDefaultInstance())),
        find(details, RequestInfo.getDefaultInstance()).getRequestId());
  }

  private static List<Any> details(Metadata trailers) {
    var bytes = trailers == null ? null : trailers.get(DETAILS);
    try {
      return bytes == null ? List.of() : com.google.rpc.Status.parseFrom(bytes).getDetailsList();
    } catch (InvalidProtocolBufferException unreadable) {
      return List.of();
    }
  }

  /** Returns the first detail of a kind that can be read, or an empty one. */
  private static <D extends Message> D find(List<Any> details, D empty) {
    for (var packed : details) {
      try {
        if (packed.isSameTypeAs(empty)) {
          return packed.unpackSameTypeAs(empty);
        }
      } catch (InvalidProtocolBufferException unreadable) {
        return empty;
      }
    }
    return empty;
  }

  private static Duration retryAfter(RetryInfo told) {
    var delay = told.getRetryDelay();
    var isSaid = told.hasRetryDelay() && delay.getSeconds() >= 0 && delay.getNanos() >= 0;
    return isSaid && delay.getSeconds() <= LONGEST_S
        ? Duration.ofSeconds(delay.getSeconds(), delay.getNanos())
        : null;
  }
}
