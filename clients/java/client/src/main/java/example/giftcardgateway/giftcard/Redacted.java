package example.giftcardgateway.giftcard;

import com.google.protobuf.DebugFormat;
import com.google.protobuf.MessageOrBuilder;

/**
 * Prints messages without what the contract marks as secret ({@code debug_redact}): card numbers,
 * PINs, keys. Fields of a newer contract are left out too, since nobody here knows what they hold.
 *
 * <p>Messages' own {@code toString} shows everything and is final: log {@code
 * Redacted.toString(message)}, or run what logs in {@link
 * com.google.protobuf.ProtobufToStringOutput#callWithDebugFormat}. What {@code TextFormat} and
 * {@code JsonFormat} make is not for logs.
 */
public final class Redacted {

  private Redacted() {}

  /** Prints a message on one line, for people; no program should read it. */
  public static String toString(MessageOrBuilder message) {
    return DebugFormat.singleLine().toString(message);
  }
}
