package example.giftcardgateway.giftcard;

import example.giftcardgateway.giftcard.v1.Transaction;
import example.giftcardgateway.giftcard.v1.TransactionState;

/**
 * Questions about where a transaction stands, so that callers need not list states.
 *
 * <p>The states themselves, and what each asks of a caller, are in {@code transaction.proto}.
 */
public final class TransactionStates {

  private TransactionStates() {}

  /** Whether the provider said yes and now waits for a confirmation or a reversal. */
  public static boolean isApproved(Transaction transaction) {
    return transaction.getState() == TransactionState.TRANSACTION_STATE_APPROVED;
  }

  /** Whether the provider said no; {@code getDecline()} says why. */
  public static boolean isDeclined(Transaction transaction) {
    return transaction.getState() == TransactionState.TRANSACTION_STATE_DECLINED;
  }

  /** Whether it is confirmed, or the gateway has promised to confirm it: the sale is made. */
  public static boolean isConfirmed(Transaction transaction) {
    return switch (transaction.getState()) {
      case TRANSACTION_STATE_CONFIRMING, TRANSACTION_STATE_CONFIRMED -> true;
      default -> false;
    };
  }

  /** Whether it is reversed, or the gateway has promised to reverse it: the sale is not made. */
  public static boolean isReversed(Transaction transaction) {
    return switch (transaction.getState()) {
      case TRANSACTION_STATE_REVERSING, TRANSACTION_STATE_REVERSED -> true;
      default -> false;
    };
  }

  /** Whether the outcome is not known yet; a state this client does not know counts as such. */
  public static boolean isPending(Transaction transaction) {
    return switch (transaction.getState()) {
      case TRANSACTION_STATE_UNSPECIFIED, TRANSACTION_STATE_PENDING, UNRECOGNIZED -> true;
      default -> false;
    };
  }

  /** Whether nothing will change any more: DECLINED, FAILED, CONFIRMED or REVERSED. */
  public static boolean isFinal(Transaction transaction) {
    return switch (transaction.getState()) {
      case TRANSACTION_STATE_DECLINED,
          TRANSACTION_STATE_FAILED,
          TRANSACTION_STATE_CONFIRMED,
          TRANSACTION_STATE_REVERSED ->
          true;
      default -> false;
    };
  }

  /** Whether it is UNRESOLVED: an operator must decide; {@code getEvidence()} says by what. */
  public static boolean needsPerson(Transaction transaction) {
    return transaction.getState() == TransactionState.TRANSACTION_STATE_UNRESOLVED;
  }

  /** Returns the transaction, or throws {@link DeclinedException} if the provider said no. */
  public static Transaction throwIfDeclined(Transaction transaction) {
    if (isDeclined(transaction)) {
      throw new DeclinedException(transaction);
    }
    return transaction;
  }
}
