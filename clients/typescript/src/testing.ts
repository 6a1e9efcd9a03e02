/**
 * For the tests of those who use the client: a gateway in memory.
 *
 * It knows the life of a transaction and no cards: it approves what it is asked, unless it is told otherwise. It is
 * no model of the real gateway, only of what a caller meets: replays, declines, failures and lost answers. To
 * try the real one, run the sandbox.
 */
import {
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  create,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type MethodImpl,
  type Transport,
  createRouterTransport,
} from "@connectrpc/connect";
import { type About, SERVICES, aboutOf, transactionIdOf } from "./abouts.js";
import { DOMAIN } from "./errors.js";
import type { DeclineReason } from "./gen/giftcard/v1/decline_pb.js";
import {
  Operation,
  type Transaction,
  TransactionSchema,
  TransactionState,
} from "./gen/giftcard/v1/transaction_pb.js";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { protect } from "./redact.js";

const AFTER = {
  confirming: TransactionState.CONFIRMED,
  reversing: TransactionState.REVERSED,
};
const FORBIDDEN: Record<keyof typeof AFTER, readonly TransactionState[]> = {
  confirming: [TransactionState.REVERSED, TransactionState.DECLINED],
  reversing: [TransactionState.CONFIRMED],
};

/** What a call of a name meets next, once. */
type Told =
  | { readonly kind: "fail"; readonly code: Code; readonly reason: string }
  | { readonly kind: "answer"; readonly response: object }
  | { readonly kind: "stream"; readonly messages: readonly object[]; readonly end: StreamEnd }
  | { readonly kind: "lose" };

/** How a stream ends: well, with an error, or not at all. */
export type StreamEnd = "ends" | "stays open" | Code;

/**
 * A gateway in memory: `new Client(gateway.transport)` calls it. What it is told with `decline`, `fail`, `lose`,
 * `answer` and `stream` holds for the next call, once; told twice, for the next two.
 */
export class FakeGateway {
  /** The requests that came, oldest first. */
  readonly seen: Message[] = [];
  /** The names of the calls that came, oldest first. */
  readonly calls: string[] = [];
  /** What became of the transactions, by their id. */
  readonly transactions = new Map<string, Transaction>();
  /** Calls the gateway in this process. */
  readonly transport: Transport = createRouterTransport((router) => {
    this.routes(router);
  });

  readonly #declines: DeclineReason[] = [];
  readonly #told = new Map<string, Told[]>();

  /** Adds the gateway's calls to a router, to serve it by connect-node's adapter for instance. */
  routes(router: ConnectRouter): void {
    for (const method of SERVICES.flatMap((service) => service.methods).filter(isUnary)) {
      const handle: MethodImpl<DescMethodUnary> = (request, context) =>
        this.#handle(method, request, context);
      router.rpc(method, handle);
    }
    for (const method of SERVICES.flatMap((service) => service.methods).filter(isServerStreaming)) {
      const handle: MethodImpl<DescMethodServerStreaming> = (request, context) =>
        this.#pour(method, request, context);
      router.rpc(method, handle);
    }
  }

  /** Declines the next money operation. */
  decline(reason: DeclineReason): void {
    this.#declines.push(reason);
  }

  /** Refuses the next call of a name, such as `Redeem`; `reason` is a name of ErrorReason without its prefix. */
  fail(call: string, code: Code, reason = ""): void {
    this.#tell(call, { kind: "fail", code, reason });
  }

  /** Does what the next call of a name asks, and loses the answer: its caller sees DEADLINE_EXCEEDED. */
  lose(call: string): void {
    this.#tell(call, { kind: "lose" });
  }

  /** Answers the next call of a name with a response of its own kind, such as a `BalanceResponse`. */
  answer(call: string, response: object): void {
    this.#tell(call, { kind: "answer", response });
  }

  /** Lets the next stream of a name, such as `WatchTransactions`, tell messages of its kind, and end. */
  stream(call: string, messages: readonly object[], end: StreamEnd = "stays open"): void {
    this.#tell(call, { kind: "stream", messages, end });
  }

  #tell(call: string, told: Told): void {
    const isCall = SERVICES.some((service) => service.methods.some((method) => method.name === call));
    if (!isCall) throw new TypeError(`The contract has no call ${call}.`);
    this.#told.set(call, [...(this.#told.get(call) ?? []), told]);
  }

  /** Does what a call asks, then answers or loses the answer. */
  #handle(method: DescMethodUnary, request: Message, context: HandlerContext): Message {
    this.seen.push(protect(request));
    this.calls.push(method.name);
    const told = this.#told.get(method.name)?.shift();
    if (told?.kind === "fail") throw refusal(told.code, told.reason);
    const response = told?.kind === "answer" ? told.response : this.#respond(method, request, context);
    if (told?.kind === "lose") throw new ConnectError("lost", Code.DeadlineExceeded);
    return create(method.output, response as MessageInitShape<DescMessage>);
  }

  /** Tells what the next stream of a name is to tell. */
  async *#pour(
    method: DescMethodServerStreaming,
    request: Message,
    context: HandlerContext,
  ): AsyncGenerator<Message, void, undefined> {
    this.seen.push(protect(request));
    this.calls.push(method.name);
    const told = this.#told.get(method.name)?.shift();
    if (told?.kind === "fail") throw refusal(told.code, told.reason);
    if (told?.kind !== "stream") throw new ConnectError("nobody said what it tells", Code.Unimplemented);
    for (const message of told.messages) {
      yield create(method.output, message as MessageInitShape<DescMessage>);
    }
    if (told.end === "stays open") await aborted(context.signal);
    else if (told.end !== "ends") throw refusal(told.end, "");
  }

  #respond(method: DescMethodUnary, request: Message, context: HandlerContext): object {
    const about = aboutOf(method.name, transactionIdOf(request));
    const known = this.transactions.get(about.transactionId);
    if (about.phase === "asked") return { transaction: this.#ask(about, known, context) };
    if (about.phase === "confirming" || about.phase === "reversing") {
      return { transaction: this.#decide(about, about.phase, known) };
    }
    if (about.call !== "GetTransaction") return {};
    if (!known) throw refusal(Code.NotFound, "TRANSACTION_NOT_FOUND");
    return { transaction: known };
  }

  /** Begins a transaction, or gives what was recorded of it. */
  #ask({ call, transactionId }: About, known: Transaction | undefined, context: HandlerContext): Transaction {
    if (known?.state === TransactionState.REVERSED) {
      throw refusal(Code.FailedPrecondition, "TRANSACTION_REVERSED");
    }
    if (known) {
      context.responseTrailer.set("giftcard-replayed", "true");
      return known;
    }
    const reason = this.#declines.shift();
    const made = create(TransactionSchema, {
      transactionId,
      operation: Operation[call.toUpperCase() as keyof typeof Operation],
      state: reason === undefined ? TransactionState.APPROVED : TransactionState.DECLINED,
      ...(reason !== undefined && { decline: { reason } }),
    });
    this.transactions.set(transactionId, made);
    return made;
  }

  /** Confirms or reverses a transaction; a reversal may come first. */
  #decide({ transactionId }: About, phase: keyof typeof AFTER, known: Transaction | undefined): Transaction {
    if (!known && phase === "confirming") throw refusal(Code.NotFound, "TRANSACTION_NOT_FOUND");
    const decided = known ?? create(TransactionSchema, { transactionId });
    if (FORBIDDEN[phase].includes(decided.state)) throw refusal(Code.FailedPrecondition, "STATE_CONFLICT");
    decided.state = AFTER[phase];
    this.transactions.set(transactionId, decided);
    return decided;
  }
}

function isUnary(method: DescMethod): method is DescMethod & DescMethodUnary {
  return method.methodKind === "unary";
}

function isServerStreaming(method: DescMethod): method is DescMethod & DescMethodServerStreaming {
  return method.methodKind === "server_streaming";
}

/** Waits until nobody listens any more. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
}

/** Makes an error as the gateway tells it. */
function refusal(code: Code, reason: string): ConnectError {
  const details = reason ? [{ desc: ErrorInfoSchema, value: { reason, domain: DOMAIN } }] : [];
  return new ConnectError(reason, code, undefined, details);
}
