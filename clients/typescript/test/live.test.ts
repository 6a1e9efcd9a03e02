/** The scenarios of clients/vectors, played against a sandbox: GIFTCARD_TARGET, GIFTCARD_SANDBOX. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import {
  type Client,
  GiftcardError,
  card,
  moneyToMinor,
  newTransactionId,
  toMoney,
  v1,
} from "@giftcardgateway/client";
import { connect } from "@giftcardgateway/client/node";
import { openingOf } from "./calls.js";
import { read } from "./vectors.js";

interface Scenario {
  readonly name: string;
  readonly operation: string;
  readonly card: string;
  readonly amount: string;
  readonly currency: string;
  readonly faults: readonly unknown[];
  readonly block: "ends" | "fails";
  readonly expect: {
    readonly raises: string | null;
    readonly state: keyof typeof v1.TransactionState;
    readonly moved_minor: number;
  };
}

const target = process.env["GIFTCARD_TARGET"];
const sandbox = process.env["GIFTCARD_SANDBOX"];
const REST_MS = 30_000;

for (const one of read<Scenario>("scenarios").cases) {
  test(`scenarios: ${one.name}`, { skip: !target || !sandbox }, async () => {
    await using client = connect(target ?? "", { plaintext: true });
    await setFaults(one.faults);
    try {
      await play(client, one);
    } finally {
      await setFaults([]);
    }
  });
}

test("A watch goes on though its connection is cut again and again", { skip: !target }, async () => {
  const breaking = process.env["GIFTCARD_BREAKING"] ?? "";
  await using steady = connect(target ?? "", { plaintext: true });
  await using client = connect(breaking, { plaintext: true });
  const start = { case: "startTime" as const, value: timestampNow() };
  const awaited = new Set(Array.from({ length: 30 }, newTransactionId));
  for (const transactionId of awaited) {
    await steady.giftCards.reverseRedeem({ transactionId, reason: v1.ReversalReason.CANCELLED });
  }
  for await (const { transaction } of client.watch({ start })) {
    awaited.delete(transaction?.transactionId ?? "");
    if (awaited.size === 0) break;
  }
  assert.equal(awaited.size, 0);
});

async function play(client: Client, one: Scenario): Promise<void> {
  const before = await balanceOf(client, one.card);
  const transactionId = newTransactionId();
  const request = { transactionId, card: card(one.card), amount: toMoney(one.amount, one.currency) };
  const fault = new Error("the block fails");
  let raised: string | null = null;
  try {
    await openingOf(client, one.operation)(request, () => {
      if (one.block === "fails") throw fault;
    });
  } catch (error) {
    if (error !== fault && !(error instanceof GiftcardError)) throw error;
    raised = error === fault ? "block" : (error as GiftcardError).name;
  }
  assert.equal(raised, one.expect.raises);
  assert.equal(await restOf(client, transactionId, one.expect.state), one.expect.state);
  assert.equal(before - (await balanceOf(client, one.card)), BigInt(one.expect.moved_minor));
}

/** Reads a transaction until it is in a state; gives the last state seen. */
async function restOf(client: Client, transactionId: string, wanted: string): Promise<string | undefined> {
  const untilMs = performance.now() + REST_MS;
  for (;;) {
    const { transaction } = await client.transactions.getTransaction({ transactionId });
    const state = v1.TransactionState[transaction?.state ?? 0];
    if (state === wanted || performance.now() > untilMs) return state;
    await setTimeout(50);
  }
}

async function balanceOf(client: Client, pan: string): Promise<bigint> {
  const { cardBalance } = await client.giftCards.balance({ card: card(pan) });
  const available = cardBalance?.balances?.available;
  assert.ok(available);
  return moneyToMinor(available);
}

async function setFaults(faults: readonly unknown[]): Promise<void> {
  const body = JSON.stringify(faults);
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${sandbox ?? ""}/_sandbox/faults`, { method: "POST", headers, body });
  assert.ok(answer.ok, `The sandbox answered ${answer.status}.`);
}
