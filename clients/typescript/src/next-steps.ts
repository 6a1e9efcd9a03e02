/** What to do after an error, in a sentence: read off what was asked and what came of it. */
import type { CallPhase } from "./abouts.js";
import { TransactionState } from "./gen/giftcard/v1/transaction_pb.js";

export const REPEAT_CONFIRMATION =
  "This is no failed payment, and the goods may be gone: repeat the confirmation with the same transaction" +
  " id until the gateway has promised it, before the transaction's `confirm_by`.";
export const READ_AFTER_CONFIRMATION =
  "This is no failed payment, and the goods may be gone: read the transaction. If it is reversed, take the" +
  " goods back or ask for the money again, under a new transaction id.";

const MAY_HAVE_HAPPENED = "It may have happened: read how things stand before you repeat it.";
const CONFIRMED = "Nothing: the sale is made. Do not hand over the goods again.";
const REVERSED = "Nothing: no money is taken. A new attempt needs a new transaction id.";
const PENDING = "Do not hand over the goods: read the transaction later, or reverse it.";

/** What to do after a refusal, which changed nothing, by the kind of the error. */
export const AFTER_REFUSAL = {
  InvalidRequest: "Correct the fields named in `violations`; nothing was changed.",
  Unauthenticated: "Sign in again, then repeat the same call; nothing was changed.",
  PermissionDenied: "Have the scope named in `metadata` granted; nothing was changed.",
  NotFound: "Look at the id and at who may see it; `reason` says what is not there.",
  Conflict: "Read the transaction: its state says what was decided. A new operation needs a new id.",
  Unsupported: "Do without it: ListProviders tells what each provider does.",
} as const;

const AFTER_OPEN: Record<CallPhase, string> = {
  asked: "It may have happened: ask again with the same transaction id, read the transaction, or reverse it.",
  confirming: REPEAT_CONFIRMATION,
  reversing: "Reverse again with the same transaction id, until the gateway has promised it.",
  reading: "Read again: a read changes nothing.",
  changing: MAY_HAVE_HAPPENED,
  unknown: MAY_HAVE_HAPPENED,
};

const AFTER_STATE: Partial<Record<TransactionState, string>> = {
  [TransactionState.APPROVED]: "Confirm it or reverse it, before its `confirm_by`.",
  [TransactionState.DECLINED]: "Ask for another card or amount, under a new transaction id; no money moved.",
  [TransactionState.FAILED]: REVERSED,
  [TransactionState.CONFIRMING]: CONFIRMED,
  [TransactionState.CONFIRMED]: CONFIRMED,
  [TransactionState.REVERSING]: REVERSED,
  [TransactionState.REVERSED]: REVERSED,
  [TransactionState.UNRESOLVED]: "Wait for an operator, who has to decide it; do not hand over the goods.",
};

/** Says what to do when a call may have had its effect. */
export function afterOpen(phase: CallPhase): string {
  return AFTER_OPEN[phase];
}

/** Says what to do when nothing was done, and may be done later. */
export function afterUnavailable(phase: CallPhase): string {
  if (phase === "confirming") return REPEAT_CONFIRMATION;
  return phase === "asked" || phase === "reversing"
    ? "Repeat it later with the same transaction id; nothing was done."
    : "Repeat it later; nothing was done.";
}

/** Says what to do when nothing was sent: `cause` is why, where something failed. */
export const AFTER_NOT_SENT = "Mend what the error names, then repeat: nothing was sent.";

/** Says what to do with a transaction in a state. */
export function afterState(state: TransactionState): string {
  return AFTER_STATE[state] ?? PENDING;
}
