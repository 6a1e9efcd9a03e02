package example.giftcardgateway.giftcard;

import com.google.protobuf.Message;
import example.giftcardgateway.giftcard.v1.GetTransactionRequest;
import example.giftcardgateway.giftcard.v1.Transaction;
import example.giftcardgateway.giftcard.v1.TransactionServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * How calls are made: repeated, looked up, within their time.
 *
 * <p>Repeating is safe because it is always the same request with the same transaction id: the
 * gateway moves the money of one id once, however often it is asked.
 *
 * @param channel what calls go through, with their metadata
 * @param under the channel below, which knows whether it is closed
 * @param readDeadline of a read; null leaves it to the contract's service config
 */
record Calls(
    Channel channel, Channel under, RepeatPolicy policy, Duration readDeadline, Pace pace) {

  // The last part of a call's time is kept for finding out how a lost call ended.
  private static final int FINDING_SHARE = 4;
  // Of that, what the answer itself may take; the rest the gateway may wait, 60 s at most.
  private static final Duration ANSWERING = Duration.ofSeconds(1);
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(60);

  /** Makes a call once, within the time that reads have. */
  <Q extends Message, A> A once(MethodDescriptor<Q, A> method, Q request) {
    return send(method, request, readDeadline);
  }

  /** Asks for a money operation; when no answer tells the outcome, reads it from the gateway. */
  <Q extends Message> Transaction ask(MethodDescriptor<Q, ? extends Message> method, Q request) {
    var end = pace.nanoTime() + policy.deadline().toNanos();
    var askingUntil = end - policy.deadline().toNanos() / FINDING_SHARE;
    try {
      return repeat(method, request, askingUntil);
    } catch (CallException lost) {
      if (Move.after(lost, true) != Move.LOOK_UP || Thread.currentThread().isInterrupted()) {
        throw lost;
      }
      var found = find(lost, end);
      if (found.getIssuedCardsCount() == 0) {
        return found;
      }
      // What was issued is masked when it is looked up; only the same request again shows it.
      try {
        return repeat(method, request, end);
      } catch (CallException failure) {
        // It was issued, whatever is said to the second request.
        failure.leaveOutcomeOpen();
        throw failure;
      }
    }
  }

  /** Confirms or reverses; a confirmation that fails throws ConfirmationFailedException. */
  <Q extends Message> Transaction decide(MethodDescriptor<Q, ? extends Message> method, Q request) {
    try {
      return repeat(method, request, pace.nanoTime() + policy.deadline().toNanos());
    } catch (CallException failure) {
      throw failure.phase() == Phase.CONFIRMING
          ? new ConfirmationFailedException(failure)
          : failure;
    }
  }

  /** Reads how a lost call ended; throws what lost it if the gateway does not tell. */
  private Transaction find(CallException lost, long end) {
    var left = left(end);
    var wait = left.minus(ANSWERING);
    var request = GetTransactionRequest.newBuilder().setTransactionId(lost.transactionId());
    if (!wait.isNegative()) {
      var longest = wait.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : wait;
      request.getWaitBuilder().setSeconds(longest.toSeconds()).setNanos(longest.toNanosPart());
    }
    try {
      var method = TransactionServiceGrpc.getGetTransactionMethod();
      return send(method, request.build(), left).getTransaction();
    } catch (CallException unknown) {
      lost.addSuppressed(unknown);
      throw lost;
    }
  }

  /** Makes a call again and again, until it answers, is refused, or attempts or time are over. */
  private <Q extends Message> Transaction repeat(
      MethodDescriptor<Q, ? extends Message> method, Q request, long until) {
    var isOutcomeOpen = false;
    for (var attempt = 0; ; attempt++) {
      try {
        return transaction(send(method, request, left(until)));
      } catch (CallException failure) {
        isOutcomeOpen |= failure.isOutcomeOpen();
        if (isOutcomeOpen) {
          failure.leaveOutcomeOpen();
        }
        var pause = policy.pauseAfter(attempt, failure, pace.chance());
        var isLast = attempt + 1 == policy.attempts() || pause.compareTo(left(until)) >= 0;
        if (Move.after(failure, isLast) != Move.REPEAT || !isSleptThrough(pause)) {
          throw failure;
        }
      }
    }
  }

  /** Throws if the client was closed. */
  void refuseIfClosed(Message request) {
    if (under instanceof ManagedChannel managed && managed.isShutdown()) {
      throw CallException.closed(request);
    }
  }

  /** Waits; tells whether nobody interrupted it. */
  boolean isSleptThrough(Duration pause) {
    try {
      pace.sleep(pause);
      return true;
    } catch (InterruptedException interruption) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private Duration left(long until) {
    return Duration.ofNanos(until - pace.nanoTime());
  }

  private <Q extends Message, A> A send(
      MethodDescriptor<Q, A> method, Q request, Duration deadline) {
    refuseIfClosed(request);
    var trip = new Trip();
    var options = CallOptions.DEFAULT.withStreamTracerFactory(trip);
    if (deadline != null) {
      options = options.withDeadlineAfter(deadline.toNanos(), TimeUnit.NANOSECONDS);
    }
    try {
      return ClientCalls.blockingUnaryCall(channel, method, options, request);
    } catch (StatusRuntimeException thrown) {
      var failure = CallException.of(thrown, request);
      if (failure.kind() == CallException.Kind.UNAVAILABLE && trip.isUnsent()) {
        failure.closeOutcome();
      }
      throw failure;
    }
  }

  private static Transaction transaction(Message answer) {
    var field = answer.getDescriptorForType().findFieldByName("transaction");
    return (Transaction) answer.getField(field);
  }
}
