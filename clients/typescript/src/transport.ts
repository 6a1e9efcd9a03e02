/**
 * The rules of the gateway, around any Connect transport: token and metadata, deadlines, repeats, looking up what
 * got lost, errors of ours, and answers that are safe to print. So they hold for every stub that is made with it.
 */
import {
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  create,
  toBinary,
} from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  Code,
  type ContextValues,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { type About, aboutOf, transactionIdOf } from "./abouts.js";
import { CallError, ConfirmationFailed, readError } from "./errors.js";
import { TransactionService } from "./gen/giftcard/v1/transaction_service_pb.js";
import { hideCardNumbers } from "./printing.js";
import { protectAs } from "./redact.js";
import { DEFAULT_POLICY, type RepeatPolicy, decide, pauseAfterMs, readingPolicy, sleep } from "./repeats.js";

type OrPromise<Value> = Value | Promise<Value>;

/** What goes beside every call, and how calls are repeated. */
export interface TransportOptions {
  /** A bearer token or an API key, or what gives a fresh one before every attempt. */
  readonly token?: string | (() => OrPromise<string>);
  /** Metadata, or what gives it before every attempt. */
  readonly metadata?: HeadersInit | (() => OrPromise<HeadersInit>);
  /** Where repeats are to differ from the default. */
  readonly policy?: Partial<RepeatPolicy>;
}

// The last part of an ask's time is kept for finding out how a lost one ended.
const FINDING_SHARE = 0.25;
// Of that, what the answer itself may take; the rest the gateway may wait, and by the contract 60 s at most.
const ANSWERING_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

/** One call, whichever it is, with what its caller said of it. */
interface Call<I extends DescMessage, O extends DescMessage> {
  readonly method: DescMethodUnary<I, O>;
  readonly request: MessageShape<I>;
  readonly about: About;
  readonly signal: AbortSignal | undefined;
  readonly headers: HeadersInit | undefined;
  readonly contextValues: ContextValues | undefined;
}

/** A transport that keeps the rules of the gateway. It throws GiftcardError and nothing else. */
export class GatewayTransport implements Transport {
  readonly #inner: Transport;
  readonly #options: TransportOptions;
  readonly #policy: RepeatPolicy;
  #isClosed = false;

  constructor(inner: Transport, options: TransportOptions = {}) {
    this.#inner = inner;
    this.#options = options;
    this.#policy = { ...DEFAULT_POLICY, ...options.policy };
    if (!(this.#policy.attempts >= 1)) throw new RangeError("A policy allows one attempt at least.");
  }

  /** When calls are repeated, and how long they take. */
  get policy(): RepeatPolicy {
    return this.#policy;
  }

  /** Refuses every further call. */
  close(): void {
    this.#isClosed = true;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    headers: HeadersInit | undefined,
    input: MessageInitShape<I>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse<I, O>> {
    const about = aboutOf(method.name, transactionIdOf(input));
    try {
      const request = encodable(method.input, input, about);
      const call = { method, request, about, signal, headers, contextValues };
      if (about.phase === "asked") return await this.#ask(call, timeoutMs ?? this.#policy.deadlineMs);
      const isRead = about.phase === "reading";
      const policy = isRead ? readingPolicy(about.call, this.#policy) : this.#policy;
      return await this.#repeat(call, timeoutMs ?? policy.deadlineMs, policy);
    } catch (error) {
      const isConfirmation = about.phase === "confirming" && error instanceof CallError;
      throw isConfirmation ? new ConfirmationFailed(error) : error;
    }
  }

  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    headers: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ContextValues,
  ): Promise<StreamResponse<I, O>> {
    const about = aboutOf(method.name);
    const all = await this.#gather(about, headers, timeoutMs ?? this.#policy.deadlineMs);
    try {
      const response = await this.#inner.stream(method, signal, timeoutMs, all, input, contextValues);
      return { ...response, message: readMessages(method.output, response.message, about, signal) };
    } catch (thrown) {
      throw readError(thrown, about, signal?.aborted ?? false);
    }
  }

  /** Asks; when no answer tells the outcome, reads it from the gateway. */
  async #ask<I extends DescMessage, O extends DescMessage>(
    call: Call<I, O>,
    budgetMs: number,
  ): Promise<UnaryResponse<I, O>> {
    const endMs = this.#policy.now() + budgetMs;
    try {
      return await this.#repeat(call, (1 - FINDING_SHARE) * budgetMs);
    } catch (lost) {
      const isLost = lost instanceof CallError && decide(lost, true) === "look_up";
      if (!isLost || call.signal?.aborted) throw lost;
      return await this.#find(call, endMs - this.#policy.now(), lost);
    }
  }

  /** Reads how a lost call ended; throws what lost it if the gateway does not know or does not answer. */
  async #find<I extends DescMessage, O extends DescMessage>(
    call: Call<I, O>,
    leftMs: number,
    lost: CallError,
  ): Promise<UnaryResponse<I, O>> {
    const endMs = this.#policy.now() + leftMs;
    const waitMs = Math.min(LONGEST_WAIT_MS, Math.max(0, leftMs - ANSWERING_MS));
    const method = TransactionService.method.getTransaction;
    const { transactionId } = call.about;
    const request = create(method.input, { transactionId, wait: durationFromMs(Math.floor(waitMs)) });
    let found: UnaryResponse<DescMessage, typeof method.output>;
    try {
      const about = aboutOf(method.name, transactionId);
      found = await this.#send({ ...call, method, request, about }, leftMs);
    } catch {
      throw lost;
    }
    const { transaction } = found.message;
    // What was issued is masked when it is looked up; only the same request again shows it.
    if (transaction?.issuedCards.length) {
      try {
        return await this.#repeat(call, endMs - this.#policy.now());
      } catch (error) {
        // It was issued, whatever is said to the second request.
        if (error instanceof CallError) error.isOutcomeOpen = true;
        throw error;
      }
    }
    const { header, trailer } = found;
    const message = create(call.method.output, { transaction } as unknown as MessageInitShape<O>);
    protectAs(call.method.output, message);
    return { stream: false, service: call.method.parent, method: call.method, header, trailer, message };
  }

  /** Makes a call again and again with the same request, until it answers, is refused, or time is up. */
  async #repeat<I extends DescMessage, O extends DescMessage>(
    call: Call<I, O>,
    budgetMs: number,
    policy = this.#policy,
  ): Promise<UnaryResponse<I, O>> {
    const untilMs = policy.now() + budgetMs;
    let isOutcomeOpen = false;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#send(call, untilMs - policy.now());
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        // What an earlier attempt left open stays open, however surely the last one was not sent.
        isOutcomeOpen = error.isOutcomeOpen ||= isOutcomeOpen;
        const pauseMs = pauseAfterMs(policy, attempt, error);
        const isLast =
          attempt + 1 >= policy.attempts || policy.now() + pauseMs >= untilMs || this.#isOver(call);
        if (decide(error, isLast) !== "repeat") throw error;
        await policy.sleep(pauseMs, call.signal);
      }
    }
  }

  /** Tells whether nobody waits for a call any more. */
  #isOver<I extends DescMessage, O extends DescMessage>(call: Call<I, O>): boolean {
    return this.#isClosed || (call.signal?.aborted ?? false);
  }

  /** Makes a call once. */
  async #send<I extends DescMessage, O extends DescMessage>(
    call: Call<I, O>,
    timeoutMs: number,
  ): Promise<UnaryResponse<I, O>> {
    const { method, request, about, signal, contextValues } = call;
    if (signal?.aborted) throw notSent(about, "aborted before it was sent", signal.reason, Code.Canceled);
    const untilMs = this.#policy.now() + timeoutMs;
    const headers = await this.#gather(about, call.headers, timeoutMs);
    try {
      // Connect takes 0 for no deadline at all.
      const leftMs = Math.max(1, Math.floor(untilMs - this.#policy.now()));
      const response = await this.#inner.unary(method, signal, leftMs, headers, request, contextValues);
      protectAs(method.output, response.message);
      return response;
    } catch (thrown) {
      throw readError(thrown, about, signal?.aborted ?? false);
    }
  }

  /** Gathers what goes beside a call; throws NotSent if what gives it fails or takes too long. */
  async #gather(about: About, own: HeadersInit | undefined, withinMs: number): Promise<Headers> {
    if (this.#isClosed) throw notSent(about, "the client is closed", undefined, Code.Canceled);
    const { token, metadata } = this.#options;
    const given = new AbortController();
    // By the real clock: what gives a token waits by no other.
    const late = sleep(withinMs, given.signal).then(() => {
      throw new Error("It took longer than the call may.");
    });
    const giving = async (): Promise<Headers> => {
      const headers = new Headers(own);
      const more = new Headers(typeof metadata === "function" ? await metadata() : metadata);
      more.forEach((value, key) => {
        headers.append(key, value);
      });
      const shown = typeof token === "function" ? await token() : token;
      if (shown !== undefined) headers.set("authorization", `Bearer ${shown}`);
      return headers;
    };
    try {
      return await Promise.race([giving(), late]);
    } catch (cause) {
      // Without the cause's own words, which might show the token.
      throw notSent(about, "what gives the token or metadata failed", cause, Code.Unavailable);
    } finally {
      late.catch(() => undefined);
      given.abort();
    }
  }
}

/** Makes a request, or throws NotSent if it cannot be encoded. */
function encodable<I extends DescMessage>(
  schema: I,
  input: MessageInitShape<I>,
  about: About,
): MessageShape<I> {
  try {
    const request = create(schema, input);
    toBinary(schema, request);
    return request;
  } catch (cause) {
    const words = cause instanceof Error ? hideCardNumbers(cause.message) : "it is no message";
    throw notSent(about, `the request cannot be sent: ${words}`, undefined, Code.InvalidArgument);
  }
}

function notSent(about: About, message: string, cause: unknown, code: Code): CallError {
  return new CallError({ kind: "NotSent", code, message, about }, { cause });
}

/** Gives what a stream tells, safe to print, with errors of ours. */
async function* readMessages<O extends DescMessage>(
  schema: O,
  messages: AsyncIterable<MessageShape<O>>,
  about: About,
  signal: AbortSignal | undefined,
): AsyncGenerator<MessageShape<O>> {
  try {
    for await (const message of messages) yield protectAs(schema, message);
  } catch (thrown) {
    throw readError(thrown, about, signal?.aborted ?? false);
  }
}
