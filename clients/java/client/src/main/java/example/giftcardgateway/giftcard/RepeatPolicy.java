package example.giftcardgateway.giftcard;

import java.time.Duration;

/**
 * How long a money call may take, and how it is repeated.
 *
 * <p>Pauses grow from the first to the longest, each a random part of that ("full jitter"), so that
 * many callers do not come back at once; what the gateway says to wait is never undercut.
 *
 * @param deadline of one call: all attempts, all pauses, and finding out how a lost one ended
 * @param attempts how often a call is made at most, 1 at least
 * @param firstPause the longest the first pause may be
 * @param longestPause the longest any pause may be
 */
public record RepeatPolicy(
    Duration deadline, int attempts, Duration firstPause, Duration longestPause) {

  /** 40 seconds and 8 attempts; pauses from 0.1 to 5 seconds. */
  public static final RepeatPolicy DEFAULT =
      new RepeatPolicy(Duration.ofSeconds(40), 8, Duration.ofMillis(100), Duration.ofSeconds(5));

  /** Refuses a policy that could not make a call. */
  public RepeatPolicy {
    if (attempts < 1 || deadline.isNegative() || deadline.isZero()) {
      throw new IllegalArgumentException("A policy allows one attempt at least, and some time.");
    }
    if (firstPause.isNegative() || longestPause.isNegative()) {
      throw new IllegalArgumentException("A pause is not negative.");
    }
  }

  /** Returns this policy with another deadline. */
  public RepeatPolicy withDeadline(Duration other) {
    return new RepeatPolicy(other, attempts, firstPause, longestPause);
  }

  /**
   * Says how long to wait after an attempt that failed.
   *
   * @param attempt counted from 0
   * @param failure null where a stream just ended
   * @param chance from 0 to 1
   */
  Duration pauseAfter(int attempt, CallException failure, double chance) {
    var longest = (double) longestPause.toNanos();
    var jitter = chance * Math.min(longest, firstPause.toNanos() * Math.pow(2, attempt));
    var told = failure == null ? Duration.ZERO : failure.retryAfter().orElse(Duration.ZERO);
    return told.plusNanos((long) jitter);
  }
}
