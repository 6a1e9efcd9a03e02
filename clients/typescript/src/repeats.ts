/**
 * When a call is repeated. Repeating is safe because it is always the same request with the same transaction id:
 * the gateway moves the money of one id once, however often it is asked. Nothing is repeated that was refused.
 */
import type { CallError } from "./errors.js";
import { serviceConfig } from "./gen/service-config.js";

/**
 * How long a money call may take, and how it is repeated.
 *
 * Pauses grow from `firstPauseMs` to `longestPauseMs` at most, each a random part of that ("full jitter"), so that
 * many callers do not come back at once; the gateway's own RetryInfo is never undercut.
 */
export interface RepeatPolicy {
  /** The budget of one money call: all attempts, all pauses, and finding out how a lost one ended. */
  readonly deadlineMs: number;
  /** The most attempts of one call. */
  readonly attempts: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Gives a number from 0 to 1; for tests. */
  readonly random: () => number;
  /** Gives the time in ms since any moment; for tests. */
  readonly now: () => number;
  /** Waits; ends early, without an error, when the signal is aborted. For tests. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}

export const DEFAULT_POLICY: RepeatPolicy = {
  deadlineMs: 40_000,
  attempts: 8,
  firstPauseMs: 100,
  longestPauseMs: 5_000,
  random: () => Math.random(),
  now: () => performance.now(),
  sleep,
};

/** What to do after a failure: send the same again, look the transaction up, or let the caller have the error. */
export type Verdict = "repeat" | "look_up" | "raise";

/** Decides what to do after a failure; `isLast` tells that attempts or time are used up. */
export function decide(error: CallError, isLast: boolean): Verdict {
  if (!isLast && isRepeatable(error)) return "repeat";
  return error.phase === "asked" && error.isOutcomeOpen ? "look_up" : "raise";
}

/** Says how long to wait after an attempt, counted from 0, that ended with an error, or a stream that just ended. */
export function pauseAfterMs(policy: RepeatPolicy, attempt: number, error?: CallError): number {
  const longestMs = Math.min(policy.longestPauseMs, policy.firstPauseMs * 2 ** attempt);
  return (error?.retryAfterMs ?? 0) + policy.random() * longestMs;
}

/** The policy of a read: deadline, attempts and pauses are the contract's own, from its service config. */
export function readingPolicy(call: string, policy: RepeatPolicy): RepeatPolicy {
  const config = serviceConfig.methodConfig.find((each) => each.name.some(({ method }) => method === call));
  if (!config) return policy;
  const { maxAttempts, initialBackoff, maxBackoff } = config.retryPolicy;
  return {
    ...policy,
    deadlineMs: "timeout" in config ? toMs(config.timeout) : policy.deadlineMs,
    attempts: maxAttempts,
    firstPauseMs: toMs(initialBackoff),
    longestPauseMs: toMs(maxBackoff),
  };
}

function isRepeatable({ kind, phase, reason }: CallError): boolean {
  switch (phase) {
    case "asked":
      // What is left open otherwise is not asked again but looked up, so that a till hears of it in time.
      return kind === "Unavailable" || (kind === "Throttled" && reason !== "");
    case "confirming":
    case "reversing":
      // What gives the token may be better in a moment.
      return ["Unavailable", "Throttled", "NoAnswer", "NotSent"].includes(kind);
    case "reading":
      return kind === "Unavailable";
    default:
      return false;
  }
}

function toMs(duration: string): number {
  return Number.parseFloat(duration) * 1000;
}

/** Waits by the real clock; ends early, without an error, when the signal is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end);
  });
}
