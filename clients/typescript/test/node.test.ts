import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { newTransactionId, v1 } from "@giftcardgateway/client";
import { connect } from "@giftcardgateway/client/node";
import { runNode } from "./processes.js";
import { type Answer, RawGateway, bytes, status } from "./raw-gateway.js";

const transactionId = newTransactionId();
const quick = { firstPauseMs: 1, longestPauseMs: 1, attempts: 2 };
const approved = bytes(
  toBinary(
    v1.RedeemResponseSchema,
    create(v1.RedeemResponseSchema, { transaction: { state: v1.TransactionState.APPROVED } }),
  ),
);

const breaks: Record<string, Answer> = {
  "the connection is cut": (stream) => stream.session?.destroy(),
  "the stream is reset": (stream) => {
    stream.close(11);
  },
  "the answer is cut in two": bytes(new Uint8Array([10]), 20),
  "the stream ends without a status": (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { endStream: true });
  },
  "details of a status are those of a success": status(13, "fault", ""),
};

for (const [what, answer] of Object.entries(breaks)) {
  test(`When ${what}, the outcome is open, whatever Connect calls it`, async () => {
    await using gateway = await RawGateway.start(answer);
    await using client = connect(gateway.target, { plaintext: true, policy: quick });
    await assert.rejects(client.giftCards.redeem({ transactionId }), { isOutcomeOpen: true });
    assert.ok(gateway.calls.includes("GetTransaction"));
  });
}

test("What one attempt left open stays open though nobody is there for the next", async () => {
  await using gateway = await RawGateway.start(() => void gateway[Symbol.asyncDispose]());
  await using client = connect(gateway.target, { plaintext: true, policy: quick });
  await assert.rejects(client.giftCards.redeem({ transactionId }), { isOutcomeOpen: true });
  assert.deepEqual(gateway.calls, ["Redeem"]);
});

test("After a cut connection the next attempt makes a new one", async () => {
  await using gateway = await RawGateway.start((stream) => stream.session?.destroy(), approved);
  await using client = connect(gateway.target, { plaintext: true, policy: quick });
  await client.giftCards.redeem({ transactionId });
  assert.deepEqual(gateway.calls, ["Redeem", "Redeem"]);
});

test("Nobody at the address is UNAVAILABLE, and has done nothing", async () => {
  const gateway = await RawGateway.start(approved);
  const { target } = gateway;
  await gateway[Symbol.asyncDispose]();
  await using client = connect(target, { plaintext: true, policy: quick });
  await assert.rejects(client.giftCards.redeem({ transactionId }), {
    code: "UNAVAILABLE",
    isOutcomeOpen: false,
  });
});

test("TLS is the default: a gateway that speaks none is not talked to", async () => {
  await using gateway = await RawGateway.start(approved);
  await using client = connect(gateway.target, { policy: quick });
  await assert.rejects(client.giftCards.redeem({ transactionId }), {
    code: "UNAVAILABLE",
    isOutcomeOpen: false,
  });
  assert.deepEqual(gateway.calls, []);
});

test("Settings that are wrong are refused when the client is made", () => {
  for (const target of ["", "gateway", "http://gateway:1", "gateway:443/path", "a@b:1", "gateway:99999"]) {
    assert.throws(() => connect(target), TypeError, target);
  }
  assert.throws(() => connect("127.0.0.1:1", { plaintext: true, tls: {} }), TypeError);
  assert.throws(() => connect("gateway.example:80", { plaintext: true, token: "t" }), TypeError);
  for (const target of ["localhost:1", "127.0.0.1:1", "[::1]:1"]) {
    connect(target, { plaintext: true, token: "t" }).close();
  }
});

test("Closing a client closes its connection", async () => {
  await using gateway = await RawGateway.start(approved);
  const client = connect(gateway.target, { plaintext: true });
  await client.giftCards.redeem({ transactionId });
  client.close();
  const late = new AbortController();
  const how = await Promise.race([gateway.left.then(() => "left"), setTimeout(30_000, "stayed", late)]);
  late.abort();
  assert.equal(how, "left");
});

test("A call that is answered leaves no timer behind, for which a process would wait", async () => {
  await using gateway = await RawGateway.start(approved);
  const script = `
    import { connect } from "@giftcardgateway/client/node";
    const client = connect("${gateway.target}", { plaintext: true, token: async () => "t" });
    await client.giftCards.redeem({ transactionId: "t" });
    console.log(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length);
  `;
  assert.equal(await runNode("--input-type=module", "-e", script), "0\n");
});
