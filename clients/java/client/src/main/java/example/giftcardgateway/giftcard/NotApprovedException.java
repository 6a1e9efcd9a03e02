package example.giftcardgateway.giftcard;

import com.google.protobuf.Descriptors.EnumValueDescriptor;
import example.giftcardgateway.giftcard.v1.Operation;
import example.giftcardgateway.giftcard.v1.Transaction;
import example.giftcardgateway.giftcard.v1.TransactionState;
import java.util.Locale;

/** The transaction is not APPROVED; {@link #transaction} tells how it stands. */
public sealed class NotApprovedException extends GiftcardException permits DeclinedException {

  private static final long serialVersionUID = 1L;

  private final Transaction transaction;

  NotApprovedException(Transaction transaction) {
    this(
        transaction,
        "Transaction %s is %s."
            .formatted(
                transaction.getTransactionId(),
                name(
                    TransactionState.getDescriptor()
                        .findValueByNumberCreatingIfUnknown(transaction.getStateValue()))));
  }

  NotApprovedException(Transaction transaction, String text) {
    super(text, null, new About(call(transaction), transaction.getTransactionId(), Phase.ASKED));
    this.transaction = transaction;
  }

  /** How the transaction stands. */
  public final Transaction transaction() {
    return transaction;
  }

  @Override
  public final String nextStep() {
    return NextSteps.after(transaction.getState());
  }

  /** Names an enum's value without the enum's prefix, one that nobody here knows by its number. */
  static String name(EnumValueDescriptor value) {
    var number = value.getNumber();
    if (value.getType().findValueByNumber(number) == null) {
      return Integer.toString(number);
    }
    var prefix = value.getType().findValueByNumber(0).getName().replaceFirst("UNSPECIFIED$", "");
    return value.getName().substring(prefix.length());
  }

  private static String call(Transaction transaction) {
    var operation = transaction.getOperation();
    if (operation == Operation.UNRECOGNIZED || operation == Operation.OPERATION_UNSPECIFIED) {
      return "";
    }
    var name = name(operation.getValueDescriptor());
    return name.charAt(0) + name.substring(1).toLowerCase(Locale.ROOT);
  }
}
