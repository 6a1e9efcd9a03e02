import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  CallError,
  Client,
  ConfirmationFailed,
  NotApproved,
  decide,
  newTransactionId,
  readError,
} from "@giftcardgateway/client";
import { connect } from "@giftcardgateway/client/node";
import { FakeGateway } from "@giftcardgateway/client/testing";
import { makeCall } from "./calls.js";
import { Clock } from "./clock.js";
import { RawGateway, status } from "./raw-gateway.js";
import { eachCase } from "./vectors.js";

interface ErrorCase {
  readonly name: string;
  readonly call: string;
  readonly transaction_id: string;
  readonly code: number;
  readonly message: string;
  readonly details: string;
  readonly expect: {
    readonly kind: string;
    readonly code: string;
    readonly reason: string;
    readonly metadata: Record<string, string>;
    readonly violations: readonly { readonly field: string; readonly description: string }[];
    readonly retry_after_ms: number | null;
    readonly request_id: string;
    readonly is_outcome_open: boolean;
    readonly next_step: string;
  };
  readonly never_printed: readonly string[];
}

eachCase<ErrorCase>("errors", async (one) => {
  await using gateway = await RawGateway.start(status(one.code, one.message, one.details || undefined));
  await using client = connect(gateway.target, { plaintext: true, policy: { attempts: 1 } });
  const error = await failureOf(makeCall(client, one.call, one.transaction_id));
  const { expect } = one;
  assert.equal(error.kind, expect.kind);
  assert.equal(error.code, expect.code);
  assert.equal(error.reason, expect.reason);
  assert.deepEqual(error.metadata, expect.metadata);
  assert.deepEqual(error.violations, expect.violations);
  assert.equal(error.retryAfterMs ?? null, expect.retry_after_ms);
  assert.equal(error.requestId, expect.request_id);
  assert.equal(error.isOutcomeOpen, expect.is_outcome_open);
  assert.equal(error.nextStep, expect.next_step);
  assert.equal(error.call, one.call);
  assert.equal(error.transactionId, one.transaction_id);
  for (const secret of one.never_printed) {
    for (const text of [String(error), error.stack ?? "", inspect(error), JSON.stringify(error)]) {
      assert.ok(!text.includes(secret), "An error shows what it must not.");
    }
  }
});

interface DecisionCase {
  readonly name: string;
  readonly call: string;
  readonly code: Code;
  readonly reason: string;
  readonly is_last: boolean;
  readonly was_open: boolean;
  readonly do: string;
}

eachCase<DecisionCase>("decisions", async (one) => {
  const gateway = new FakeGateway();
  gateway.fail(one.call, one.code, one.reason);
  const client = new Client(gateway.transport, { policy: { ...new Clock().policy, attempts: 1 } });
  const error = await failureOf(makeCall(client, one.call, newTransactionId()));
  error.isOutcomeOpen ||= one.was_open;
  assert.equal(decide(error, one.is_last), one.do);
});

test("What Connect says by itself of a broken connection is no refusal of the gateway's", () => {
  for (const code of [Code.Aborted, Code.InvalidArgument, Code.PermissionDenied, Code.Unimplemented]) {
    const broken = readError(new ConnectError("socket hang up", code));
    assert.equal(broken.kind, "Unavailable");
    assert.ok(broken.isOutcomeOpen);
    const refused = readError(new ConnectError("no", code, { "grpc-status": String(code) }));
    assert.notEqual(refused.kind, "Unavailable");
    assert.ok(!refused.isOutcomeOpen);
  }
});

test("An error that is read with its request says what it is about", () => {
  const request = { $typeName: "giftcard.v1.ConfirmLoadRequest", transactionId: "t" };
  const error = readError(new ConnectError("late", Code.DeadlineExceeded), request);
  assert.deepEqual([error.call, error.transactionId, error.phase], ["ConfirmLoad", "t", "confirming"]);
  assert.equal(error.message, "ConfirmLoad t: DEADLINE_EXCEEDED - late");
});

test("A lost confirmation is its own error, and no failed payment", async () => {
  const gateway = new FakeGateway();
  const client = new Client(gateway.transport, { policy: { ...new Clock().policy, attempts: 2 } });
  gateway.fail("ConfirmRedeem", Code.Internal);
  gateway.fail("ConfirmRedeem", Code.Internal);
  await assert.rejects(client.giftCards.confirmRedeem({ transactionId: "t" }), (error) => {
    assert.ok(error instanceof ConfirmationFailed && !(error instanceof NotApproved));
    assert.equal(error.code, "INTERNAL");
    assert.ok(error.isOutcomeOpen);
    assert.match(error.nextStep, /^This is no failed payment/);
    assert.match(JSON.stringify(error), /"failure":.*"kind":"NoAnswer"/);
    return true;
  });
});

/** Waits for a call to fail; gives the CallError that ended it. */
async function failureOf(call: Promise<unknown>): Promise<CallError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ConfirmationFailed) return error.failure;
    if (error instanceof CallError) return error;
    throw error;
  }
  throw new Error("The call did not fail.");
}
