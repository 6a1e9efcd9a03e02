/// <reference lib="esnext.disposable" preserve="true" />
/** An approved transaction held open: confirmed when all went well, reversed if not. */
import {
  type DescMessage,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  create,
} from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { transactionIdOf } from "./abouts.js";
import { CallError, Declined, NotApproved } from "./errors.js";
import type {
  ConfirmRedeemRequestSchema,
  GiftCardService,
  ReverseRedeemRequestSchema,
} from "./gen/giftcard/v1/gift_card_service_pb.js";
import { ReversalReason, type Transaction, TransactionSchema } from "./gen/giftcard/v1/transaction_pb.js";
import { isApproved, isConfirmed, isDeclined, isPending } from "./transactions.js";

type Own = "$typeName" | "$unknown" | "transactionId";
type Methods = (typeof GiftCardService)["method"];

/** What a confirmation may say beside the transaction: a smaller `finalAmount`, the `tenders`, a `note`. */
export type FinalFields = Omit<MessageInitShape<typeof ConfirmRedeemRequestSchema>, Own>;
/** What a reversal may say beside the transaction: the part to put back, and why. */
export type ReversalFields = Omit<MessageInitShape<typeof ReverseRedeemRequestSchema>, Own>;

/** The three calls of an operation. */
export interface Operation<Ask extends DescMessage> {
  readonly ask: DescMethodUnary<Ask>;
  readonly confirm: Methods["confirmRedeem"] | DescMethodUnary;
  readonly reverse: Methods["reverseRedeem"] | DescMethodUnary;
}

/** How an operation is held open. */
export interface OpenOptions {
  /** Gives the ask up; what it may have done is reversed. A confirmation or reversal is seen through. */
  readonly signal?: AbortSignal;
  /** The budget of the ask, the confirmation and the reversal each, in ms; else the policy's. */
  readonly timeoutMs?: number;
  /** Metadata of these calls. */
  readonly headers?: HeadersInit;
}

/** What is told of a reversal that failed; the gateway reverses by itself at the transaction's `confirm_by`. */
export type OnReversalFailed = (failure: Error) => void;

/** A request with its transaction id, which is yours to make and keep before you ask. */
export type AskFields<Ask extends DescMessage> = MessageInitShape<Ask> & { readonly transactionId: string };

/** Asks for an operation and holds it open; see `Client`. */
export interface Opening<Ask extends DescMessage> {
  /**
   * Asks, runs the block, and confirms; reverses if the block throws, and throws what it threw. Returns what the
   * block returned. A confirmation that fails throws ConfirmationFailed.
   */
  <Result>(
    request: AskFields<Ask>,
    block: (open: OpenTransaction) => Result | PromiseLike<Result>,
    options?: OpenOptions,
  ): Promise<Result>;
  /**
   * Asks; returns the approved transaction, for `await using`: it is reversed at the end of its scope unless
   * `confirm` was called. Throws Declined, NotApproved or CallError, with nothing taken.
   */
  (request: AskFields<Ask>, options?: OpenOptions): Promise<OpenTransaction>;
}

/** A transaction that the provider approved and that waits to be decided. */
export class OpenTransaction implements AsyncDisposable {
  readonly #calls: Calls;
  #transaction: Transaction;
  #deciding: Promise<Transaction> | undefined;

  /** @internal */
  constructor(calls: Calls, transaction: Transaction) {
    this.#calls = calls;
    this.#transaction = transaction;
  }

  /** The transaction as last heard of. */
  get transaction(): Transaction {
    return this.#transaction;
  }

  /** Whether nothing is left to do at the end of its scope: it is confirmed, or was decided here. */
  get isDecided(): boolean {
    return this.#deciding !== undefined || isConfirmed(this.#transaction);
  }

  /**
   * Confirms: the goods are handed over. Throws ConfirmationFailed, which is no failed payment. Never reversed
   * after this was called. Sends nothing if the transaction was confirmed before.
   */
  async confirm(fields: FinalFields = {}): Promise<Transaction> {
    if (isConfirmed(this.#transaction)) return this.#transaction;
    return await this.#decide(this.#calls.confirm(fields));
  }

  /** Reverses: nothing is taken. Throws CallError; call again until the gateway has promised it. */
  async reverse(fields: ReversalFields = {}): Promise<Transaction> {
    return await this.#decide(this.#calls.reverse({ reason: ReversalReason.CANCELLED, ...fields }));
  }

  /** Reverses unless the transaction is decided. Never throws: what went wrong in the scope matters more. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#deciding) await this.#deciding.catch(() => undefined);
    else if (!isConfirmed(this.#transaction)) await this.#calls.undo(ReversalReason.CANCELLED);
  }

  async #decide(call: Promise<Transaction>): Promise<Transaction> {
    this.#deciding = call;
    return (this.#transaction = await call);
  }
}

/** The calls of one transaction, whichever its operation. */
export class Calls {
  readonly #transport: Transport;
  readonly #operation: Operation<DescMessage>;
  readonly #request: object;
  readonly #options: OpenOptions;
  readonly #onReversalFailed: OnReversalFailed;

  constructor(
    transport: Transport,
    operation: Operation<DescMessage>,
    request: object,
    options: OpenOptions,
    onReversalFailed: OnReversalFailed,
  ) {
    this.#transport = transport;
    this.#operation = operation;
    this.#request = request;
    this.#options = options;
    this.#onReversalFailed = onReversalFailed;
  }

  /** Asks; when the outcome stays open, reverses: nothing is to be taken for what did not go on. */
  async open(): Promise<OpenTransaction> {
    let transaction: Transaction;
    try {
      transaction = await this.#send(this.#operation.ask, this.#request, this.#options.signal);
    } catch (error) {
      const isOpen = !(error instanceof CallError) || error.isOutcomeOpen;
      if (isOpen) await this.undo(ReversalReason.TIMEOUT);
      throw error;
    }
    if (isApproved(transaction) || isConfirmed(transaction)) return new OpenTransaction(this, transaction);
    if (isPending(transaction)) await this.undo(ReversalReason.RESPONSE_NOT_FINAL);
    throw isDeclined(transaction) ? new Declined(transaction) : new NotApproved(transaction);
  }

  async confirm(fields: FinalFields): Promise<Transaction> {
    return await this.#send(this.#operation.confirm, { ...fields, transactionId: this.#transactionId });
  }

  async reverse(fields: ReversalFields): Promise<Transaction> {
    return await this.#send(this.#operation.reverse, { ...fields, transactionId: this.#transactionId });
  }

  /** Reverses because of something that matters more than a reversal that fails too. */
  async undo(reason: ReversalReason): Promise<void> {
    try {
      await this.reverse({ reason });
    } catch (error) {
      this.#onReversalFailed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  get #transactionId(): string {
    return transactionIdOf(this.#request);
  }

  async #send(method: DescMethodUnary, input: object, signal?: AbortSignal): Promise<Transaction> {
    const { timeoutMs, headers } = this.#options;
    const init = input as MessageInitShape<DescMessage>;
    const { message } = await this.#transport.unary(method, signal, timeoutMs, headers, init);
    const { transaction } = message as Message & { readonly transaction?: Transaction };
    // An answer without a transaction tells no outcome, and so does a transaction without a state.
    return transaction ?? create(TransactionSchema, { transactionId: this.#transactionId });
  }
}
