/** What a call is about: its name, its transaction, and which part of a transaction's life it belongs to. */
import type { DescService, Message } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { CatalogService } from "./gen/giftcard/v1/catalog_service_pb.js";
import { EventService } from "./gen/giftcard/v1/event_service_pb.js";
import { GiftCardService } from "./gen/giftcard/v1/gift_card_service_pb.js";
import { ProviderService } from "./gen/giftcard/v1/provider_service_pb.js";
import { ReportService } from "./gen/giftcard/v1/report_service_pb.js";
import { StoredCardService } from "./gen/giftcard/v1/stored_card_service_pb.js";
import { TransactionService } from "./gen/giftcard/v1/transaction_service_pb.js";

/** All services of the contract. */
export const SERVICES: readonly DescService[] = [
  CatalogService,
  EventService,
  GiftCardService,
  ProviderService,
  ReportService,
  StoredCardService,
  TransactionService,
];

/**
 * Which part of a transaction's life a call belongs to: `asked` for a money operation, `confirming` where the
 * goods may be gone, `reversing`, `reading`, `changing` for a change that is no money operation, and `unknown`
 * where nobody said which call it was.
 */
export type CallPhase = "asked" | "confirming" | "reversing" | "reading" | "changing" | "unknown";

/** What a call is about. */
export interface About {
  /** The call's name in the contract, such as `Redeem`. */
  readonly call: string;
  /** The transaction, or empty. */
  readonly transactionId: string;
  /** Which part of a transaction's life the call belongs to. */
  readonly phase: CallPhase;
}

const PHASES = sortCalls();

/** Tells what a call is about; one the contract does not know has the phase `unknown`. */
export function aboutOf(call: string, transactionId = ""): About {
  return { call, transactionId, phase: PHASES.get(call) ?? "unknown" };
}

/** Tells what a call is about by its request, which is named after it. */
export function aboutRequest(request: Message): About {
  const name = request.$typeName.split(".").at(-1) ?? "";
  return aboutOf(name.replace(/Request$/, ""), transactionIdOf(request));
}

/** Returns the transaction id of a request, or nothing where it has none. */
export function transactionIdOf(request: object): string {
  return "transactionId" in request && typeof request.transactionId === "string" ? request.transactionId : "";
}

/** Sorts the calls of the contract by their phase: an operation is what can be confirmed. */
function sortCalls(): Map<string, CallPhase> {
  const methods = SERVICES.flatMap((service) => service.methods);
  const phases = new Map<string, CallPhase>(
    methods.map((method) => [
      method.name,
      method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS ? "reading" : "changing",
    ]),
  );
  for (const operation of [...phases.keys()].filter((name) => phases.has(`Confirm${name}`))) {
    phases
      .set(operation, "asked")
      .set(`Confirm${operation}`, "confirming")
      .set(`Reverse${operation}`, "reversing");
  }
  return phases;
}
