package example.giftcardgateway.giftcard;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** Time and chance, which tests bring themselves. */
interface Pace {

  /** This machine's own. */
  Pace SYSTEM =
      new Pace() {
        @Override
        public long nanoTime() {
          return System.nanoTime();
        }

        @Override
        public void sleep(Duration pause) throws InterruptedException {
          Thread.sleep(pause.toMillis(), pause.toNanosPart() % 1_000_000);
        }

        @Override
        public double chance() {
          return ThreadLocalRandom.current().nextDouble();
        }
      };

  /** Tells the time, in nanoseconds since some moment. */
  long nanoTime();

  /** Waits. */
  void sleep(Duration pause) throws InterruptedException;

  /** Draws a number from 0 to 1. */
  double chance();
}
