package example.giftcardgateway.giftcard;

import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import io.grpc.CallOptions;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.time.Instant;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * A stream that goes on by itself after a break, where its last message's cursor says.
 *
 * <p>Nothing is left out, and the last message may come twice. It ends when it is closed, which any
 * thread may do; the thread that reads is interrupted; or the gateway refuses, which throws {@link
 * CallException}. An outage is waited out, however long it takes; a fault of the gateway is tried
 * as often as {@link RepeatPolicy} says. One thread reads it.
 *
 * @param <A> what it tells
 */
public final class Following<A extends Message> implements Iterator<A>, AutoCloseable {

  private final Calls calls;
  private final MethodDescriptor<Message, A> method;
  private final Context.CancellableContext context = Context.current().withCancellation();
  private final Instant began = Instant.now();
  private Message request;
  // Null between a break and the next beginning.
  private Iterator<A> told;
  private int breaks;

  @SuppressWarnings("unchecked") // A request of the method's own kind is made from one.
  <Q extends Message> Following(Calls calls, MethodDescriptor<Q, A> method, Q request) {
    this.calls = calls;
    this.method = (MethodDescriptor<Message, A>) method;
    this.request = request;
  }

  /**
   * Waits for the next message, through breaks.
   *
   * @return false once it is closed
   * @throws CallException if the gateway refused, or the thread was interrupted
   */
  @Override
  public boolean hasNext() {
    while (!context.isCancelled()) {
      try {
        if (isNextTold()) {
          return true;
        }
        waitAfter(null);
      } catch (StatusRuntimeException broken) {
        var failure = CallException.of(broken, request);
        if (context.isCancelled()) {
          return false;
        }
        if (!isBreak(failure)) {
          throw failure;
        }
        waitAfter(failure);
      }
    }
    return false;
  }

  @Override
  public A next() {
    if (!hasNext()) {
      throw new NoSuchElementException("The stream is closed.");
    }
    var next = told.next();
    breaks = 0;
    set("cursor", next.getField(next.getDescriptorForType().findFieldByName("cursor")));
    return next;
  }

  /** Ends the stream. */
  @Override
  public void close() {
    context.cancel(null);
  }

  private boolean isNextTold() {
    if (told == null) {
      calls.refuseIfClosed(request);
      var before = context.attach();
      try {
        told =
            ClientCalls.blockingServerStreamingCall(
                calls.channel(), method, CallOptions.DEFAULT, request);
      } finally {
        context.detach(before);
      }
    }
    return told.hasNext();
  }

  private boolean isBreak(CallException failure) {
    if (Thread.currentThread().isInterrupted()) {
      return false;
    }
    return switch (failure.kind()) {
      case UNAVAILABLE, THROTTLED -> true;
      case NO_ANSWER -> breaks + 1 < calls.policy().attempts();
      default -> false;
    };
  }

  /** Waits until the stream is to be begun again; a failure is null where it just ended. */
  private void waitAfter(CallException failure) {
    told = null;
    var start = request.getDescriptorForType().findFieldByName("start_time");
    if (!request.hasOneof(start.getContainingOneof())) {
      set(
          "start_time",
          Timestamp.newBuilder()
              .setSeconds(began.getEpochSecond())
              .setNanos(began.getNano())
              .build());
    }
    var pause = calls.policy().pauseAfter(breaks, failure, calls.pace().chance());
    breaks++;
    if (!calls.isSleptThrough(pause)) {
      var status = Status.CANCELLED.withDescription("the thread was interrupted");
      throw failure == null ? CallException.of(status.asRuntimeException(), request) : failure;
    }
  }

  private void set(String field, Object value) {
    var found = request.getDescriptorForType().findFieldByName(field);
    request = request.toBuilder().setField(found, value).build();
  }
}
