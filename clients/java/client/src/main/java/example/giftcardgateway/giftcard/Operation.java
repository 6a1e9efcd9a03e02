package example.giftcardgateway.giftcard;

import com.google.protobuf.Message;
import example.giftcardgateway.giftcard.v1.ReversalReason;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;

/**
 * A money operation: how it is asked for, confirmed and reversed.
 *
 * @param <Q> what asks for it
 * @param <C> what confirms it
 * @param <R> what reverses it
 */
record Operation<Q extends Message, C extends Message, R extends Message>(
    MethodDescriptor<Q, ? extends Message> ask,
    MethodDescriptor<C, ? extends Message> confirm,
    MethodDescriptor<R, ? extends Message> reverse) {

  private static final String ID = "transaction_id";

  /** Returns what confirms a transaction, with its id filled in. */
  C confirmation(String transactionId) {
    return identified(empty(confirm), transactionId);
  }

  /** Returns a confirmation with the id of its transaction; refuses that of another. */
  C identified(C confirmation, String transactionId) {
    var field = confirmation.getDescriptorForType().findFieldByName(ID);
    var given = confirmation.getField(field);
    if (!given.equals("") && !given.equals(transactionId)) {
      throw new IllegalArgumentException("This confirms another transaction: " + given + ".");
    }
    return with(confirmation, ID, transactionId);
  }

  /** Returns what reverses a transaction. */
  R reversal(String transactionId, ReversalReason reason) {
    var named = with(empty(reverse), ID, transactionId);
    return with(named, "reason", reason.getValueDescriptor());
  }

  @SuppressWarnings("unchecked") // Every stub made of the contract has a prototype of its request.
  private static <M extends Message> M empty(MethodDescriptor<M, ?> method) {
    return ((PrototypeMarshaller<M>) method.getRequestMarshaller()).getMessagePrototype();
  }

  @SuppressWarnings("unchecked") // A builder made of a message builds a message of its type.
  private static <M extends Message> M with(M message, String field, Object value) {
    var descriptor = message.getDescriptorForType().findFieldByName(field);
    return (M) message.toBuilder().setField(descriptor, value).build();
  }
}
