/**
 * What can go wrong, as one small family of errors.
 *
 *     GiftcardError            call, transactionId, phase, nextStep
 *     ├── CallError            a call brought no result: kind, code, reason, metadata, violations, ...
 *     ├── ConfirmationFailed   a confirmation was lost or refused, which is no failed payment: failure
 *     └── NotApproved          the transaction is not APPROVED: transaction
 *         └── Declined         the provider said no
 *
 * A decline is no failure of a call: it is an answer, and an error only where an open transaction was asked for.
 */
import { type Message } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { type About, aboutOf, aboutRequest } from "./abouts.js";
import { DeclineReason } from "./gen/giftcard/v1/decline_pb.js";
import { Operation, type Transaction, TransactionState } from "./gen/giftcard/v1/transaction_pb.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";
import {
  AFTER_NOT_SENT,
  AFTER_REFUSAL,
  READ_AFTER_CONFIRMATION,
  REPEAT_CONFIRMATION,
  afterOpen,
  afterState,
  afterUnavailable,
} from "./next-steps.js";
import { hideCardNumbers, inspectWith } from "./printing.js";

/** The domain of the ErrorInfo whose reasons the contract defines (`ErrorReason`). */
export const DOMAIN = "giftcard.v1";

/**
 * What kind of failure a call met, by what to do about it:
 *
 * - `InvalidRequest`: fields are missing or malformed; `violations` lists all of them
 * - `Unauthenticated`, `PermissionDenied`: bad credentials; not allowed
 * - `NotFound`: no such transaction, card, provider or export
 * - `Conflict`: the id was used before, or the state forbids it
 * - `Unsupported`: the provider, or this release of the gateway, does not do this
 * - `Unavailable`, `Throttled`: not now; `retryAfterMs` says when, if the gateway said so
 * - `NotSent`: what gives the token or metadata failed, the request cannot be encoded, or the client is closed
 * - `NoAnswer`: a deadline, a cut connection, a fault of the gateway
 */
export type ErrorKind = keyof typeof AFTER_REFUSAL | "Unavailable" | "Throttled" | "NotSent" | "NoAnswer";

/** One field that the gateway refused, by its path in the request, and why. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** The root of everything this client throws by itself. Printing one shows its message and no more. */
export abstract class GiftcardError extends Error {
  /** The name of the call in the contract, such as `Redeem`, or empty. */
  readonly call: string;
  /** The transaction it was about, or empty. */
  readonly transactionId: string;
  /** Which part of a transaction's life it belongs to. */
  readonly phase: About["phase"];

  constructor(name: string, message: string, about: About, options?: ErrorOptions) {
    super(message, options);
    this.call = about.call;
    this.transactionId = about.transactionId;
    this.phase = about.phase;
    // Not enumerable, as with every error.
    Object.defineProperty(this, "name", { value: name, configurable: true, writable: true });
    inspectWith(this, () => this.stack ?? String(this));
  }

  /** What to do now, in a sentence. */
  abstract get nextStep(): string;

  /** Returns what a log may hold; JSON.stringify calls it. */
  toJSON(): Record<string, unknown> {
    const { name, message, call, transactionId, phase, nextStep } = this;
    return { name, message, call, transactionId, phase, nextStep };
  }
}

/** What a CallError is made of. */
export interface Failure {
  readonly kind?: ErrorKind;
  readonly code: Code;
  readonly message: string;
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly Violation[];
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string;
  /** Whether no connection was there to send the call on. */
  readonly isUnsent?: boolean;
  readonly about: About;
}

// No class of their own: every ConnectError is an instance of every class that extends it.
const UNSENT = new WeakSet<ConnectError>();

/** Makes an error of what failed before a request was given to a connection: nobody can have done anything. */
export function unsent(thrown: unknown): ConnectError {
  const { rawMessage, code, cause } = ConnectError.from(thrown);
  // A new one for each request: other requests, which were sent, may be told the same error.
  const error = new ConnectError(rawMessage, code, undefined, undefined, cause);
  UNSENT.add(error);
  return error;
}

/** A call brought no result. */
export class CallError extends GiftcardError {
  /** What kind of failure it is. */
  readonly kind: ErrorKind;
  /** The name of the gRPC status code, such as `NOT_FOUND`. */
  readonly code: string;
  /** A name of `ErrorReason` without its prefix, or empty where the error is not the gateway's. */
  readonly reason: string;
  /** What goes with the reason. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Every field the gateway refused. */
  readonly violations: readonly Violation[];
  /** How long to wait before a repeat, in ms, if the gateway said so. */
  readonly retryAfterMs: number | undefined;
  /** What to quote to the gateway's operator, where the fault is the gateway's. */
  readonly requestId: string;
  /** Whether a money call may have had its effect all the same. */
  isOutcomeOpen: boolean;

  constructor(failure: Failure, options?: ErrorOptions) {
    const { code, about, reason = "", violations = [], requestId = "" } = failure;
    const kind = failure.kind ?? KINDS[code] ?? "NoAnswer";
    const fields = violations.map((each) => `${each.field}: ${each.description}`);
    const unsaid = fields.filter((each) => !failure.message.includes(each)).join("; ");
    const where = [about.call, about.transactionId].filter(Boolean).join(" ");
    const what = [codeName(code), reason, failure.message, unsaid].filter(Boolean).join(" - ");
    const text = hideCardNumbers(where ? `${where}: ${what}` : what);
    // A request id may hold as many digits as a card number, and is the gateway's own.
    super(kind, requestId ? `${text} - ${requestId}` : text, about, options);
    this.kind = kind;
    this.code = codeName(code);
    this.reason = reason;
    this.metadata = failure.metadata ?? {};
    this.violations = violations;
    this.retryAfterMs = failure.retryAfterMs;
    this.requestId = requestId;
    // The gateway's own reasons prove that nothing was sent, as does a connection never made. A connection that ended proves nothing, nor does
    // RESOURCE_EXHAUSTED of somebody else: gRPC says so too of an answer that was too large.
    const isPassing = kind === "Unavailable" || kind === "Throttled";
    this.isOutcomeOpen = kind === "NoAnswer" || (isPassing && !reason && !failure.isUnsent);
  }

  override get nextStep(): string {
    if (this.isOutcomeOpen) return afterOpen(this.phase);
    switch (this.kind) {
      case "Unavailable":
      case "Throttled":
      case "NoAnswer":
        return afterUnavailable(this.phase);
      case "NotSent":
        return AFTER_NOT_SENT;
      default:
        return AFTER_REFUSAL[this.kind];
    }
  }

  override toJSON(): Record<string, unknown> {
    const { kind, code, reason, retryAfterMs, requestId, isOutcomeOpen } = this;
    return { ...super.toJSON(), kind, code, reason, retryAfterMs, requestId, isOutcomeOpen };
  }
}

/**
 * A confirmation was lost or refused. This is no failed payment: the goods may be gone.
 *
 * `failure` is the error that ended it; `code`, `reason` and `isOutcomeOpen` are its own.
 */
export class ConfirmationFailed extends GiftcardError {
  readonly failure: CallError;

  constructor(failure: CallError) {
    super("ConfirmationFailed", `${failure.message.replace(/\.$/u, "")}. ${stepAfter(failure)}`, failure, {
      cause: failure,
    });
    this.failure = failure;
  }

  get code(): string {
    return this.failure.code;
  }

  get reason(): string {
    return this.failure.reason;
  }

  get isOutcomeOpen(): boolean {
    return this.failure.isOutcomeOpen;
  }

  override get nextStep(): string {
    return stepAfter(this.failure);
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), failure: this.failure.toJSON() };
  }
}

/** The transaction is not APPROVED; `transaction` tells how it stands. */
export class NotApproved extends GiftcardError {
  readonly transaction: Transaction;

  constructor(transaction: Transaction, told?: { readonly name: string; readonly message: string }) {
    const { transactionId, state } = transaction;
    super(
      told?.name ?? "NotApproved",
      told?.message ?? `Transaction ${transactionId} is ${enumName(TransactionState, state)}.`,
      aboutOf(callOf(transaction), transactionId),
    );
    this.transaction = transaction;
  }

  override get nextStep(): string {
    return afterState(this.transaction.state);
  }
}

/** The provider said no; no money moved, and a new attempt needs a new transaction id. */
export class Declined extends NotApproved {
  constructor(transaction: Transaction) {
    const reason = enumName(DeclineReason, transaction.decline?.reason ?? DeclineReason.UNSPECIFIED);
    // Without the provider's own text, which is for support.
    const message = `Transaction ${transaction.transactionId} was declined: ${reason}.`;
    super(transaction, { name: "Declined", message });
  }

  /** Why, in the contract's own list; decide by this one. */
  get reason(): DeclineReason {
    return this.transaction.decline?.reason ?? DeclineReason.UNSPECIFIED;
  }
}

// By their numbers in gRPC.
const CODES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

const KINDS: Partial<Record<Code, ErrorKind>> = {
  [Code.InvalidArgument]: "InvalidRequest",
  [Code.OutOfRange]: "InvalidRequest",
  [Code.Unauthenticated]: "Unauthenticated",
  [Code.PermissionDenied]: "PermissionDenied",
  [Code.NotFound]: "NotFound",
  [Code.AlreadyExists]: "Conflict",
  [Code.FailedPrecondition]: "Conflict",
  [Code.Aborted]: "Conflict",
  [Code.Unimplemented]: "Unsupported",
  [Code.Unavailable]: "Unavailable",
  [Code.ResourceExhausted]: "Throttled",
};

// What Connect says of itself when it cannot know how a call ended, or gave up on it.
const HONEST = [Code.Unknown, Code.DeadlineExceeded, Code.ResourceExhausted, Code.Internal, Code.Unavailable];

/**
 * Reads what a call over Connect threw. Errors of `Client` are read already; use it, with the request, for calls
 * made with stubs of your own. `isGivenUp` tells that the call may have been ended by its own signal.
 */
export function readError(
  thrown: unknown,
  about: About | Message = aboutOf(""),
  isGivenUp = true,
): CallError {
  const error = ConnectError.from(thrown);
  const info = error.findDetails(ErrorInfoSchema).find((each) => each.domain === DOMAIN);
  const retry = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return new CallError({
    code: codeOf(error, isGivenUp),
    message: error.rawMessage,
    reason: info?.reason ?? "",
    metadata: info?.metadata ?? {},
    violations: (error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? []).map(
      ({ field, description }) => ({ field, description }),
    ),
    retryAfterMs: retry && durationMs(retry),
    requestId: error.findDetails(RequestInfoSchema)[0]?.requestId ?? "",
    isUnsent: UNSENT.has(error),
    about: "$typeName" in about ? aboutRequest(about) : about,
  });
}

/**
 * Returns the code of an error, or UNAVAILABLE where nobody but Connect itself has refused the call.
 *
 * Connect names a connection that broke by codes that the gateway keeps for refusals: ABORTED for a reset,
 * INVALID_ARGUMENT for an answer cut in two, UNIMPLEMENTED for one without a message. Taken for refusals they would
 * hide that money may have moved. A connection that was closed is CANCELLED to it, as is a call that its
 * caller gave up; one that was never made, since the certificate is not trusted, say, is INTERNAL, with Node's own
 * error in it. What somebody else said came with metadata.
 */
function codeOf(error: ConnectError, isGivenUp: boolean): Code {
  const isOwnWord = [...error.metadata.keys()].length === 0;
  const isOfNode = error.code === Code.Internal && error.cause instanceof Error && "code" in error.cause;
  const isHonest = (HONEST.includes(error.code) && !isOfNode) || (error.code === Code.Canceled && isGivenUp);
  return isOwnWord && !isHonest ? Code.Unavailable : error.code;
}

/** Has the confirmation repeated, unless the gateway refused it for good. */
function stepAfter({ kind }: CallError): string {
  const isRefused = ["InvalidRequest", "NotFound", "Conflict", "Unsupported"].includes(kind);
  return isRefused ? READ_AFTER_CONFIRMATION : REPEAT_CONFIRMATION;
}

/** Names the call that asked for a transaction. */
function callOf({ operation }: Transaction): string {
  if (operation === Operation.UNSPECIFIED) return "";
  const name = enumName(Operation, operation);
  return name.charAt(0) + name.slice(1).toLowerCase();
}

/** Names an enum's value; one this release does not know by its number. */
function enumName(names: Readonly<Record<number, string>>, value: number): string {
  return names[value] ?? String(value);
}

function codeName(code: Code): string {
  return CODES[code] ?? String(code);
}
