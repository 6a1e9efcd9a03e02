/** Making calls and holding operations by their names in the contract. */
import type { DescMethod, DescMethodUnary } from "@bufbuild/protobuf";
import {
  type Client,
  type OpenOptions,
  type OpenTransaction,
  type Opening,
  SERVICES,
} from "@giftcardgateway/client";

type Stub = Record<string, (request: object) => Promise<unknown>>;

/** Makes a unary call about a transaction, and about nothing else. */
export function makeCall(client: Client, call: string, transactionId: string): Promise<unknown> {
  const method = SERVICES.flatMap((service) => service.methods).find(
    (each): each is DescMethod & DescMethodUnary => each.name === call && each.methodKind === "unary",
  );
  if (!method) throw new Error(`The contract has no unary call ${call}.`);
  const stubs = [
    client.giftCards,
    client.transactions,
    client.storedCards,
    client.catalog,
    client.providers,
    client.reports,
    client.events,
  ] as unknown as Stub[];
  const make = stubs.find((stub) => method.localName in stub)?.[method.localName];
  if (!make) throw new Error(`No stub has ${method.localName}.`);
  const hasId = method.input.fields.some((field) => field.localName === "transactionId");
  return make(hasId ? { transactionId } : {});
}

/** Holds an operation open, whichever it is. */
export type AnyOpening = <Result>(
  request: object,
  block: (open: OpenTransaction) => Result | PromiseLike<Result>,
  options?: OpenOptions,
) => Promise<Result>;

/** Returns what holds an operation open, by the operation's name. */
export function openingOf(client: Client, operation: string): AnyOpening {
  const openings: Record<string, Opening<never>> = {
    Issue: client.issuance,
    Activate: client.activation,
    Load: client.loading,
    Redeem: client.redemption,
    Transfer: client.transferring,
    Replace: client.replacement,
    Void: client.voiding,
  };
  const opening = openings[operation];
  if (!opening) throw new Error(`There is no operation ${operation}.`);
  return opening as unknown as AnyOpening;
}

/** The names of all operations. */
export const OPERATIONS = ["Issue", "Activate", "Load", "Redeem", "Transfer", "Replace", "Void"];
