import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isApproved,
  isConfirmed,
  isDeclined,
  isFinal,
  isPending,
  isReversed,
  needsPerson,
  newTransactionId,
  type v1,
} from "@giftcardgateway/client";
import { eachCase } from "./vectors.js";

interface StateCase {
  readonly name: string;
  readonly state: v1.TransactionState;
}

eachCase<StateCase>("states", ({ name, state, ...expected }) => {
  const standing = { state };
  const told = {
    is_approved: isApproved(standing),
    is_declined: isDeclined(standing),
    is_confirmed: isConfirmed(standing),
    is_reversed: isReversed(standing),
    is_pending: isPending(standing),
    is_final: isFinal(standing),
    needs_person: needsPerson(standing),
  };
  assert.deepEqual(told, expected, name);
});

test("A transaction id is a version-4 UUID, and a new one each time", () => {
  assert.match(newTransactionId(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(newTransactionId(), newTransactionId());
});
