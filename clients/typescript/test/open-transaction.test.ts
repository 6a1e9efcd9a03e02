import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import {
  CallError,
  Client,
  ConfirmationFailed,
  Declined,
  NotApproved,
  card,
  newTransactionId,
  toMoney,
  v1,
} from "@giftcardgateway/client";
import { FakeGateway } from "@giftcardgateway/client/testing";
import { OPERATIONS, openingOf } from "./calls.js";
import { Clock } from "./clock.js";

const { ReversalReason, TransactionState } = v1;

/** A fake gateway, a client of it, a request, and what the client tells of reversals that failed. */
function setUp() {
  const gateway = new FakeGateway();
  const failed: Error[] = [];
  const client = new Client(gateway.transport, {
    policy: { ...new Clock().policy, attempts: 2 },
    onReversalFailed: (failure) => failed.push(failure),
  });
  const transactionId = newTransactionId();
  const request = { transactionId, card: card("6045000000000061"), amount: toMoney("25.00", "ZAR") };
  const state = (): string | undefined => {
    const known = gateway.transactions.get(transactionId)?.state;
    return known === undefined ? undefined : TransactionState[known];
  };
  return { gateway, client, request, state, failed };
}

/** The reason of the last reversal that a gateway saw. */
function reasonOf(gateway: FakeGateway): v1.ReversalReason {
  return (gateway.seen.at(-1) as v1.ReverseRedeemRequest).reason;
}

for (const operation of OPERATIONS) {
  test(`${operation}: a block that ends well is confirmed, and its result is given`, async () => {
    const { gateway, client, state, request } = setUp();
    const { transactionId } = request;
    const result = await openingOf(client, operation)(
      { transactionId },
      ({ transaction }) => transaction.state,
    );
    assert.equal(result, TransactionState.APPROVED);
    assert.equal(state(), "CONFIRMED");
    assert.deepEqual(gateway.calls, [operation, `Confirm${operation}`]);
  });

  test(`${operation}: a block that throws is reversed, and throws what it threw`, async () => {
    const { gateway, client, state, request } = setUp();
    const { transactionId } = request;
    const fault = new Error("no paper");
    const block = (): never => {
      throw fault;
    };
    await assert.rejects(openingOf(client, operation)({ transactionId }, block), (error) => error === fault);
    assert.equal(state(), "REVERSED");
    assert.deepEqual(gateway.calls, [operation, `Reverse${operation}`]);
    assert.equal(reasonOf(gateway), ReversalReason.CANCELLED);
  });
}

test("`await using` reverses at the end of its scope unless it was confirmed", async () => {
  const { client, state, request } = setUp();
  {
    await using open = await client.redemption(request);
    assert.equal(open.transaction.state, TransactionState.APPROVED);
  }
  assert.equal(state(), "REVERSED");
  const other = setUp();
  {
    await using open = await other.client.redemption(other.request);
    await open.confirm({ note: "till 7" });
    assert.ok(open.isDecided);
  }
  assert.equal(other.state(), "CONFIRMED");
  assert.deepEqual(other.gateway.calls, ["Redeem", "ConfirmRedeem"]);
  assert.equal((other.gateway.seen[1] as v1.ConfirmRedeemRequest).note, "till 7");
});

test("`await using` lets out what its scope throws, though the reversal fails too", async () => {
  const { gateway, client, request, failed } = setUp();
  const fault = new Error("no paper");
  gateway.fail("ReverseRedeem", Code.Internal);
  gateway.fail("ReverseRedeem", Code.Internal);
  const sell = async (): Promise<void> => {
    await using open = await client.redemption(request);
    assert.ok(!open.isDecided);
    throw fault;
  };
  await assert.rejects(sell(), (error) => error === fault);
  assert.equal(failed.length, 1);
  assert.ok(failed[0] instanceof CallError && failed[0].call === "ReverseRedeem");
});

test("A confirmation that fails is never followed by a reversal", async () => {
  const { gateway, client, request } = setUp();
  gateway.fail("ConfirmRedeem", Code.DeadlineExceeded);
  gateway.fail("ConfirmRedeem", Code.DeadlineExceeded);
  await assert.rejects(
    client.redemption(request, () => "goods"),
    ConfirmationFailed,
  );
  assert.deepEqual(gateway.calls, ["Redeem", "ConfirmRedeem", "ConfirmRedeem"]);
});

test("A scope that ends while the confirmation is under way waits for it", async () => {
  const { client, state, request, gateway } = setUp();
  let confirming: Promise<unknown>;
  {
    await using open = await client.redemption(request);
    confirming = open.confirm();
  }
  assert.equal(state(), "CONFIRMED");
  await confirming;
  assert.deepEqual(gateway.calls, ["Redeem", "ConfirmRedeem"]);
});

test("A block may decide itself; nothing is sent after that", async () => {
  const { client, state, request, gateway } = setUp();
  await client.redemption(request, async (open) => {
    await open.reverse();
  });
  assert.equal(state(), "REVERSED");
  assert.deepEqual(gateway.calls, ["Redeem", "ReverseRedeem"]);
});

test("A declined card throws Declined, and there is nothing to reverse", async () => {
  const { client, request, gateway } = setUp();
  gateway.decline(v1.DeclineReason.FUNDS_INSUFFICIENT);
  await assert.rejects(client.redemption(request, neverRun), (error) => {
    assert.ok(error instanceof Declined);
    assert.equal(error.reason, v1.DeclineReason.FUNDS_INSUFFICIENT);
    assert.equal(error.message, `Transaction ${request.transactionId} was declined: FUNDS_INSUFFICIENT.`);
    assert.match(error.nextStep, /^Ask for another card/);
    return true;
  });
  assert.deepEqual(gateway.calls, ["Redeem"]);
});

test("An ask that stays lost is reversed, and thrown", async () => {
  const { client, request, gateway, state } = setUp();
  gateway.lose("Redeem");
  gateway.fail("GetTransaction", Code.Unavailable);
  await assert.rejects(client.redemption(request, neverRun), { kind: "NoAnswer" });
  assert.equal(state(), "REVERSED");
  assert.equal(reasonOf(gateway), ReversalReason.TIMEOUT);
});

test("An ask that is refused is not reversed", async () => {
  const { client, request, gateway } = setUp();
  gateway.fail("Redeem", Code.InvalidArgument, "FIELD_INVALID");
  await assert.rejects(client.redemption(request, neverRun), { kind: "InvalidRequest" });
  assert.deepEqual(gateway.calls, ["Redeem"]);
});

test("An ask that is given up is reversed all the same, without its signal", async () => {
  const { client, request, gateway, state } = setUp();
  const controller = new AbortController();
  const opening = client.redemption(request, neverRun, { signal: controller.signal });
  controller.abort();
  await assert.rejects(opening, CallError);
  assert.ok(state() === undefined || state() === "REVERSED");
  assert.ok(!gateway.calls.includes("ConfirmRedeem"));
});

test("A pending answer, a state nobody knows and an answer without a transaction are reversed", async () => {
  const { PENDING } = TransactionState;
  for (const answer of [{ transaction: { state: PENDING } }, { transaction: { state: 99 } }, {}]) {
    const { client, request, gateway, state } = setUp();
    gateway.answer("Redeem", answer);
    await assert.rejects(
      client.redemption(request, neverRun),
      (error) => error instanceof NotApproved && !(error instanceof Declined),
    );
    assert.equal(state(), "REVERSED");
    assert.equal(reasonOf(gateway), ReversalReason.RESPONSE_NOT_FINAL);
  }
});

test("What was confirmed before runs again, sends nothing at its end, and is not reversed if it throws", async () => {
  const { client, request, gateway } = setUp();
  await client.redemption(request, () => undefined);
  await client.redemption(request, ({ isDecided }) => {
    assert.ok(isDecided);
  });
  await assert.rejects(
    client.redemption(request, () => {
      throw new Error("no paper");
    }),
    /no paper/,
  );
  assert.deepEqual(gateway.calls, ["Redeem", "ConfirmRedeem", "Redeem", "Redeem"]);
});

test("What was reversed before throws, and its block does not run", async () => {
  const { client, request, gateway } = setUp();
  gateway.answer("Redeem", { transaction: { state: TransactionState.REVERSED } });
  await assert.rejects(client.redemption(request, neverRun), NotApproved);
  assert.deepEqual(gateway.calls, ["Redeem"]);
});

function neverRun(): never {
  throw new Error("There are no goods for this.");
}
