package example.giftcardgateway.giftcard;

import example.giftcardgateway.giftcard.v1.TransactionState;

/** What to do after an error, in a sentence: read off what was asked and what came of it. */
final class NextSteps {

  static final String REPEAT_CONFIRMATION =
      "This is no failed payment, and the goods may be gone: repeat the confirmation with the same"
          + " transaction id until the gateway has promised it, before the transaction's"
          + " `confirm_by`.";

  private static final String READ_AFTER_CONFIRMATION =
      "This is no failed payment, and the goods may be gone: read the transaction. If it is"
          + " reversed, take the goods back or ask for the money again, under a new transaction"
          + " id.";
  private static final String READ_BEFORE_REPEATING =
      "It may have happened: read how things stand before you repeat it.";

  private NextSteps() {}

  /** Says what to do after a call that brought no result. */
  static String after(CallException.Kind kind, Phase phase, boolean isOutcomeOpen) {
    if (isOutcomeOpen) {
      return afterOpen(phase);
    }
    return switch (kind) {
      case INVALID_REQUEST -> "Correct the fields named in `violations`; nothing was changed.";
      case UNAUTHENTICATED -> "Sign in again, then repeat the same call; nothing was changed.";
      case PERMISSION_DENIED -> "Have the scope named in `metadata` granted; nothing was changed.";
      case NOT_FOUND -> "Look at the id and at who may see it; `reason` says what is not there.";
      case CONFLICT ->
          "Read the transaction: its state says what was decided. A new operation needs a new id.";
      case UNSUPPORTED -> "Do without it: ListProviders tells what each provider does.";
      case UNAVAILABLE, THROTTLED -> afterUnavailable(phase);
      case CALL_NOT_SENT ->
          "Mend what gives the client its token or metadata, then repeat: nothing was sent.";
      case CLOSED -> "Make a new client: this one is closed, and nothing was sent.";
      case NO_ANSWER -> afterOpen(phase);
    };
  }

  /** Says what to do after a confirmation: repeat it, unless the gateway refused it for good. */
  static String afterConfirmation(CallException.Kind kind) {
    return switch (kind) {
      case INVALID_REQUEST, NOT_FOUND, CONFLICT, UNSUPPORTED -> READ_AFTER_CONFIRMATION;
      default -> REPEAT_CONFIRMATION;
    };
  }

  /** Says what to do with a transaction that was to be approved. */
  static String after(TransactionState state) {
    return switch (state) {
      case TRANSACTION_STATE_APPROVED -> "Confirm it or reverse it, before its `confirm_by`.";
      case TRANSACTION_STATE_DECLINED ->
          "Ask for another card or amount, under a new transaction id; no money moved.";
      case TRANSACTION_STATE_CONFIRMING, TRANSACTION_STATE_CONFIRMED ->
          "Nothing: the sale is made. Do not hand over the goods again.";
      case TRANSACTION_STATE_FAILED, TRANSACTION_STATE_REVERSING, TRANSACTION_STATE_REVERSED ->
          "Nothing: no money is taken. A new attempt needs a new transaction id.";
      case TRANSACTION_STATE_UNRESOLVED ->
          "Wait for an operator, who has to decide it; do not hand over the goods.";
      default -> "Do not hand over the goods: read the transaction later, or reverse it.";
    };
  }

  private static String afterOpen(Phase phase) {
    return switch (phase) {
      case ASKED ->
          "It may have happened: ask again with the same transaction id, read the transaction, or"
              + " reverse it.";
      case CONFIRMING -> REPEAT_CONFIRMATION;
      case REVERSING ->
          "Reverse again with the same transaction id, until the gateway has promised it.";
      case READING -> "Read again: a read changes nothing.";
      case CHANGING, UNKNOWN -> READ_BEFORE_REPEATING;
    };
  }

  private static String afterUnavailable(Phase phase) {
    return switch (phase) {
      case CONFIRMING -> REPEAT_CONFIRMATION;
      case ASKED, REVERSING -> "Repeat it later with the same transaction id; nothing was done.";
      default -> "Repeat it later; nothing was done.";
    };
  }
}
