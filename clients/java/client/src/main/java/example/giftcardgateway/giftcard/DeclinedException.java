package example.giftcardgateway.giftcard;

import example.giftcardgateway.giftcard.v1.DeclineReason;
import example.giftcardgateway.giftcard.v1.Transaction;

/** The provider said no; no money moved, and a new attempt needs a new transaction id. */
public final class DeclinedException extends NotApprovedException {

  private static final long serialVersionUID = 1L;

  DeclinedException(Transaction transaction) {
    // The provider's own text is for support, and may hold anything: it is left out.
    super(
        transaction,
        "Transaction %s was declined: %s."
            .formatted(
                transaction.getTransactionId(),
                name(
                    DeclineReason.getDescriptor()
                        .findValueByNumberCreatingIfUnknown(
                            transaction.getDecline().getReasonValue()))));
  }

  /** Why, in the contract's own list; decide by this one. */
  public DeclineReason reason() {
    return transaction().getDecline().getReason();
  }
}
