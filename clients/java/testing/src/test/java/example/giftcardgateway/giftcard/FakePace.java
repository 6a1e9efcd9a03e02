package example.giftcardgateway.giftcard;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Time that passes only in pauses, and chance that always draws the most. */
final class FakePace implements Pace {

  final List<Duration> pauses = new ArrayList<>();
  private long now;

  @Override
  public long nanoTime() {
    return now;
  }

  @Override
  public void sleep(Duration pause) throws InterruptedException {
    if (Thread.interrupted()) {
      throw new InterruptedException();
    }
    pauses.add(pause);
    pass(pause);
  }

  @Override
  public double chance() {
    return 1;
  }

  void pass(Duration time) {
    now += time.toNanos();
  }
}
