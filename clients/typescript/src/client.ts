/** The gateway: its services, and operations held open. */
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Client as Stub, type Transport, createClient } from "@connectrpc/connect";
import { CatalogService } from "./gen/giftcard/v1/catalog_service_pb.js";
import { EventService } from "./gen/giftcard/v1/event_service_pb.js";
import { GiftCardService } from "./gen/giftcard/v1/gift_card_service_pb.js";
import { ProviderService } from "./gen/giftcard/v1/provider_service_pb.js";
import { ReportService } from "./gen/giftcard/v1/report_service_pb.js";
import { StoredCardService } from "./gen/giftcard/v1/stored_card_service_pb.js";
import { TransactionService } from "./gen/giftcard/v1/transaction_service_pb.js";
import {
  type AskFields,
  Calls,
  type OnReversalFailed,
  type OpenOptions,
  type OpenTransaction,
  type Opening,
  type Operation,
} from "./open-transaction.js";
import { type FollowOptions, follow } from "./streams.js";
import { GatewayTransport, type TransportOptions } from "./transport.js";

/** How a client calls. */
export interface ClientOptions extends TransportOptions {
  /** Told of reversals that failed where something else is thrown; else they go to `console.warn`. */
  readonly onReversalFailed?: OnReversalFailed;
}

const money = GiftCardService.method;
const watching = TransactionService.method.watchTransactions;
const telling = EventService.method.streamEvents;

/**
 * The gateway, over any Connect transport; `connect` of the entry points `node` and `web` makes one.
 *
 * `giftCards`, `transactions` and so on are the stubs of its services: every call of the contract under its own
 * name. They throw GiftcardError, have deadlines, and are repeated where that is safe.
 *
 * `issuance`, `activation`, `loading`, `redemption`, `transferring`, `replacement` and `voiding` hold an operation
 * open until it is confirmed or reversed.
 */
export class Client implements AsyncDisposable {
  readonly catalog: Stub<typeof CatalogService>;
  readonly events: Stub<typeof EventService>;
  readonly giftCards: Stub<typeof GiftCardService>;
  readonly providers: Stub<typeof ProviderService>;
  readonly reports: Stub<typeof ReportService>;
  readonly storedCards: Stub<typeof StoredCardService>;
  readonly transactions: Stub<typeof TransactionService>;

  /** Makes new cards. */
  readonly issuance = this.#opening({
    ask: money.issue,
    confirm: money.confirmIssue,
    reverse: money.reverseIssue,
  });
  /** Makes a card live. */
  readonly activation = this.#opening({
    ask: money.activate,
    confirm: money.confirmActivate,
    reverse: money.reverseActivate,
  });
  /** Adds funds to a card. */
  readonly loading = this.#opening({
    ask: money.load,
    confirm: money.confirmLoad,
    reverse: money.reverseLoad,
  });
  /** Takes money from a card. */
  readonly redemption = this.#opening({
    ask: money.redeem,
    confirm: money.confirmRedeem,
    reverse: money.reverseRedeem,
  });
  /** Moves funds from one card to another. */
  readonly transferring = this.#opening({
    ask: money.transfer,
    confirm: money.confirmTransfer,
    reverse: money.reverseTransfer,
  });
  /** Moves everything to a new card and voids the old. */
  readonly replacement = this.#opening({
    ask: money.replace,
    confirm: money.confirmReplace,
    reverse: money.reverseReplace,
  });
  /** Ends an active card. */
  readonly voiding = this.#opening({
    ask: money.void,
    confirm: money.confirmVoid,
    reverse: money.reverseVoid,
  });

  readonly #transport: GatewayTransport;
  readonly #onReversalFailed: OnReversalFailed;

  /** Takes any Connect transport; closing the client does not close it. */
  constructor(transport: Transport, options: ClientOptions = {}) {
    this.#transport = new GatewayTransport(transport, options);
    this.#onReversalFailed = options.onReversalFailed ?? warn;
    this.catalog = createClient(CatalogService, this.#transport);
    this.events = createClient(EventService, this.#transport);
    this.giftCards = createClient(GiftCardService, this.#transport);
    this.providers = createClient(ProviderService, this.#transport);
    this.reports = createClient(ReportService, this.#transport);
    this.storedCards = createClient(StoredCardService, this.#transport);
    this.transactions = createClient(TransactionService, this.#transport);
  }

  /**
   * Gives what happens to transactions, and goes on by itself after a break, from the last cursor. Leave the loop, or
   * abort the signal, to end it.
   */
  watch(
    request: MessageInitShape<typeof watching.input> = {},
    options: FollowOptions = {},
  ): AsyncGenerator<MessageShape<typeof watching.output>, void, undefined> {
    return follow(watching, this.transactions.watchTransactions, this.#transport.policy, request, options);
  }

  /** Gives what providers report, and goes on by itself after a break, as `watch` does. */
  watchEvents(
    request: MessageInitShape<typeof telling.input> = {},
    options: FollowOptions = {},
  ): AsyncGenerator<MessageShape<typeof telling.output>, void, undefined> {
    return follow(telling, this.events.streamEvents, this.#transport.policy, request, options);
  }

  /** Refuses every further call. */
  close(): void {
    this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** Makes the two ways of holding an operation open. */
  #opening<Ask extends DescMessage>(operation: Operation<Ask>): Opening<Ask> {
    const open = async (
      request: AskFields<Ask>,
      blockOrOptions?: Block | OpenOptions,
      options?: OpenOptions,
    ): Promise<unknown> => {
      const block = typeof blockOrOptions === "function" ? blockOrOptions : undefined;
      const chosen = (block ? options : (blockOrOptions as OpenOptions | undefined)) ?? {};
      const calls = new Calls(this.#transport, operation, request, chosen, this.#onReversalFailed);
      const held = await calls.open();
      return block ? await run(held, block) : held;
    };
    return open as Opening<Ask>;
  }
}

type Block = (open: OpenTransaction) => unknown;

/** Runs a block; confirms at its end unless it has decided itself, reverses if it throws. */
async function run(held: OpenTransaction, block: Block): Promise<unknown> {
  let result: unknown;
  try {
    result = await block(held);
  } catch (error) {
    await held[Symbol.asyncDispose]();
    throw error;
  }
  if (held.isDecided) await held[Symbol.asyncDispose]();
  else await held.confirm();
  return result;
}

function warn(failure: Error): void {
  console.warn(`A transaction could not be reversed: ${failure.message}`);
}
