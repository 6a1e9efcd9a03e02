/** A clock that moves only when somebody waits. */
import type { RepeatPolicy } from "@giftcardgateway/client";

export class Clock {
  ms = 0;
  /** How long was waited, each time. */
  readonly pauses: number[] = [];

  /** A policy by this clock, with jitter at its most. */
  get policy(): Partial<RepeatPolicy> {
    return {
      random: () => 1,
      now: () => this.ms,
      sleep: (ms) => {
        this.pauses.push(ms);
        this.ms += ms;
        return Promise.resolve();
      },
    };
  }
}
