package example.giftcardgateway.giftcard;

import java.util.regex.Pattern;

/** The root of everything this client throws by itself. */
public abstract sealed class GiftcardException extends RuntimeException
    permits CallException, ConfirmationFailedException, NotApprovedException {

  private static final long serialVersionUID = 1L;

  // The gateway keeps card numbers out of its texts; a proxy between might not.
  private static final Pattern CARD_NUMBER = Pattern.compile("[0-9]{13,19}");

  private final About about;

  GiftcardException(String text, Throwable cause, About about) {
    super(text, cause);
    this.about = about;
  }

  /** The name of the call in the contract, such as {@code Redeem}, or empty. */
  public final String call() {
    return about.call();
  }

  /** The transaction the call was about, or empty. */
  public final String transactionId() {
    return about.transactionId();
  }

  /** Which part of a transaction's life the call belongs to. */
  public final Phase phase() {
    return about.phase();
  }

  /** What to do now, in a sentence. */
  public abstract String nextStep();

  final About about() {
    return about;
  }

  /** Returns a text without what looks like a card's number. */
  static String masked(String text) {
    return CARD_NUMBER.matcher(text).replaceAll("****");
  }
}
