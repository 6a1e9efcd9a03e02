package example.giftcardgateway.giftcard;

import java.util.EnumSet;
import java.util.Set;

/** What follows a failed call. */
enum Move {
  /** The same request is sent again, after a pause. */
  REPEAT,
  /** The transaction is read, to find out how the call ended. */
  LOOK_UP,
  /** The error is thrown. */
  RAISE;

  private static final Set<Phase> ADVICE = EnumSet.of(Phase.CONFIRMING, Phase.REVERSING);

  /**
   * Says what follows a failure. An ask is repeated where it was not sent or the connection ended;
   * what is left open otherwise is not asked again but looked up, so that a till hears in time. A
   * confirmation or reversal is repeated after all that is not a refusal.
   *
   * @param isLast whether attempts or time are used up
   */
  static Move after(CallException failure, boolean isLast) {
    var isAsk = failure.phase() == Phase.ASKED;
    var isAdvice = ADVICE.contains(failure.phase());
    var isRepeatable =
        switch (failure.kind()) {
          case UNAVAILABLE -> isAsk || isAdvice;
          // Without the gateway's reason it may be an answer that was too large for this side.
          case THROTTLED -> isAdvice || (isAsk && !failure.reason().isEmpty());
          // What gives the token may be better in a moment.
          case NO_ANSWER, CALL_NOT_SENT -> isAdvice;
          default -> false;
        };
    if (isRepeatable && !isLast) {
      return REPEAT;
    }
    return isAsk && failure.isOutcomeOpen() ? LOOK_UP : RAISE;
  }
}
