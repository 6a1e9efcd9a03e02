package example.giftcardgateway.giftcard;

import com.google.protobuf.Message;
import example.giftcardgateway.giftcard.v1.ReversalReason;
import example.giftcardgateway.giftcard.v1.Transaction;
import io.grpc.Context;
import java.util.function.Supplier;

/**
 * An approved transaction held open in a try-with-resources block: confirmed by {@link #confirm} as
 * the last thing in it, else reversed at its end. For the thread that made it.
 *
 * <p>One that was confirmed before, because its id is used again, stays confirmed: nothing is sent.
 *
 * <p>Confirming and reversing are done even if the thread was interrupted or its gRPC context
 * cancelled before; only an interruption during them ends them. What a process can no longer decide
 * because it died, the gateway ends by itself at {@code confirm_by}.
 *
 * @param <C> what confirms the transaction, such as {@code ConfirmRedeemRequest}
 */
public final class OpenTransaction<C extends Message> implements AutoCloseable {

  private final Calls calls;
  private final Operation<?, C, ?> operation;
  private final String transactionId;
  private Transaction transaction;
  private boolean isLeftOpen = true;

  private OpenTransaction(Calls calls, Operation<?, C, ?> operation, String transactionId) {
    this.calls = calls;
    this.operation = operation;
    this.transactionId = transactionId;
  }

  /** Asks; what is not approved throws, and what stays open is reversed first. */
  static <Q extends Message, C extends Message> OpenTransaction<C> begin(
      Calls calls, Operation<Q, C, ?> operation, Q request) {
    var id = About.of(request).transactionId();
    var open = new OpenTransaction<>(calls, operation, id);
    open.ask(() -> calls.ask(operation.ask(), request));
    return open;
  }

  /** The transaction as last heard of. */
  public Transaction transaction() {
    return transaction;
  }

  /**
   * Makes the transaction final, as the last thing in the block. If it fails nothing is reversed,
   * since the goods may be gone, and it may be called again.
   *
   * @return the transaction, CONFIRMED or CONFIRMING
   * @throws ConfirmationFailedException if the confirmation was lost or refused
   */
  public Transaction confirm() {
    return confirm(operation.confirmation(transactionId));
  }

  /**
   * Makes the transaction final with what a confirmation may say, such as a smaller final amount.
   *
   * @param confirmation its transaction id may be left out
   * @return the transaction, CONFIRMED or CONFIRMING
   * @throws ConfirmationFailedException if the confirmation was lost or refused
   * @throws IllegalArgumentException if it is of another transaction
   */
  public Transaction confirm(C confirmation) {
    var request = operation.identified(confirmation, transactionId);
    if (TransactionStates.isReversed(transaction)) {
      throw new IllegalStateException("Transaction " + transactionId + " was reversed.");
    }
    if (!TransactionStates.isConfirmed(transaction)) {
      isLeftOpen = false;
      transaction = undisturbed(() -> calls.decide(operation.confirm(), request));
    }
    return transaction;
  }

  /**
   * Reverses the transaction, unless it was to be confirmed.
   *
   * @throws CallException if it could not be reversed; beside what the block threw, it is
   *     suppressed
   */
  @Override
  public void close() {
    if (isLeftOpen) {
      transaction = reverse(ReversalReason.REVERSAL_REASON_CANCELLED);
      isLeftOpen = false;
    }
  }

  private void ask(Supplier<Transaction> ask) {
    try {
      transaction = ask.get();
    } catch (CallException failure) {
      if (failure.isOutcomeOpen()) {
        reverseBecauseOf(failure, ReversalReason.REVERSAL_REASON_TIMEOUT);
      }
      throw failure;
    } catch (RuntimeException | Error failure) {
      // What breaks the asking itself leaves the outcome as open as a lost answer does.
      reverseBecauseOf(failure, ReversalReason.REVERSAL_REASON_TIMEOUT);
      throw failure;
    }
    isLeftOpen = !TransactionStates.isConfirmed(transaction);
    if (TransactionStates.isApproved(transaction) || !isLeftOpen) {
      return;
    }
    TransactionStates.throwIfDeclined(transaction);
    var notApproved = new NotApprovedException(transaction);
    if (TransactionStates.isPending(transaction)) {
      reverseBecauseOf(notApproved, ReversalReason.REVERSAL_REASON_RESPONSE_NOT_FINAL);
    }
    throw notApproved;
  }

  /** Reverses because of something; should that fail too, says so beside what matters more. */
  private void reverseBecauseOf(Throwable cause, ReversalReason reason) {
    try {
      reverse(reason);
    } catch (RuntimeException failure) {
      cause.addSuppressed(failure);
    }
  }

  private Transaction reverse(ReversalReason reason) {
    return undisturbed(() -> reverse(operation, reason));
  }

  private <R extends Message> Transaction reverse(
      Operation<?, ?, R> reversed, ReversalReason reason) {
    return calls.decide(reversed.reverse(), reversed.reversal(transactionId, reason));
  }

  /** Does a thing though the thread was interrupted, or its gRPC context cancelled, before. */
  private static Transaction undisturbed(Supplier<Transaction> thing) {
    var wasInterrupted = Thread.interrupted();
    var own = Context.current().fork();
    var outer = own.attach();
    try {
      return thing.get();
    } finally {
      own.detach(outer);
      if (wasInterrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
