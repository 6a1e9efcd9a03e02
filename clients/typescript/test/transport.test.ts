import assert from "node:assert/strict";
import { test } from "node:test";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Transport, createRouterTransport } from "@connectrpc/connect";
import {
  CallError,
  Client,
  ConfirmationFailed,
  isApproved,
  newTransactionId,
  registry,
  v1,
} from "@giftcardgateway/client";
import { FakeGateway } from "@giftcardgateway/client/testing";
import { Clock } from "./clock.js";

const transactionId = newTransactionId();

/** A fake gateway, and a client of it that waits by a clock of its own. */
function setUp(policy = {}): { gateway: FakeGateway; client: Client; clock: Clock } {
  const gateway = new FakeGateway();
  const clock = new Clock();
  const client = new Client(gateway.transport, { policy: { ...clock.policy, ...policy } });
  return { gateway, client, clock };
}

test("An ask is repeated with the same id while the gateway cannot serve, with growing pauses", async () => {
  const { gateway, client, clock } = setUp();
  gateway.fail("Redeem", Code.Unavailable, "OVERLOADED");
  gateway.fail("Redeem", Code.ResourceExhausted, "RATE_LIMITED");
  gateway.fail("Redeem", Code.Unavailable);
  const { transaction } = await client.giftCards.redeem({ transactionId });
  assert.ok(transaction && isApproved(transaction));
  assert.deepEqual(gateway.calls, ["Redeem", "Redeem", "Redeem", "Redeem"]);
  assert.ok(gateway.seen.every((request) => (request as v1.RedeemRequest).transactionId === transactionId));
  assert.deepEqual(clock.pauses, [100, 200, 400]);
});

test("A pause is never below what the gateway asks for", async () => {
  const clock = new Clock();
  let calls = 0;
  const transport = createRouterTransport((router) => {
    router.rpc(v1.GiftCardService.method.redeem, () => {
      calls += 1;
      if (calls > 1) return { transaction: { transactionId, state: v1.TransactionState.APPROVED } };
      const desc = registry.getMessage("google.rpc.RetryInfo");
      assert.ok(desc);
      const value = { retryDelay: durationFromMs(3000) } as Record<string, unknown>;
      throw new ConnectError("later", Code.Unavailable, undefined, [{ desc, value }]);
    });
  });
  const client = new Client(transport, { policy: { ...clock.policy, random: () => 0 } });
  await client.giftCards.redeem({ transactionId });
  assert.deepEqual(clock.pauses, [3000]);
});

test("An ask that is refused is not repeated", async () => {
  for (const [code, kind] of [
    [Code.InvalidArgument, "InvalidRequest"],
    [Code.AlreadyExists, "Conflict"],
  ] as const) {
    const { gateway, client } = setUp();
    gateway.fail("Redeem", code);
    await assert.rejects(client.giftCards.redeem({ transactionId }), { kind, isOutcomeOpen: false });
    assert.deepEqual(gateway.calls, ["Redeem"]);
  }
});

test("A lost ask is looked up, waiting for its outcome as long as time allows", async () => {
  const { gateway, client } = setUp({ deadlineMs: 10_000 });
  gateway.lose("Redeem");
  const { transaction } = await client.giftCards.redeem({ transactionId });
  assert.ok(transaction && isApproved(transaction));
  assert.deepEqual(gateway.calls, ["Redeem", "GetTransaction"]);
  assert.equal((gateway.seen[1] as v1.GetTransactionRequest).wait?.seconds, 9n);
});

test("Exhausted, as nobody knows who says, may be an answer that was too large: it is looked up", async () => {
  const { gateway, client } = setUp();
  gateway.fail("Redeem", Code.ResourceExhausted);
  await assert.rejects(client.giftCards.redeem({ transactionId }), {
    kind: "Throttled",
    isOutcomeOpen: true,
  });
  assert.deepEqual(gateway.calls, ["Redeem", "GetTransaction"]);
});

test("A lost ask that cannot be looked up is thrown as it was lost, with an open outcome", async () => {
  const { gateway, client } = setUp();
  gateway.fail("Redeem", Code.DeadlineExceeded);
  await assert.rejects(client.giftCards.redeem({ transactionId }), {
    kind: "NoAnswer",
    code: "DEADLINE_EXCEEDED",
    isOutcomeOpen: true,
  });
  assert.deepEqual(gateway.calls, ["Redeem", "GetTransaction"]);
});

test("What one attempt left open stays open when the last one was surely not sent", async () => {
  const { gateway, client } = setUp({ attempts: 2 });
  gateway.fail("Redeem", Code.Unavailable);
  gateway.fail("Redeem", Code.Unavailable, "OVERLOADED");
  gateway.fail("GetTransaction", Code.Unavailable);
  await assert.rejects(client.giftCards.redeem({ transactionId }), {
    reason: "OVERLOADED",
    isOutcomeOpen: true,
  });
  assert.deepEqual(gateway.calls, ["Redeem", "Redeem", "GetTransaction"]);
});

test("Issued cards are masked when looked up, so the same request is sent again", async () => {
  const { gateway, client } = setUp();
  const transaction = { transactionId, state: v1.TransactionState.APPROVED };
  gateway.lose("Issue");
  gateway.answer("GetTransaction", {
    transaction: { ...transaction, issuedCards: [{ maskedCard: "****0061" }] },
  });
  gateway.answer("Issue", { transaction: { ...transaction, issuedCards: [{ number: "6045000000000061" }] } });
  // Told after `lose`, so the first call meets that.
  const answer = await client.giftCards.issue({ transactionId });
  assert.equal(answer.transaction?.issuedCards[0]?.number, "6045000000000061");
  assert.deepEqual(gateway.calls, ["Issue", "GetTransaction", "Issue"]);
});

test("Confirmations and reversals are repeated after every lost answer, and not after a refusal", async () => {
  const { gateway, client } = setUp();
  await client.giftCards.redeem({ transactionId });
  gateway.lose("ConfirmRedeem");
  gateway.fail("ConfirmRedeem", Code.Internal);
  await client.giftCards.confirmRedeem({ transactionId });
  await assert.rejects(client.giftCards.reverseRedeem({ transactionId }), { kind: "Conflict" });
  assert.deepEqual(gateway.calls, [
    "Redeem",
    "ConfirmRedeem",
    "ConfirmRedeem",
    "ConfirmRedeem",
    "ReverseRedeem",
  ]);
});

test("No repeat begins after the deadline", async () => {
  const { gateway, client, clock } = setUp({ deadlineMs: 1000, attempts: 100 });
  for (let count = 0; count < 100; count++) gateway.fail("ReverseRedeem", Code.Internal);
  await assert.rejects(client.giftCards.reverseRedeem({ transactionId }), { code: "INTERNAL" });
  assert.ok(clock.ms < 1000);
  assert.deepEqual(clock.pauses, [100, 200, 400]);
});

test("A read is repeated as the contract's service config says, a change without an id never", async () => {
  const { gateway, client, clock } = setUp();
  for (let count = 0; count < 3; count++) gateway.fail("Balance", Code.Unavailable);
  gateway.fail("StoreCard", Code.Unavailable);
  await assert.rejects(client.giftCards.balance({}), { code: "UNAVAILABLE" });
  await assert.rejects(client.storedCards.storeCard({}), { code: "UNAVAILABLE" });
  assert.deepEqual(gateway.calls, ["Balance", "Balance", "Balance", "StoreCard"]);
  assert.deepEqual(clock.pauses, [200, 400]);
});

test("The deadline of every call is sent: the policy's, the service config's, or one's own", async () => {
  const seen: (number | undefined)[] = [];
  const gateway = new FakeGateway();
  const spy: Transport = {
    unary: (method, signal, timeoutMs, ...rest) => {
      seen.push(timeoutMs);
      return gateway.transport.unary(method, signal, timeoutMs, ...rest);
    },
    stream: gateway.transport.stream.bind(gateway.transport),
  };
  const client = new Client(spy, { policy: new Clock().policy });
  await client.giftCards.redeem({ transactionId });
  await client.giftCards.confirmRedeem({ transactionId });
  await client.giftCards.balance({});
  await client.transactions.getTransaction({ transactionId }, { timeoutMs: 1234 });
  // To Connect 0 would be no deadline.
  await client.transactions.getTransaction({ transactionId }, { timeoutMs: 0 }).catch(() => undefined);
  assert.deepEqual(seen.slice(0, 5), [30_000, 40_000, 10_000, 1234, 1]);
});

test("Token and metadata are asked for before every attempt, and may be async", async () => {
  const shown: (string | null)[] = [];
  let asked = 0;
  const transport = createRouterTransport((router) => {
    router.rpc(v1.GiftCardService.method.redeem, (_request, { requestHeader }) => {
      shown.push(requestHeader.get("authorization"), requestHeader.get("giftcard-end-user"));
      if (shown.length < 4) throw new ConnectError("busy", Code.Unavailable);
      return {};
    });
  });
  const client = new Client(transport, {
    token: () => Promise.resolve(`token-${++asked}`),
    metadata: { "giftcard-end-user": "7" },
    policy: new Clock().policy,
  });
  await client.giftCards.redeem({ transactionId });
  assert.deepEqual(shown, ["Bearer token-1", "7", "Bearer token-2", "7"]);
});

test("If what gives the token fails nothing is sent, and the error has it as its cause and not in its text", async () => {
  const cause = new Error("secret-refresh-token was refused");
  const gateway = new FakeGateway();
  const client = new Client(gateway.transport, { token: () => Promise.reject(cause) });
  await assert.rejects(client.giftCards.redeem({ transactionId }), (error) => {
    assert.ok(error instanceof CallError);
    assert.deepEqual([error.kind, error.isOutcomeOpen, error.cause], ["NotSent", false, cause]);
    assert.ok(!error.message.includes("secret"));
    return true;
  });
  assert.deepEqual(gateway.calls, []);
});

test("What gives the token has the call's time and no more", async () => {
  const gateway = new FakeGateway();
  const client = new Client(gateway.transport, { token: () => new Promise<string>(() => undefined) });
  await assert.rejects(client.storedCards.storeCard({}, { timeoutMs: 5 }), { kind: "NotSent" });
});

test("A request that cannot be encoded is not sent; a confirmation says so as one that failed", async () => {
  const { gateway, client } = setUp();
  const amount = { units: "much" as unknown as bigint };
  await assert.rejects(client.giftCards.redeem({ transactionId, amount }), { kind: "NotSent" });
  await assert.rejects(
    client.giftCards.confirmRedeem({ transactionId, finalAmount: amount }),
    (error) => error instanceof ConfirmationFailed && error.failure.kind === "NotSent",
  );
  assert.deepEqual(gateway.calls, []);
});

test("A client that is closed sends nothing", async () => {
  const { gateway, client } = setUp();
  client.close();
  await assert.rejects(client.giftCards.redeem({ transactionId }), { kind: "NotSent", isOutcomeOpen: false });
  assert.deepEqual(gateway.calls, []);
});

test("A call that is given up ends at once, and is neither repeated nor looked up", async () => {
  const { gateway, client } = setUp();
  const controller = new AbortController();
  const transport: Transport = {
    unary: (...call) => {
      controller.abort();
      return gateway.transport.unary(...call);
    },
    stream: gateway.transport.stream.bind(gateway.transport),
  };
  const given = new Client(transport, { policy: new Clock().policy });
  const options = { signal: controller.signal };
  await assert.rejects(given.giftCards.redeem({ transactionId }, options), { code: "CANCELLED" });
  assert.ok(!gateway.calls.includes("GetTransaction"));
  await assert.rejects(client.giftCards.redeem({ transactionId }, options), { kind: "NotSent" });
});

test("A stream throws errors of ours, and gives messages that are safe to print", async () => {
  const transaction = { transactionId, issuedCards: [{ number: "6045000000000061" }] };
  const transport = createRouterTransport((router) => {
    router.rpc(v1.TransactionService.method.watchTransactions, async function* () {
      yield await Promise.resolve({ transaction });
      throw new ConnectError("enough", Code.Unavailable);
    });
  });
  const client = new Client(transport);
  const texts: string[] = [];
  await assert.rejects(
    async () => {
      for await (const told of client.transactions.watchTransactions({})) texts.push(JSON.stringify(told));
    },
    { kind: "Unavailable", call: "WatchTransactions" },
  );
  assert.equal(texts.length, 1);
  assert.ok(!texts.join().includes("6045000000000061"));
});

test("A policy without an attempt is refused when the client is made", () => {
  assert.throws(() => new Client(new FakeGateway().transport, { policy: { attempts: 0 } }), RangeError);
});
