/**
 * The id of a transaction, and questions about where it stands, so that callers need not list states.
 *
 * The states themselves, and what each asks of a caller, are told in the contract at `TransactionState`.
 */
import { type Transaction, TransactionState } from "./gen/giftcard/v1/transaction_pb.js";

const { APPROVED, DECLINED, FAILED, CONFIRMING, CONFIRMED, REVERSING, REVERSED, UNRESOLVED } =
  TransactionState;
const FINAL: readonly TransactionState[] = [DECLINED, FAILED, CONFIRMED, REVERSED];
const DECIDED: readonly TransactionState[] = [...FINAL, APPROVED, CONFIRMING, REVERSING, UNRESOLVED];

type Standing = Pick<Transaction, "state">;

/** Makes the id of a new transaction: a version-4 UUID. Keep it before you call. */
export function newTransactionId(): string {
  return crypto.randomUUID();
}

/** Tells whether the provider said yes and now waits for a confirmation or a reversal. */
export function isApproved({ state }: Standing): boolean {
  return state === APPROVED;
}

/** Tells whether the provider said no; `transaction.decline` says why. */
export function isDeclined({ state }: Standing): boolean {
  return state === DECLINED;
}

/** Tells whether it is confirmed, or the gateway has promised to confirm it: the sale is made. */
export function isConfirmed({ state }: Standing): boolean {
  return state === CONFIRMING || state === CONFIRMED;
}

/** Tells whether it is reversed, or the gateway has promised to reverse it: the sale is not made. */
export function isReversed({ state }: Standing): boolean {
  return state === REVERSING || state === REVERSED;
}

/** Tells whether the outcome is not known yet; a state this client does not know counts as such. */
export function isPending({ state }: Standing): boolean {
  return !DECIDED.includes(state);
}

/** Tells whether nothing will change any more: DECLINED, FAILED, CONFIRMED or REVERSED. */
export function isFinal({ state }: Standing): boolean {
  return FINAL.includes(state);
}

/** Tells whether it is UNRESOLVED: an operator must decide; `transaction.evidence` says by what. */
export function needsPerson({ state }: Standing): boolean {
  return state === UNRESOLVED;
}
