/** The client of the gift card gateway, without a transport of its own: see `./node.js` and `./web.js`. */
export { type About, type CallPhase, SERVICES } from "./abouts.js";
export { card, type CardExtras } from "./cards.js";
export { Client, type ClientOptions } from "./client.js";
export {
  CallError,
  ConfirmationFailed,
  Declined,
  type ErrorKind,
  GiftcardError,
  NotApproved,
  type Violation,
  readError,
} from "./errors.js";
export { type Money, MoneySchema } from "./gen/google/type/money_pb.js";
export * as v1 from "./gen/v1.js";
export { decimalsOf, minorToMoney, moneyToMinor, moneyToText, toMoney } from "./money.js";
export type {
  AskFields,
  FinalFields,
  OnReversalFailed,
  OpenOptions,
  OpenTransaction,
  Opening,
  ReversalFields,
} from "./open-transaction.js";
export { protect, redact, registry, toJson } from "./redact.js";
export { type RepeatPolicy, type Verdict, decide } from "./repeats.js";
export { type FollowOptions, pages } from "./streams.js";
export {
  isApproved,
  isConfirmed,
  isDeclined,
  isFinal,
  isPending,
  isReversed,
  needsPerson,
  newTransactionId,
} from "./transactions.js";
export { GatewayTransport, type TransportOptions } from "./transport.js";
